// SPDX-License-Identifier: GPL-2.0

//! Every cell of RFC 7915's tables.

use super::*;

const ABOUT: About = About {
    len: Some(1500),
    mtu_lower: 0,
};

/// `None`: there is no counterpart.
fn v6(kind: u8, code: u8, rest: [u8; 4]) -> Option<[u8; 8]> {
    let [a, b, c, d] = rest;
    let fixed = [kind, code, 0xab, 0xcd, a, b, c, d];
    let found = counterpart::<Ipv4Addr, Ipv6Addr>(&fixed, ABOUT);
    found.map_err(|e| assert_eq!(e, Error::NoCounterpart)).ok()
}

fn v4(kind: u8, code: u8, word: u32) -> Option<[u8; 8]> {
    let [a, b, c, d] = word.to_be_bytes();
    let fixed = [kind, code, 0xab, 0xcd, a, b, c, d];
    let found = counterpart::<Ipv6Addr, Ipv4Addr>(&fixed, ABOUT);
    found.map_err(|e| assert_eq!(e, Error::NoCounterpart)).ok()
}

#[test]
fn each_type_and_code_of_ipv4_has_its_counterpart() {
    // Type, code, and what they become: section 4.2, line by line.
    #[rustfmt::skip]
    let table: [(u8, u8, [u8; 8]); 17] = [
        (3, 0, [1, 0, 0, 0, 0, 0, 0, 0]), // network unreachable: no route
        (3, 1, [1, 0, 0, 0, 0, 0, 0, 0]), // host unreachable
        (3, 2, [4, 1, 0, 0, 0, 0, 0, 6]), // protocol unreachable: unrecognized next header
        (3, 3, [1, 4, 0, 0, 0, 0, 0, 0]), // port unreachable
        (3, 4, [2, 0, 0, 0, 0, 0, 5, 0xdc]), // fragmentation needed: packet too big, 1500
        (3, 5, [1, 0, 0, 0, 0, 0, 0, 0]), // source route failed
        (3, 6, [1, 0, 0, 0, 0, 0, 0, 0]), // network unknown
        (3, 7, [1, 0, 0, 0, 0, 0, 0, 0]), // host unknown
        (3, 8, [1, 0, 0, 0, 0, 0, 0, 0]), // source host isolated
        (3, 9, [1, 1, 0, 0, 0, 0, 0, 0]), // network prohibited: prohibited
        (3, 10, [1, 1, 0, 0, 0, 0, 0, 0]), // host prohibited
        (3, 11, [1, 0, 0, 0, 0, 0, 0, 0]), // network unreachable for type of service
        (3, 12, [1, 0, 0, 0, 0, 0, 0, 0]), // host unreachable for type of service
        (3, 13, [1, 1, 0, 0, 0, 0, 0, 0]), // communication prohibited
        (3, 15, [1, 1, 0, 0, 0, 0, 0, 0]), // precedence cutoff
        (12, 0, [4, 0, 0, 0, 0, 0, 0, 0]), // parameter problem
        (12, 2, [4, 0, 0, 0, 0, 0, 0, 0]), // bad length
    ];
    for kind in 0..=255 {
        for code in 0..=255 {
            let cell = table.iter().find(|cell| (cell.0, cell.1) == (kind, code));
            let expected = match (kind, cell) {
                (11, _) => Some([3, code, 0, 0, 0, 0, 0, 0]),
                (_, cell) => cell.map(|cell| cell.2),
            };
            // An MTU of 1480, which in a parameter problem is pointer 0.
            assert_eq!(v6(kind, code, [0, 0, 5, 0xc8]), expected, "{kind}, {code}");
        }
    }
}

#[test]
fn each_type_and_code_of_ipv6_has_its_counterpart() {
    // Section 5.2, line by line; for an MTU or a pointer of 0.
    #[rustfmt::skip]
    let table: [(u8, u8, [u8; 8]); 7] = [
        (1, 0, [3, 1, 0, 0, 0, 0, 0, 0]), // no route: host unreachable
        (1, 1, [3, 10, 0, 0, 0, 0, 0, 0]), // prohibited: host prohibited
        (1, 2, [3, 1, 0, 0, 0, 0, 0, 0]), // beyond scope
        (1, 3, [3, 1, 0, 0, 0, 0, 0, 0]), // address unreachable
        (1, 4, [3, 3, 0, 0, 0, 0, 0, 0]), // port unreachable
        (4, 0, [12, 0, 0, 0, 0, 0, 0, 0]), // erroneous field: parameter problem
        (4, 1, [3, 2, 0, 0, 0, 0, 0, 0]), // unrecognized next header: protocol unreachable
    ];
    for kind in 0..=255 {
        for code in 0..=255 {
            let cell = table.iter().find(|cell| (cell.0, cell.1) == (kind, code));
            let expected = match kind {
                2 => Some([3, 4, 0, 0, 0, 0, 0x04, 0xec]), // 1280 less 20
                3 => Some([11, code, 0, 0, 0, 0, 0, 0]),
                _ => cell.map(|cell| cell.2),
            };
            assert_eq!(v4(kind, code, 0), expected, "{kind}, {code}");
        }
    }
}

#[test]
fn a_pointer_points_to_the_field_that_means_the_same() {
    // Figure 3.
    #[rustfmt::skip]
    let fields = [
        (0..1, 0), (1..2, 1), (2..4, 4), (8..9, 7), (9..10, 6), (12..16, 8), (16..20, 24),
    ];
    for pointer in 0..=255u8 {
        let field = fields.iter().find(|field| field.0.contains(&pointer));
        let expected = field.map(|field| [4, 0, 0, 0, 0, 0, 0, field.1]);
        assert_eq!(v6(12, 0, [pointer, 0, 0, 0]), expected, "{pointer}");
        assert_eq!(v6(12, 2, [pointer, 9, 9, 9]), expected, "{pointer}");
    }
    // Figure 6.
    #[rustfmt::skip]
    let fields = [
        (0..1, 0), (1..2, 1), (4..6, 2), (6..7, 9), (7..8, 8), (8..24, 12), (24..40, 16),
    ];
    for pointer in (0..=300).chain([1 << 8, 1 << 16, 1 << 24, u32::MAX]) {
        let field = fields.iter().find(|field| field.0.contains(&pointer));
        let expected = field.map(|field| [12, 0, 0, 0, field.1, 0, 0, 0]);
        assert_eq!(v4(4, 0, pointer), expected, "{pointer}");
    }
}

#[test]
fn an_mtu_counts_the_header_of_its_family() {
    let lower = |mtu_lower| About { mtu_lower, ..ABOUT };
    assert_eq!(mtu_v6(1500, lower(0)), 1520);
    assert_eq!(mtu_v6(1500, lower(20)), 1500);
    assert_eq!(mtu_v6(1260, lower(0)), 1280);
    assert_eq!(mtu_v6(1260, lower(20)), 1280);
    assert_eq!(mtu_v6(68, lower(0)), 1280);
    assert_eq!(mtu_v6(65535, lower(0)), 65555);
    assert_eq!(mtu_v4(1500, lower(0)), 1480);
    assert_eq!(mtu_v4(1500, lower(8)), 1472);
    assert_eq!(mtu_v4(1280, lower(0)), 1260);
    assert_eq!(mtu_v4(1279, lower(0)), 1260);
    assert_eq!(mtu_v4(0, lower(0)), 1260);
    assert_eq!(mtu_v4(65555, lower(0)), 65535);
    assert_eq!(mtu_v4(u32::MAX, lower(0)), 65535);
    assert_eq!(mtu_v4(1280, lower(2000)), 68);
}

#[test]
fn a_router_that_tells_no_mtu_has_a_likely_one() {
    let likely = |len| mtu_v6(0, About { len, mtu_lower: 0 });
    assert_eq!(likely(Some(1500)), 1512);
    assert_eq!(likely(Some(1493)), 1512);
    assert_eq!(likely(Some(1492)), 1280); // 1006 and 20
    assert_eq!(likely(Some(2003)), 2022);
    assert_eq!(likely(Some(9000)), 8186);
    assert_eq!(likely(Some(65535)), 32020);
    assert_eq!(likely(Some(68)), 1280);
    assert_eq!(likely(None), 1280);
}

#[test]
fn extensions_begin_where_the_length_says() {
    let fixed = |kind| [kind, 0, 0, 0, 16, 32, 0, 0];
    for kind in 0..=255 {
        let v4 = matches!(kind, 3 | 11 | 12).then_some(128);
        assert_eq!(datagram_len::<Ipv4Addr>(&fixed(kind)), v4, "{kind}");
        let v6 = matches!(kind, 1 | 3).then_some(128);
        assert_eq!(datagram_len::<Ipv6Addr>(&fixed(kind)), v6, "{kind}");
    }
    assert_eq!(datagram_len::<Ipv4Addr>(&[3, 3, 0, 0, 9, 0, 9, 9]), None);
    assert_eq!(datagram_len::<Ipv6Addr>(&[1, 4, 0, 0, 0, 9, 9, 9]), None);
    let most = [3, 3, 0, 0, 0, 255, 0, 0];
    assert_eq!(datagram_len::<Ipv4Addr>(&most), Some(1020));
}

#[test]
fn a_family_has_no_counterpart_in_itself() {
    let fixed = [3, 3, 0, 0, 0, 0, 0, 0];
    let found = counterpart::<Ipv4Addr, Ipv4Addr>(&fixed, ABOUT);
    assert_eq!(found, Err(Error::NoCounterpart));
}
