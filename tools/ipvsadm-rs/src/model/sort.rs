// SPDX-License-Identifier: GPL-2.0

//! The order of stock's listings.
//!
//! Stock compares addresses by the sign of a 32-bit difference, which is no
//! order at all when two are more than 2^31 apart (192.168.0.1 comes before
//! 10.0.0.1). To print the same lines in the same places this does the same
//! comparison in the same merge sort as the C library's `qsort`; the standard
//! library's sorts may panic on such a comparison.

use std::net::IpAddr;

use super::dest::Dest;
use super::service::{Service, ServiceKey};

/// Sorts services as stock does: mark, family, protocol, address, port.
pub(crate) fn services(list: Vec<Service>) -> Vec<Service> {
    merge_sort(list, &|a, b| compare_services(&a.key, &b.key))
}

/// Sorts destinations as stock does: address, port.
pub(crate) fn dests(list: Vec<Dest>) -> Vec<Dest> {
    merge_sort(list, &compare_dests)
}

fn compare_services(a: &ServiceKey, b: &ServiceKey) -> i32 {
    let (a_mark, a_proto, a_addr, a_port) = parts(a);
    let (b_mark, b_proto, b_addr, b_port) = parts(b);
    first_difference([
        difference(a_mark, b_mark),
        difference(a.family().number().into(), b.family().number().into()),
        difference(a_proto.into(), b_proto.into()),
        compare_addresses(a_addr, b_addr),
        difference(a_port.into(), b_port.into()),
    ])
}

fn parts(key: &ServiceKey) -> (u32, u16, IpAddr, u16) {
    match key {
        ServiceKey::Address {
            protocol,
            addr,
            port,
        } => (0, protocol.0, *addr, *port),
        ServiceKey::Mark { mark, family } => (*mark, 0, family.any(), 0),
    }
}

fn compare_dests(a: &Dest, b: &Dest) -> i32 {
    first_difference([
        compare_addresses(a.key.addr, b.key.addr),
        difference(a.key.port.into(), b.key.port.into()),
    ])
}

/// The first address's family decides how both are read, as in stock.
fn compare_addresses(a: IpAddr, b: IpAddr) -> i32 {
    let (left, right) = (words(a), words(b));
    let count = if a.is_ipv6() { 4 } else { 1 };
    left.iter()
        .zip(right.iter())
        .take(count)
        .map(|(l, r)| difference(*l, *r))
        .find(|d| *d != 0)
        .unwrap_or(0)
}

fn words(addr: IpAddr) -> [u32; 4] {
    match addr {
        IpAddr::V4(v4) => [v4.to_bits(), 0, 0, 0],
        IpAddr::V6(v6) => {
            let bits = v6.to_bits();
            [
                (bits >> 96) as u32,
                (bits >> 64) as u32,
                (bits >> 32) as u32,
                bits as u32,
            ]
        }
    }
}

fn difference(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b) as i32
}

fn first_difference<const N: usize>(differences: [i32; N]) -> i32 {
    differences.into_iter().find(|d| *d != 0).unwrap_or(0)
}

/// A top-down merge sort that takes from the left while `compare` is <= 0.
fn merge_sort<T>(mut list: Vec<T>, compare: &dyn Fn(&T, &T) -> i32) -> Vec<T> {
    if list.len() < 2 {
        return list;
    }
    let right = list.split_off(list.len() / 2);
    let left = merge_sort(list, compare);
    let right = merge_sort(right, compare);
    merge(left, right, compare)
}

fn merge<T>(left: Vec<T>, right: Vec<T>, compare: &dyn Fn(&T, &T) -> i32) -> Vec<T> {
    let mut merged = Vec::with_capacity(left.len().saturating_add(right.len()));
    let mut left = left.into_iter().peekable();
    let mut right = right.into_iter().peekable();
    while let (Some(l), Some(r)) = (left.peek(), right.peek()) {
        let next = if compare(l, r) <= 0 {
            left.next()
        } else {
            right.next()
        };
        merged.extend(next);
    }
    merged.extend(left);
    merged.extend(right);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn order(addrs: &[&str]) -> Vec<String> {
        let list: Vec<IpAddr> = addrs.iter().map(|a| a.parse().unwrap()).collect();
        merge_sort(list, &|a, b| compare_addresses(*a, *b))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn addresses_near_each_other_are_in_order() {
        assert_eq!(
            order(&["10.0.0.3", "10.0.0.1", "10.0.0.2"]),
            ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
        );
    }

    #[test]
    fn addresses_far_apart_are_in_stocks_order() {
        assert_eq!(
            order(&["10.0.0.1", "192.168.0.1"]),
            ["192.168.0.1", "10.0.0.1"]
        );
    }

    #[test]
    fn marks_come_after_addresses() {
        let mark = ServiceKey::Mark {
            mark: 1,
            family: super::super::service::Family::V4,
        };
        let addr = ServiceKey::Address {
            protocol: super::super::service::Protocol::TCP,
            addr: "10.0.0.1".parse().unwrap(),
            port: 80,
        };
        assert!(compare_services(&addr, &mark) < 0);
    }

    proptest! {
        #[test]
        fn every_item_survives_whatever_the_comparison(list in prop::collection::vec(any::<u32>(), 0..64)) {
            let sorted = merge_sort(list.clone(), &|a, b| difference(*a, *b));
            let mut left = list;
            let mut right = sorted;
            left.sort_unstable();
            right.sort_unstable();
            prop_assert_eq!(left, right);
        }
    }
}
