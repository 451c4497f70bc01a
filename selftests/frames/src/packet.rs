// SPDX-License-Identifier: GPL-2.0

//! Packets from their parts, with right checksums.

use lvs_wire::csum::{self, Sum};
use std::net::IpAddr;

pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const ICMP: u8 = 1;
pub(crate) const ICMP6: u8 = 58;
pub(crate) const FRAGMENT: u8 = 44;

/// The number of ICMP in a family.
pub(crate) fn icmp_of(addr: IpAddr) -> u8 {
    if addr.is_ipv6() {
        ICMP6
    } else {
        ICMP
    }
}

/// An IP packet that is not yet bytes.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) ttl: u8,
    pub(crate) tos: u8,
    pub(crate) id: u32,
    pub(crate) df: bool,
    /// Which piece of a datagram it is: the bytes before it, and whether more follow.
    pub(crate) piece: Option<(u16, bool)>,
    /// Options of IPv4.
    pub(crate) options: Vec<u8>,
    /// Extension headers of IPv6: the kind, and all but the first byte.
    pub(crate) extensions: Vec<(u8, Vec<u8>)>,
    pub(crate) protocol: u8,
    pub(crate) l4: Vec<u8>,
}

impl Draft {
    pub(crate) fn new(src: IpAddr, dst: IpAddr, protocol: u8, l4: Vec<u8>) -> Self {
        Self {
            src,
            dst,
            ttl: 64,
            tos: 0,
            id: 0,
            df: true,
            piece: None,
            options: Vec::new(),
            extensions: Vec::new(),
            protocol,
            l4,
        }
    }

    /// The same with the right checksum of what it carries.
    pub(crate) fn summed(mut self) -> Self {
        let at = checksum_at(self.protocol);
        if let Some(field) = at.filter(|at| self.l4.len() >= at + 2) {
            self.l4[field..field + 2].fill(0);
            let sum = self.pseudo().add_bytes(&self.l4).checksum();
            let sum = if self.protocol == UDP {
                csum::udp_field(sum)
            } else {
                sum
            };
            self.l4[field..field + 2].copy_from_slice(&sum.to_be_bytes());
        }
        self
    }

    /// The same with the sum of the pseudo header, for a device to complete.
    pub(crate) fn half_summed(mut self) -> Self {
        if let Some(field) = checksum_at(self.protocol).filter(|at| self.l4.len() >= at + 2) {
            let sum = self.pseudo().fold();
            self.l4[field..field + 2].copy_from_slice(&sum.to_be_bytes());
        }
        self
    }

    fn pseudo(&self) -> Sum {
        let len = u32::try_from(self.l4.len()).unwrap();
        match (self.src, self.dst) {
            _ if self.protocol == ICMP => Sum::ZERO,
            (IpAddr::V4(src), IpAddr::V4(dst)) => csum::pseudo(src, dst, self.protocol, len),
            (IpAddr::V6(src), IpAddr::V6(dst)) => csum::pseudo(src, dst, self.protocol, len),
            _ => Sum::ZERO,
        }
    }

    /// Where the transport header begins in [`Draft::bytes`].
    pub(crate) fn l4_offset(&self) -> usize {
        match self.src {
            IpAddr::V4(_) => 20 + self.options.len(),
            IpAddr::V6(_) => {
                let extensions: usize =
                    self.extensions.iter().map(|(_, body)| body.len() + 1).sum();
                40 + extensions + if self.piece.is_some() { 8 } else { 0 }
            }
        }
    }

    /// The bytes, with a right header checksum.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match (self.src, self.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => self.v4(&src.octets(), &dst.octets()),
            (IpAddr::V6(src), IpAddr::V6(dst)) => self.v6(&src.octets(), &dst.octets()),
            families => panic!("no packet goes from one family to the other: {families:?}"),
        }
    }

    fn v4(&self, src: &[u8], dst: &[u8]) -> Vec<u8> {
        let head = 20 + self.options.len();
        // A length that does not fit into the field is one that lies.
        let total = ((head + self.l4.len()) as u16).to_be_bytes();
        let (offset, more) = self.piece.unwrap_or((0, false));
        let flags = (u16::from(self.df && self.piece.is_none()) << 14)
            | (u16::from(more) << 13)
            | (offset / 8);
        let (id, flags) = ((self.id as u16).to_be_bytes(), flags.to_be_bytes());
        let mut bytes = Vec::with_capacity(head + self.l4.len());
        bytes.extend([
            0x40 | (head / 4) as u8,
            self.tos,
            total[0],
            total[1],
            id[0],
            id[1],
            flags[0],
            flags[1],
        ]);
        bytes.extend([self.ttl, self.protocol, 0, 0]);
        bytes.extend(src);
        bytes.extend(dst);
        bytes.extend(&self.options);
        sum_header(&mut bytes);
        bytes.extend(&self.l4);
        bytes
    }

    fn v6(&self, src: &[u8], dst: &[u8]) -> Vec<u8> {
        let mut chain = self.extensions.clone();
        if let Some((offset, more)) = self.piece {
            let mut body = vec![0];
            body.extend((offset & !7 | u16::from(more)).to_be_bytes());
            body.extend(self.id.to_be_bytes());
            chain.push((FRAGMENT, body));
        }
        let len = self.l4_offset() - 40 + self.l4.len();
        let len = (len as u16).to_be_bytes();
        let first = chain.first().map_or(self.protocol, |(kind, _)| *kind);
        let mut bytes = vec![
            0x60 | (self.tos >> 4),
            self.tos << 4,
            0,
            0,
            len[0],
            len[1],
            first,
            self.ttl,
        ];
        bytes.extend(src);
        bytes.extend(dst);
        for (place, (_, body)) in chain.iter().enumerate() {
            bytes.push(
                chain
                    .get(place + 1)
                    .map_or(self.protocol, |(kind, _)| *kind),
            );
            bytes.extend(body);
        }
        bytes.extend(&self.l4);
        bytes
    }
}

/// Where the checksum is in what a protocol begins with.
pub(crate) fn checksum_at(protocol: u8) -> Option<usize> {
    match protocol {
        TCP => Some(16),
        UDP => Some(6),
        ICMP | ICMP6 => Some(2),
        _ => None,
    }
}

/// Writes the checksum of an IPv4 header that is all of `bytes`, or their beginning.
pub(crate) fn sum_header(bytes: &mut [u8]) {
    let head = (usize::from(bytes[0] & 15) * 4).clamp(20, bytes.len());
    bytes[10..12].fill(0);
    let sum = Sum::ZERO.add_bytes(&bytes[..head]).checksum();
    bytes[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// A TCP segment without its checksum.
#[derive(Clone, Debug, Default)]
pub(crate) struct Segment {
    pub(crate) ports: (u16, u16),
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u8,
    pub(crate) window: u16,
    pub(crate) options: Vec<u8>,
    pub(crate) payload: Vec<u8>,
}

impl Segment {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut options = self.options.clone();
        options.truncate(40);
        options.resize(options.len().next_multiple_of(4), 0);
        let mut bytes = Vec::with_capacity(60 + self.payload.len());
        bytes.extend(self.ports.0.to_be_bytes());
        bytes.extend(self.ports.1.to_be_bytes());
        bytes.extend(self.seq.to_be_bytes());
        bytes.extend(self.ack.to_be_bytes());
        bytes.extend([((5 + options.len() / 4) << 4) as u8, self.flags]);
        bytes.extend(self.window.to_be_bytes());
        bytes.extend([0; 4]);
        bytes.extend(options);
        bytes.extend(&self.payload);
        bytes
    }
}

/// A datagram without its checksum.
pub(crate) fn datagram(ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + payload.len());
    for word in [ports.0, ports.1, (8 + payload.len()) as u16, 0] {
        bytes.extend(word.to_be_bytes());
    }
    bytes.extend(payload);
    bytes
}

/// An ICMP message without its checksum.
pub(crate) fn message(kind: u8, code: u8, word: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, code, 0, 0];
    bytes.extend(word.to_be_bytes());
    bytes.extend(body);
    bytes
}

/// What TCP says with one bit each.
pub(crate) mod flag {
    pub(crate) const FIN: u8 = 1;
    pub(crate) const SYN: u8 = 2;
    pub(crate) const RST: u8 = 4;
    pub(crate) const PSH: u8 = 8;
    pub(crate) const ACK: u8 = 16;
}
