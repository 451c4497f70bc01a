// SPDX-License-Identifier: GPL-2.0

//! Packets that nobody sent us: made from nothing.

use crate::addr::{Address, Endpoint, Family};
use crate::csum::Sum;

/// Bytes of the longest packet that is a TCP header and nothing else.
const MOST: usize = 60;

/// A packet that is an IP header and a TCP header and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bare {
    bytes: [u8; MOST],
    len: usize,
}

impl Bare {
    /// The packet.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }
}

/// A segment with RST and ACK, no options and no payload, TTL 64, DF set.
///
/// ```
/// use core::net::Ipv4Addr;
/// use lvs_wire::{addr::Endpoint, build::rst, ipv4, tcp};
/// let src = Endpoint::new(Ipv4Addr::new(192, 0, 2, 1), 80);
/// let dst = Endpoint::new(Ipv4Addr::new(198, 51, 100, 2), 40000);
/// let packet = rst(src, dst, 7, 9);
/// let bytes = packet.as_slice();
/// let ip = ipv4::Header::parse(bytes).map_err(|_| ())?;
/// let tcp = tcp::Header::parse(&bytes[20..]).map_err(|_| ())?;
/// assert!(ip.checksum_ok() && tcp.flags().rst() && tcp.flags().ack());
/// assert_eq!((tcp.seq(), tcp.ack(), tcp.dst_port()), (7, 9, 40000));
/// # Ok::<(), ()>(())
/// ```
#[must_use]
pub fn rst<A: Address>(src: Endpoint<A>, dst: Endpoint<A>, seq: u32, ack: u32) -> Bare {
    const RST_ACK: u8 = 0x14;
    bare(src, dst, seq, ack, RST_ACK)
}

/// As [`rst`], with ACK alone.
#[must_use]
pub fn ack<A: Address>(src: Endpoint<A>, dst: Endpoint<A>, seq: u32, ack: u32) -> Bare {
    const ACK: u8 = 0x10;
    bare(src, dst, seq, ack, ACK)
}

fn bare<A: Address>(src: Endpoint<A>, dst: Endpoint<A>, seq: u32, ack: u32, flags: u8) -> Bare {
    let mut tcp = [0; 20];
    put(&mut tcp, 0, &src.port.to_be_bytes());
    put(&mut tcp, 2, &dst.port.to_be_bytes());
    put(&mut tcp, 4, &seq.to_be_bytes());
    put(&mut tcp, 8, &ack.to_be_bytes());
    put(&mut tcp, 12, &[5 << 4, flags]);
    let sum = Sum::ZERO
        .add(src.addr.sum())
        .add(dst.addr.sum())
        .add_u16(6)
        .add_u16(20)
        .add_bytes(&tcp);
    put(&mut tcp, 16, &(!sum.fold()).to_be_bytes());

    let mut bytes = [0; MOST];
    let header = match A::FAMILY {
        Family::V4 => {
            // Version and length, TOS, total length, id, DF, TTL, TCP.
            put(&mut bytes, 0, &[0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6]);
            put(&mut bytes, 12, src.addr.to_octets().as_ref());
            put(&mut bytes, 16, dst.addr.to_octets().as_ref());
            let sum = Sum::ZERO.add_bytes(bytes.get(..20).unwrap_or(&[]));
            put(&mut bytes, 10, &(!sum.fold()).to_be_bytes());
            20
        }
        Family::V6 => {
            // Version, class and label, payload length, TCP, hop limit.
            put(&mut bytes, 0, &[0x60, 0, 0, 0, 0, 20, 6, 64]);
            put(&mut bytes, 8, src.addr.to_octets().as_ref());
            put(&mut bytes, 24, dst.addr.to_octets().as_ref());
            40
        }
    };
    put(&mut bytes, header, &tcp);
    Bare {
        bytes,
        len: tcp.len().saturating_add(header),
    }
}

/// Writes `value` at `offset`; the offsets are constants inside the array.
fn put(bytes: &mut [u8], offset: usize, value: &[u8]) {
    let place = bytes.get_mut(offset..).unwrap_or(&mut []);
    for (byte, value) in place.iter_mut().zip(value) {
        *byte = *value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ipv6, tcp};
    use core::net::{Ipv4Addr, Ipv6Addr};

    #[test]
    fn the_checksums_of_a_reset_are_right() {
        for port in [1u16, 80, 65535] {
            let src = Endpoint::new(Ipv4Addr::new(10, 1, 2, 3), port);
            let dst = Endpoint::new(Ipv4Addr::new(172, 16, 200, 9), !port);
            let packet = rst(src, dst, 0xdead_beef, u32::from(port) << 9);
            let bytes = packet.as_slice();
            assert_eq!(bytes.len(), 40);
            assert_eq!(Sum::ZERO.add_bytes(&bytes[..20]).fold(), 0xffff);
            let pseudo = Sum::ZERO.add_bytes(&bytes[12..20]).add_u16(6).add_u16(20);
            assert_eq!(pseudo.add_bytes(&bytes[20..]).fold(), 0xffff);
        }
    }

    #[test]
    fn the_same_for_ipv6() {
        let src = Endpoint::new(Ipv6Addr::from([0x20; 16]), 443);
        let dst = Endpoint::new("2001:db8::7".parse().unwrap(), 40_000);
        let packet = ack(src, dst, 5, 6);
        let bytes = packet.as_slice();
        assert_eq!(bytes.len(), 60);
        let header = ipv6::Header::parse(bytes).unwrap();
        assert_eq!((header.src(), header.dst()), (src.addr, dst.addr));
        assert_eq!(
            (header.payload_len(), header.protocol(), header.hop_limit()),
            (20, 6, 64)
        );
        let pseudo = Sum::ZERO.add_bytes(&bytes[8..40]).add_u16(6).add_u16(20);
        assert_eq!(pseudo.add_bytes(&bytes[40..]).fold(), 0xffff);
        let tcp = tcp::Header::parse(&bytes[40..]).unwrap();
        assert_eq!((tcp.seq(), tcp.ack(), tcp.flags().0), (5, 6, 0x10));
    }
}
