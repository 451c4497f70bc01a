// SPDX-License-Identifier: GPL-2.0

//! Vectors of the translation, and each way to be refused.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::vec::Vec;

use super::properties::{carry_out, place, EXTRA};
use super::vectors::*;
use super::*;
use crate::addr::Endpoint;
use crate::ip::TtlStep;
use crate::rewrite::options::plan as plan_options;
use crate::rewrite::TcpEdit;
use crate::testing::*;

fn to_server(tcp: Option<TcpEdit>) -> Plan<Ipv4Addr> {
    Plan {
        src: Endpoint::new(Ipv4Addr::new(10, 0, 0, 1), 61000),
        dst: Endpoint::new(Ipv4Addr::new(10, 1, 0, 2), 8443),
        ttl: TtlStep::Decrement,
        tcp,
    }
}

fn client() -> Endpoint<Ipv6Addr> {
    Endpoint::new(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7), 12345)
}

fn to_client(tcp: Option<TcpEdit>) -> Plan<Ipv6Addr> {
    let vip = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1);
    Plan {
        src: Endpoint::new(vip, 443),
        dst: client(),
        ttl: TtlStep::Decrement,
        tcp,
    }
}

const SEQ: TcpEdit = TcpEdit {
    seq_add: 500,
    ack_add: 0,
    sack_add: 0,
    toa: None,
    toa_kind: 254,
    strip: crate::kinds::KindSet::EMPTY,
    strip_timestamps: false,
    strip_fast_open: false,
    mss_lower: 0,
    mss_cap: None,
};

#[test]
fn a_request_through_nat64() {
    let at = place(48, Transport::Tcp);
    let (packet, _) = carry_out::<Ipv6Addr, _>(&REQUEST_V6, at, &to_server(Some(SEQ)));
    assert_eq!(packet, REQUEST_V4);
}

#[test]
fn a_syn_through_nat64_tells_the_client() {
    let edit = TcpEdit {
        toa: Some(client().into()),
        ..SEQ
    };
    let at = place(40, Transport::Tcp);
    let (packet, _) = carry_out::<Ipv6Addr, _>(&SYN_V6, at, &to_server(Some(edit)));
    assert_eq!(packet, SYN_V4);
}

#[test]
fn an_answer_through_nat64_announces_what_fits() {
    let edit = TcpEdit {
        ack_add: 500u32.wrapping_neg(),
        mss_cap: Some(MAX_MSS),
        ..TcpEdit::default()
    };
    let at = place(24, Transport::Tcp);
    let (packet, _) = carry_out::<Ipv4Addr, _>(&SYN_ACK_V4, at, &to_client(Some(edit)));
    assert_eq!(packet, SYN_ACK_V6);
}

#[test]
fn a_datagram_without_a_checksum_gets_one() {
    let at = place(20, Transport::Udp);
    let (packet, _) = carry_out::<Ipv4Addr, _>(&ANSWER_V4, at, &to_client(None));
    assert_eq!(packet, ANSWER_V6);
    for n in 0..8 {
        let mut short = ANSWER_V6[40..40 + n].to_vec();
        let refused = finish_udp(&mut short, &to_client(None), Sum::ZERO);
        assert_eq!(refused, Err(rewrite::Error::Truncated));
    }
}

#[test]
fn damage_stays_visible() {
    for at in [52, 69] {
        let mut damaged = REQUEST_V6;
        damaged[at] ^= 0x40;
        let l4 = place(48, Transport::Tcp);
        let (packet, _) = carry_out::<Ipv6Addr, _>(&damaged, l4, &to_server(Some(SEQ)));
        let (src, dst) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 1, 0, 2));
        assert!(!csum::verify(src, dst, 6, &packet[20..]));
    }
}

/// Every prefix of the headers is refused.
fn all_prefixes<Old: TestNetwork, New: TestNetwork>(old: &[u8], at: Place, plan: &Plan<New>) {
    let room = room::<Old, New>();
    let packet = [&vec![0xee; room], old].concat();
    let l4_at = room + at.l4_offset;
    let end = match at.transport {
        Transport::Udp => l4_at + 8,
        // Options that shift are read, others are not.
        Transport::Tcp => l4_at + 20,
    };
    let none = plan_options(&[], &TcpEdit::default(), false, 0);
    for n in 0..end {
        for options in [None, Some(&none)] {
            let mut short = packet[..n].to_vec();
            let refused = translate::<Old, New>(&mut short, at, plan, options, EXTRA);
            assert_eq!(refused, Err(rewrite::Error::Truncated.into()), "{n} bytes");
            assert_eq!(short, packet[..n]);
        }
    }
    assert!(translate::<Old, New>(&mut packet.clone(), at, plan, None, EXTRA).is_ok());
}

#[test]
fn every_truncation_is_named_and_nothing_is_written() {
    let tcp = |l4_offset| place(l4_offset, Transport::Tcp);
    all_prefixes::<Ipv6Addr, _>(&REQUEST_V6, tcp(48), &to_server(Some(SEQ)));
    all_prefixes::<Ipv4Addr, _>(&SYN_ACK_V4, tcp(24), &to_client(None));
    let udp = |l4_offset| place(l4_offset, Transport::Udp);
    all_prefixes::<Ipv6Addr, _>(&ANSWER_V6, udp(40), &to_server(None));
    all_prefixes::<Ipv4Addr, _>(&ANSWER_V4, udp(20), &to_client(None));
}

/// The result for the request after `change`, which must leave it alone if it
/// is refused.
fn request(change: impl Fn(&mut [u8]), extra: Extra) -> Result<Vec<u8>, Error> {
    let mut packet = REQUEST_V6.to_vec();
    change(&mut packet);
    let before = packet.clone();
    let at = place(48, Transport::Tcp);
    match translate::<Ipv6Addr, _>(&mut packet, at, &to_server(Some(SEQ)), None, extra) {
        Ok(done) => Ok(packet[done.start..].to_vec()),
        Err(error) => {
            assert_eq!(packet, before);
            Err(error)
        }
    }
}

#[test]
fn each_cause_has_its_error_and_nothing_is_written() {
    let refused = |at: usize, byte: u8| request(|p| p[at] = byte, EXTRA).unwrap_err();
    use rewrite::Error as Re;
    assert_eq!(refused(0, 0x45), Error::Header(ip::Error::Version));
    assert_eq!(refused(7, 1), Re::TtlExpired.into());
    assert_eq!(refused(41, 1), Error::Header(ip::Error::ExtensionTruncated));
    assert_eq!(refused(6, 6), Error::Header(ip::Error::HeaderLength));
    let lie = request(|p| p[4..6].copy_from_slice(&[0, 7]), EXTRA);
    assert_eq!(lie, Err(Error::Header(ip::Error::TotalLength)));

    let shift = to_server(Some(TcpEdit { sack_add: 1, ..SEQ }));
    let mut packet = REQUEST_V6;
    packet[60] = 0x40;
    let at = place(48, Transport::Tcp);
    let refused = translate::<Ipv6Addr, _>(&mut packet, at, &shift, None, EXTRA);
    assert_eq!(refused, Err(Re::DataOffset.into()));
}

#[test]
fn lengths_are_those_of_the_other_family() {
    let request = |payload_len: u16, aggregate: bool| {
        let extra = Extra { aggregate, ..EXTRA };
        request(
            |p| p[4..6].copy_from_slice(&payload_len.to_be_bytes()),
            extra,
        )
        .map(|p| p[2..8].to_vec())
    };
    // 8 bytes of destination options go, 20 of an IPv4 header come.
    assert_eq!(request(1248, false).unwrap(), [0x04, 0xec, 7, 7, 0, 0]); // 1260
    assert_eq!(request(1249, false).unwrap(), [0x04, 0xed, 0, 0, 0x40, 0]); // 1261
    assert_eq!(request(65523, false).unwrap(), [0xff, 0xff, 0, 0, 0x40, 0]);
    let too_long = Err(rewrite::Error::TooLong.into());
    assert_eq!(request(65524, false), too_long);
    // An aggregate of 64 KiB and more has no length, there as here.
    assert_eq!(request(65524, true).unwrap(), [0, 0, 0, 0, 0x40, 0]);
    assert_eq!(request(0, true).unwrap(), [0, 0, 0, 0, 0x40, 0]);
    assert_eq!(request(0, false).unwrap(), [0, 0, 0, 0, 0x40, 0]);
}

#[test]
fn what_came_in_fragments_may_leave_in_fragments() {
    let whole = |payload_len: u16, fragmented: bool| {
        let extra = Extra {
            fragmented,
            ..EXTRA
        };
        request(
            |p| p[4..6].copy_from_slice(&payload_len.to_be_bytes()),
            extra,
        )
        .map(|p| p[4..8].to_vec())
    };
    for len in [33, 1248, 1249, 65523] {
        assert_eq!(whole(len, true).unwrap(), [7, 7, 0, 0], "{len} bytes");
    }
    assert_eq!(whole(1249, false).unwrap(), [0, 0, 0x40, 0]);
}

#[test]
fn a_length_never_wraps() {
    assert_eq!(grown(None, 20), Ok(None));
    assert_eq!(grown(Some(8), 20), Ok(Some(28)));
    assert_eq!(grown(Some(40), -20), Ok(Some(20)));
    assert_eq!(grown(Some(8), -20), Err(rewrite::Error::TooLong));
}

#[test]
fn the_room_is_what_a_header_grows_by() {
    assert_eq!(room::<Ipv4Addr, Ipv6Addr>(), 20);
    assert_eq!(room::<Ipv6Addr, Ipv4Addr>(), 0);
    assert_eq!(icmp::room::<Ipv4Addr, Ipv6Addr>(), 40);
    assert_eq!(icmp::room::<Ipv6Addr, Ipv4Addr>(), 0);
}
