// SPDX-License-Identifier: GPL-2.0

//! Packets that nobody sent us: made from nothing.

use core::net::Ipv4Addr;

use crate::addr::{Address, Endpoint};
use crate::csum::Sum;

/// Bytes of an IPv4 packet that is a TCP header and nothing else.
pub const BARE_LEN: usize = 40;

/// A segment with RST and ACK, no options and no payload, TTL 64, DF set.
///
/// ```
/// use core::net::Ipv4Addr;
/// use lvs_wire::{addr::Endpoint, build::rst, ipv4, tcp};
/// let src = Endpoint::new(Ipv4Addr::new(192, 0, 2, 1), 80);
/// let dst = Endpoint::new(Ipv4Addr::new(198, 51, 100, 2), 40000);
/// let bytes = rst(src, dst, 7, 9);
/// let ip = ipv4::Header::parse(&bytes).map_err(|_| ())?;
/// let tcp = tcp::Header::parse(&bytes[20..]).map_err(|_| ())?;
/// assert!(ip.checksum_ok() && tcp.flags().rst() && tcp.flags().ack());
/// assert_eq!((tcp.seq(), tcp.ack(), tcp.dst_port()), (7, 9, 40000));
/// # Ok::<(), ()>(())
/// ```
#[must_use]
pub fn rst(src: Endpoint<Ipv4Addr>, dst: Endpoint<Ipv4Addr>, seq: u32, ack: u32) -> [u8; BARE_LEN] {
    const RST_ACK: u8 = 0x14;
    bare(src, dst, seq, ack, RST_ACK)
}

/// As [`rst`], with ACK alone.
#[must_use]
pub fn ack(src: Endpoint<Ipv4Addr>, dst: Endpoint<Ipv4Addr>, seq: u32, ack: u32) -> [u8; BARE_LEN] {
    const ACK: u8 = 0x10;
    bare(src, dst, seq, ack, ACK)
}

fn bare(
    src: Endpoint<Ipv4Addr>,
    dst: Endpoint<Ipv4Addr>,
    seq: u32,
    ack: u32,
    flags: u8,
) -> [u8; BARE_LEN] {
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

    let mut bytes = [0; BARE_LEN];
    // Version and length, TOS, total length, id, DF, TTL, TCP.
    put(&mut bytes, 0, &[0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6]);
    put(&mut bytes, 12, &src.addr.octets());
    put(&mut bytes, 16, &dst.addr.octets());
    let sum = Sum::ZERO.add_bytes(bytes.get(..20).unwrap_or(&[]));
    put(&mut bytes, 10, &(!sum.fold()).to_be_bytes());
    put(&mut bytes, 20, &tcp);
    bytes
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

    #[test]
    fn the_checksums_of_a_reset_are_right() {
        for port in [1u16, 80, 65535] {
            let src = Endpoint::new(Ipv4Addr::new(10, 1, 2, 3), port);
            let dst = Endpoint::new(Ipv4Addr::new(172, 16, 200, 9), !port);
            let bytes = rst(src, dst, 0xdead_beef, u32::from(port) << 9);
            assert_eq!(Sum::ZERO.add_bytes(&bytes[..20]).fold(), 0xffff);
            let pseudo = Sum::ZERO.add_bytes(&bytes[12..20]).add_u16(6).add_u16(20);
            assert_eq!(pseudo.add_bytes(&bytes[20..]).fold(), 0xffff);
        }
    }
}
