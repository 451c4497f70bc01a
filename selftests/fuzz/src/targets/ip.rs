// SPDX-License-Identifier: GPL-2.0

//! IP headers: read as the reference reads them, whole or cut off anywhere, and
//! written again from what was read.

use std::net::{Ipv4Addr, Ipv6Addr};

use lvs_wire::csum::Sum;
use lvs_wire::ip::{HeadEdit, HeadError, Network, TtlStep};
use lvs_wire::{ipv4, ipv6};

use crate::reference::{self, Ip};

/// The bytes are a packet, of either version.
pub(super) fn run(data: &[u8]) {
    v4(data);
    v6(data);
    family::<Ipv4Addr>(data);
    family::<Ipv6Addr>(data);
}

fn v4(data: &[u8]) {
    let Ok(header) = ipv4::Header::parse(data) else {
        return;
    };
    let fragment = header.fragment();
    let (offset, more) = fragment.map_or((0, false), |f| (f.offset, f.more));
    // The one bit that nothing tells: it is reserved.
    let reserved = data[6] & 0x80;
    let flags = reserved | (u8::from(header.dont_fragment()) << 6) | (u8::from(more) << 5);
    let mut bytes = vec![0x40 | u8::try_from(header.header_len() / 4).unwrap()];
    bytes.push(header.tos());
    bytes.extend(header.total_len().to_be_bytes());
    bytes.extend(header.id().to_be_bytes());
    bytes.extend(((u16::from(flags) << 8) | (offset / 8)).to_be_bytes());
    bytes.extend([header.ttl(), header.protocol()]);
    bytes.extend(header.checksum().to_be_bytes());
    bytes.extend(header.src().octets());
    bytes.extend(header.dst().octets());
    bytes.extend(header.options());
    assert_eq!(bytes, data[..header.header_len()], "written again");
    assert_eq!(header.checksum_ok(), reference::sum(&bytes) == 0xffff);
}

fn v6(data: &[u8]) {
    let Ok(header) = ipv6::Header::parse(data) else {
        return;
    };
    let word = (6 << 28) | (u32::from(header.traffic_class()) << 20) | header.flow_label();
    let mut bytes = word.to_be_bytes().to_vec();
    bytes.extend(header.payload_len().to_be_bytes());
    bytes.extend([data[6], header.hop_limit()]);
    bytes.extend(header.src().octets());
    bytes.extend(header.dst().octets());
    assert_eq!(bytes, data[..40], "written again");
    assert!((40..=data.len()).contains(&header.header_len()));
}

fn family<A: Network>(data: &[u8]) {
    let read = A::parse(data).ok();
    let expected = Ip::read(data).filter(|ip| ip.version == A::VERSION);
    assert_eq!(read.is_some(), expected.is_some(), "{read:?} {expected:?}");
    let (Some(packet), Some(expected)) = (read, expected) else {
        return;
    };
    assert_eq!(packet.l4_offset, expected.l4);
    assert_eq!(packet.protocol, expected.protocol);
    assert_eq!(
        packet.fragment.map(|f| (f.offset, f.more)),
        expected.fragment
    );
    assert_eq!(packet.total_len, expected.total.map(|len| len as u32));
    let addresses = [packet.src.to_octets(), packet.dst.to_octets()];
    assert_eq!(
        [addresses[0].as_ref(), addresses[1].as_ref()].concat(),
        data[expected.addresses()]
    );
    assert_eq!(
        packet.has_transport(),
        expected.fragment.is_none_or(|f| f.0 == 0)
    );
    // Less than the header is nothing, more is the same.
    for len in 0..=data.len() {
        let cut = A::parse(&data[..len]);
        assert_eq!(
            cut.ok(),
            (len >= packet.l4_offset).then_some(packet),
            "{len} bytes"
        );
    }
    edit::<A>(data, &expected);
}

/// Changes what precedes the addresses.
fn edit<A: Network>(data: &[u8], ip: &Ip) {
    for (ttl, grow) in [
        (TtlStep::Keep, 0),
        (TtlStep::Decrement, 8),
        (TtlStep::Keep, -20),
    ] {
        let mut bytes = data.to_vec();
        let edit = HeadEdit {
            ttl,
            grow,
            addresses: Sum::ZERO,
        };
        let (len_at, ttl_at) = (ip.len_at(), ip.ttl_at());
        let result = A::edit_head(&mut bytes, edit);
        let old = reference::word(data, len_at);
        let fits = old == 0 || u16::try_from(i32::from(old) + i32::from(grow)).is_ok();
        let dies = ttl == TtlStep::Decrement && data[ttl_at] <= 1;
        let expected = match (fits, dies) {
            (false, _) => Err(HeadError::TooLong),
            (_, true) => Err(HeadError::TtlExpired),
            _ => Ok(()),
        };
        assert_eq!(result, expected);
        if result.is_err() {
            assert_eq!(bytes, data, "written in spite of {result:?}");
            continue;
        }
        let step = u8::from(ttl == TtlStep::Decrement);
        assert_eq!(bytes[ttl_at], data[ttl_at] - step);
        let new = if old == 0 {
            0
        } else {
            old.wrapping_add_signed(grow)
        };
        assert_eq!(reference::word(&bytes, len_at), new);
        assert_eq!(ip.header_ok(&bytes), ip.header_ok(data), "header checksum");
    }
}
