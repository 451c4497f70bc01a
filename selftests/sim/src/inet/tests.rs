// SPDX-License-Identifier: GPL-2.0

use super::*;

/// From RFC 1071's example, and a packet as tcpdump shows one.
#[test]
fn a_checksum_is_that_of_the_rfc() {
    assert_eq!(sum(&[0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7]), 0xddf2);
    let header = [
        0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0,
        0xc7,
    ];
    assert_eq!(sum(&header), 0xffff);
}

#[test]
fn what_is_written_is_read() {
    for (src, dst) in [
        ("192.0.2.1", "198.51.100.2"),
        ("2001:db8::1", "2001:db8::2"),
    ] {
        let end = |addr: &str, port| End::new(addr.parse().unwrap(), port);
        let mut view = View {
            src: end(src, 7),
            dst: end(dst, 80),
            ttl: 9,
            tos: 0xb8,
            l4: L4::Tcp(Tcp {
                flags: SYN | ACK,
                seq: u32::MAX,
                ack: 5,
                window: 77,
                urgent: 0,
                options: write_options(&[(2, vec![5, 0xb4]), (3, vec![7])]),
            }),
            payload: b"odd".to_vec(),
            check: Check::Right,
        };
        let mut bytes = view.write();
        assert_eq!(View::read(&bytes), Ok(view.clone()));
        *bytes.last_mut().unwrap() ^= 1;
        assert_eq!(View::read(&bytes).unwrap().check, Check::Wrong);
        view.l4 = L4::Udp;
        assert_eq!(View::read(&view.write()), Ok(view.clone()));
        let mut bytes = view.write();
        assert!(hop(&mut bytes));
        assert_eq!(View::read(&bytes).map(|view| view.ttl), Ok(8));
    }
}

#[test]
fn malformed_options_are_none() {
    assert_eq!(
        options(&[1, 1, 2, 4, 1, 2, 0, 9]),
        Some(vec![(2, vec![1, 2])])
    );
    for bad in [&[2][..], &[2, 1, 0, 0], &[2, 5, 0, 0]] {
        assert_eq!(options(bad), None);
    }
}
