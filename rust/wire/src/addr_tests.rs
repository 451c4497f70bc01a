// SPDX-License-Identifier: GPL-2.0

//! Tests of addresses and endpoints.

use super::*;
use std::string::ToString;

fn round_trip<A: Address>(octets: &[u8]) {
    let addr = A::from_bytes(octets).unwrap();
    assert_eq!(addr.to_octets().as_ref(), octets);
    assert_eq!(A::from_any(addr.into()), Some(addr));
    assert_eq!(Family::of(&addr.into()), A::FAMILY);
    assert_eq!(A::FAMILY.addr_len(), A::LEN);
    assert_eq!(Family::from_af(A::FAMILY.af()), Some(A::FAMILY));
    assert_eq!(A::FAMILY.read(octets), Some(addr.into()));
    assert_eq!(addr.sum().fold(), Sum::ZERO.add_bytes(octets).fold());

    let mut out = std::vec![0u8; A::LEN + 1];
    assert_eq!(addr.write_prefix(&mut out).unwrap().len(), 1);
    assert_eq!(&out[..A::LEN], octets);
    let words: std::vec::Vec<u8> = addr
        .to_words()
        .iter()
        .flat_map(|w| w.to_be_bytes())
        .collect();
    assert_eq!(&words[16 - A::LEN..], octets);

    for n in 0..A::LEN {
        assert_eq!(A::from_bytes(&octets[..n]), None);
        assert!(addr.write_prefix(&mut out[..n]).is_none());
    }
    let mut long = octets.to_vec();
    long.push(0);
    assert_eq!(A::from_bytes(&long), None);

    let endpoint = Endpoint::new(addr, 80);
    assert_eq!(Endpoint::<A>::from_any(endpoint.any()), Some(endpoint));
}

const V6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

#[test]
fn an_address_survives_a_round_trip() {
    round_trip::<Ipv4Addr>(&[192, 0, 2, 1]);
    round_trip::<Ipv6Addr>(&V6);
}

#[test]
fn an_address_of_the_other_family_is_refused() {
    let v4 = Endpoint::new(Ipv4Addr::LOCALHOST, 1);
    let v6 = Endpoint::new(Ipv6Addr::LOCALHOST, 1);
    assert_eq!(Endpoint::<Ipv6Addr>::from_any(v4.any()), None);
    assert_eq!(Endpoint::<Ipv4Addr>::from_any(v6.any()), None);
}

#[test]
fn only_two_families_exist() {
    for af in (0..=u16::MAX).filter(|af| ![2, 10].contains(af)) {
        assert_eq!(Family::from_af(af), None);
    }
}

#[test]
fn an_ipv4_address_may_be_padded_to_sixteen_bytes() {
    let mut padded = [0; 16];
    padded[..4].copy_from_slice(&[10, 0, 0, 1]);
    assert_eq!(
        Family::V4.read(&padded),
        Some(Ipv4Addr::new(10, 0, 0, 1).into())
    );
    assert_eq!(Family::V4.read(&padded[..5]), None);
    assert_eq!(Family::V6.read(&padded[..4]), None);
}

#[test]
fn a_host_address_is_neither_nothing_nor_a_group() {
    assert!(Ipv4Addr::new(10, 0, 0, 1).is_host());
    assert!(!Ipv4Addr::UNSPECIFIED.is_host());
    assert!(!Ipv4Addr::BROADCAST.is_host());
    assert!(!Ipv4Addr::new(224, 0, 0, 81).is_host());
    assert!(Ipv6Addr::from(V6).is_host());
    assert!(!Ipv6Addr::UNSPECIFIED.is_host());
    assert!(!Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1).is_host());
}

#[test]
fn an_ipv6_endpoint_is_written_in_brackets() {
    assert_eq!(
        Endpoint::new(Ipv6Addr::LOCALHOST, 80).to_string(),
        "[::1]:80"
    );
    assert_eq!(
        Endpoint::new(Ipv4Addr::LOCALHOST, 80).any().to_string(),
        "127.0.0.1:80"
    );
}
