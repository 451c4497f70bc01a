// SPDX-License-Identifier: GPL-2.0

//! Packets for tests, built and checked by plain code that shares nothing with
//! what is tested.

use core::net::{Ipv4Addr, Ipv6Addr};
use proptest::prelude::*;
use std::vec::Vec;

use crate::addr::Endpoint;
use crate::ip::Network;

/// RFC 1071, two bytes at a time.
pub(crate) fn sum(bytes: &[u8]) -> u16 {
    let mut sum = 0u32;
    for pair in bytes.chunks(2) {
        sum += (u32::from(pair[0]) << 8) | pair.get(1).copied().map_or(0, u32::from);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap()
}

/// What tests have to know of a family beyond [`Network`].
pub(crate) trait TestNetwork: Network {
    /// Any address.
    fn any_addr() -> BoxedStrategy<Self>;

    /// Headers between the fixed IP header and the transport: options in IPv4,
    /// extension headers in IPv6.
    fn any_extra() -> BoxedStrategy<Vec<u8>>;

    /// A whole packet.
    fn packet(src: Self, dst: Self, protocol: u8, extra: &[u8], payload: &[u8]) -> Vec<u8>;

    /// The bytes of the pseudo header.
    fn pseudo(src: Self, dst: Self, protocol: u8, len: usize) -> Vec<u8>;

    /// Checks what the family's header says of itself.
    fn check_header(packet: &[u8]);
}

impl TestNetwork for Ipv4Addr {
    fn any_addr() -> BoxedStrategy<Self> {
        any::<[u8; 4]>().prop_map(Self::from).boxed()
    }

    fn any_extra() -> BoxedStrategy<Vec<u8>> {
        prop_oneof![Just(vec![]), Just(vec![0x94, 4, 0, 0])].boxed()
    }

    fn packet(src: Self, dst: Self, protocol: u8, extra: &[u8], payload: &[u8]) -> Vec<u8> {
        let header_len = 20 + extra.len();
        let total = u16::try_from(header_len + payload.len())
            .unwrap()
            .to_be_bytes();
        let mut packet = vec![
            0x40 | (header_len / 4) as u8,
            0,
            total[0],
            total[1],
            0xab,
            0xcd,
            0x40,
            0,
        ];
        packet.extend([64, protocol, 0, 0]);
        packet.extend(src.octets());
        packet.extend(dst.octets());
        packet.extend(extra);
        let check = !sum(&packet);
        packet[10..12].copy_from_slice(&check.to_be_bytes());
        packet.extend(payload);
        packet
    }

    fn pseudo(src: Self, dst: Self, protocol: u8, len: usize) -> Vec<u8> {
        let len = u16::try_from(len).unwrap().to_be_bytes();
        [&src.octets()[..], &dst.octets(), &[0, protocol], &len].concat()
    }

    fn check_header(packet: &[u8]) {
        let len = usize::from(packet[0] & 15) * 4;
        assert_eq!(sum(&packet[..len]), 0xffff, "IPv4 header checksum");
        assert_eq!(
            packet[2..4],
            (packet.len() as u16).to_be_bytes(),
            "total length"
        );
    }
}

impl TestNetwork for Ipv6Addr {
    fn any_addr() -> BoxedStrategy<Self> {
        any::<[u8; 16]>().prop_map(Self::from).boxed()
    }

    fn any_extra() -> BoxedStrategy<Vec<u8>> {
        prop_oneof![Just(vec![]), Just(vec![0, 0, 1, 4, 0, 0, 0, 0])].boxed()
    }

    fn packet(src: Self, dst: Self, protocol: u8, extra: &[u8], payload: &[u8]) -> Vec<u8> {
        let len = u16::try_from(extra.len() + payload.len())
            .unwrap()
            .to_be_bytes();
        let next = if extra.is_empty() { protocol } else { 60 };
        let mut packet = vec![0x60, 0, 0, 0, len[0], len[1], next, 64];
        packet.extend(src.octets());
        packet.extend(dst.octets());
        packet.extend(extra);
        if !extra.is_empty() {
            packet[40] = protocol;
        }
        packet.extend(payload);
        packet
    }

    fn pseudo(src: Self, dst: Self, protocol: u8, len: usize) -> Vec<u8> {
        let len = u32::try_from(len).unwrap().to_be_bytes();
        [&src.octets()[..], &dst.octets(), &len, &[0, 0, 0, protocol]].concat()
    }

    fn check_header(packet: &[u8]) {
        assert_eq!(
            packet[4..6],
            (packet.len() as u16 - 40).to_be_bytes(),
            "payload length"
        );
    }
}

/// Any endpoint.
pub(crate) fn any_endpoint<A: TestNetwork>() -> impl Strategy<Value = Endpoint<A>> {
    (A::any_addr(), any::<u16>()).prop_map(|(addr, port)| Endpoint::new(addr, port))
}

/// A TCP segment without its checksum.
pub(crate) fn tcp_segment(
    ports: (u16, u16),
    seq: u32,
    ack: u32,
    flags: u8,
    options: &[u8],
    payload: &[u8],
) -> Vec<u8> {
    let mut segment = Vec::new();
    segment.extend(ports.0.to_be_bytes());
    segment.extend(ports.1.to_be_bytes());
    segment.extend(seq.to_be_bytes());
    segment.extend(ack.to_be_bytes());
    segment.extend([
        ((5 + options.len() / 4) << 4) as u8,
        flags,
        0x12,
        0x34,
        0,
        0,
        0,
        7,
    ]);
    segment.extend(options);
    segment.extend(payload);
    segment
}

/// A UDP datagram without its checksum.
pub(crate) fn udp_datagram(ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + payload.len()).unwrap();
    let words = [ports.0, ports.1, len, 0];
    let mut datagram: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    datagram.extend(payload);
    datagram
}

/// Where the checksum field of a transport is.
pub(crate) fn check_at(protocol: u8) -> usize {
    match protocol {
        6 => 16,
        17 => 6,
        _ => 2,
    }
}

/// Writes a complete checksum into a transport header.
pub(crate) fn fill_check<A: TestNetwork>(src: A, dst: A, protocol: u8, l4: &mut [u8]) {
    let at = check_at(protocol);
    l4[at..at + 2].copy_from_slice(&[0, 0]);
    let check = !sum(&[&A::pseudo(src, dst, protocol, l4.len()), &l4[..]].concat());
    let check = if protocol == 17 && check == 0 {
        0xffff
    } else {
        check
    };
    l4[at..at + 2].copy_from_slice(&check.to_be_bytes());
}

/// Writes the sum of the pseudo header into a transport header.
pub(crate) fn fill_partial<A: TestNetwork>(src: A, dst: A, protocol: u8, l4: &mut [u8]) {
    let at = check_at(protocol);
    let partial = sum(&A::pseudo(src, dst, protocol, l4.len()));
    l4[at..at + 2].copy_from_slice(&partial.to_be_bytes());
}
