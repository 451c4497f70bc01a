// SPDX-License-Identifier: GPL-2.0

//! Which headers have a head.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::vec::Vec;

use super::*;

/// An IPv6 header with extension headers `(kind, bytes)` before TCP.
fn chain(extensions: &[(u8, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0; 40];
    bytes[..8].copy_from_slice(&[0x60, 0, 0, 0, 0x10, 0, 6, 64]);
    let mut next_at = 6;
    for (kind, extension) in extensions {
        bytes[next_at] = *kind;
        next_at = bytes.len();
        bytes.extend_from_slice(extension);
        bytes[next_at] = 6;
    }
    bytes
}

fn result(extensions: &[(u8, &[u8])]) -> Result<(u8, Option<u32>), Error> {
    whole::<Ipv6Addr>(&chain(extensions)).map(|head| (head.protocol, head.payload_len))
}

#[test]
fn what_a_translation_may_leave_out_is_left_out() {
    let options: (u8, &[u8]) = (60, &[0; 8]);
    let long: (u8, &[u8]) = (0, &[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let routed: (u8, &[u8]) = (43, &[0, 0, 4, 0, 0, 0, 0, 0]);
    // The length of a fragment header is fixed: its second byte is reserved.
    let atomic: (u8, &[u8]) = (44, &[0, 9, 0, 0, 1, 2, 3, 4]);
    assert_eq!(result(&[]), Ok((6, Some(4096))));
    assert_eq!(
        result(&[long, options, routed, atomic]),
        Ok((6, Some(4056)))
    );
    assert_eq!(result(&[atomic, options, routed]), Ok((6, Some(4072))));
}

#[test]
fn a_way_that_is_not_at_its_end_is_told() {
    let long: (u8, &[u8]) = (0, &[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let atomic: (u8, &[u8]) = (44, &[0, 9, 0, 0, 1, 2, 3, 4]);
    for left in 1..=255 {
        let header = [0, 0, 4, left, 0, 0, 0, 0];
        let routing: (u8, &[u8]) = (43, &header);
        assert_eq!(result(&[routing]), Err(Error::SegmentsLeft(43)));
        assert_eq!(result(&[long, routing]), Err(Error::SegmentsLeft(59)));
        assert_eq!(result(&[atomic, routing]), Err(Error::SegmentsLeft(51)));
    }
}

#[test]
fn an_authenticated_packet_is_refused() {
    let options: (u8, &[u8]) = (60, &[0; 8]);
    let authentication: (u8, &[u8]) = (51, &[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(result(&[authentication]), Err(Error::Authenticated));
    assert_eq!(
        result(&[options, authentication]),
        Err(Error::Authenticated)
    );
}

#[test]
fn a_fragment_is_refused() {
    let more: (u8, &[u8]) = (44, &[0, 0, 0, 1, 1, 2, 3, 4]);
    let later: (u8, &[u8]) = (44, &[0, 0, 0, 8, 1, 2, 3, 4]);
    assert_eq!(result(&[more]), Err(Error::Fragment));
    assert_eq!(result(&[later]), Err(Error::Fragment));
    for (flags, offset, whole_) in [
        (0, 0, true),
        (0x40, 0, true),
        (0x20, 0, false),
        (0, 1, false),
    ] {
        let mut bytes = [0; 20];
        bytes[..10].copy_from_slice(&[0x45, 3, 0, 40, 0, 0, flags, offset, 64, 6]);
        let head = whole::<Ipv4Addr>(&bytes);
        assert_eq!(head.is_ok(), whole_);
        match head {
            Ok(head) => assert_eq!((head.class, head.payload_len), (3, Some(20))),
            Err(error) => assert_eq!(error, Error::Fragment),
        }
    }
}

#[test]
fn every_prefix_of_a_header_is_refused() {
    let bytes = chain(&[(60, &[0; 8]), (44, &[0; 8])]);
    assert!(whole::<Ipv6Addr>(&bytes).is_ok());
    for n in 0..bytes.len() {
        let error = match n {
            0..40 => ip::Error::Truncated,
            _ => ip::Error::ExtensionTruncated,
        };
        let refused = whole::<Ipv6Addr>(&bytes[..n]).map(|_| ());
        assert_eq!(refused, Err(Error::Header(error)), "{n} bytes");
    }
    // One that ends before the transport header is said to begin.
    let longer = [&bytes[..], &[0]].concat();
    let refused = whole::<Ipv6Addr>(&longer).map(|_| ());
    assert_eq!(refused, Err(Error::Header(ip::Error::HeaderLength)));
}

#[test]
fn nothing_is_written_where_there_is_no_room() {
    let head = whole::<Ipv6Addr>(&chain(&[])).unwrap();
    let extra = Extra {
        id: 1,
        aggregate: false,
        fragmented: false,
    };
    let v4 = head.between(Ipv4Addr::LOCALHOST, Ipv4Addr::BROADCAST);
    for n in 0..40 {
        let mut place = vec![0xee; n];
        let short = head.write(&mut place, extra);
        assert_eq!(short, Err(rewrite::Error::Truncated));
        assert_eq!(v4.write(&mut place, extra).is_ok(), n >= 20);
        if n < 20 {
            assert_eq!(place, vec![0xee; n]);
        }
    }
}
