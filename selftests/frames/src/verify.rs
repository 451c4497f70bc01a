// SPDX-License-Identifier: GPL-2.0

//! Reads a frame from scratch and says whether all its checksums and lengths
//! are right. Plain code that shares nothing with what is tested.

use crate::packet::{checksum_at, FRAGMENT, ICMP, ICMP6, TCP, UDP};
use crate::vnet::{Vnet, GSO_ECN, GSO_TCPV4, GSO_TCPV6, GSO_UDP, NEEDS_CSUM};
use std::net::IpAddr;

/// The two ends of a packet, and its protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) protocol: u8,
    /// 0 where there are none.
    pub(crate) ports: (u16, u16),
}

/// What a packet is.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) ends: Ends,
    /// Which piece it is: id, bytes before it, whether more follow.
    pub(crate) piece: Option<(u32, usize, bool)>,
    /// What is behind the IP headers, up to the end that they state.
    pub(crate) l4: Vec<u8>,
    /// What an ICMP error is about.
    pub(crate) about: Option<Ends>,
    /// What travels inside.
    pub(crate) inner: Option<Box<Seen>>,
    /// What is wrong, outside or inside.
    pub(crate) problem: Option<&'static str>,
}

impl Seen {
    /// The packet that a program would get.
    pub(crate) fn innermost(&self) -> &Seen {
        self.inner.as_deref().map_or(self, Seen::innermost)
    }

    /// Its TCP control bits.
    pub(crate) fn flags(&self) -> u8 {
        if self.ends.protocol == TCP && self.piece.is_none() {
            self.l4.get(13).copied().unwrap_or(0)
        } else {
            0
        }
    }
}

const ETHERNET: usize = 14;

/// Reads a frame. `None`: it is not IP.
pub(crate) fn look(vnet: &Vnet, frame: &[u8]) -> Option<Seen> {
    let mut at = ETHERNET - 2;
    let mut kind = word(frame, at)?;
    while matches!(kind, 0x8100 | 0x88a8) {
        at += 4;
        kind = word(frame, at)?;
    }
    at += 2;
    if !matches!(kind, 0x0800 | 0x86dd) {
        return None;
    }
    // What is left to the device is done as a device would.
    let mut done = Vec::new();
    let mut problem = None;
    let frame = if vnet.flags & NEEDS_CSUM == 0 {
        frame
    } else {
        done.extend_from_slice(frame);
        let (start, field) = (
            usize::from(vnet.csum_start),
            usize::from(vnet.csum_start) + usize::from(vnet.csum_offset),
        );
        if field + 2 <= done.len() && start >= at && start <= done.len() {
            // A datagram's must not say that there is none.
            let sum = match !sum(&[&done[start..]]) {
                0 => 0xffff,
                sum => sum,
            };
            done[field..field + 2].copy_from_slice(&sum.to_be_bytes());
        } else {
            problem = Some("a checksum to be computed outside of the frame");
        }
        &done[..]
    };
    let mut seen = packet(&frame[at..], vnet.is_big())?;
    if vnet.is_big() {
        let fits = match vnet.gso_type & !GSO_ECN {
            GSO_TCPV4 => seen.ends.protocol == TCP && kind == 0x0800,
            GSO_TCPV6 => seen.ends.protocol == TCP && kind == 0x86dd,
            GSO_UDP => seen.ends.protocol == UDP,
            _ => false,
        };
        if !fits || vnet.gso_size == 0 || vnet.flags & NEEDS_CSUM == 0 {
            problem = problem.or(Some("segments are to be made of what is none"));
        }
    }
    seen.problem = problem.or(seen.problem);
    Some(seen)
}

/// A packet within another.
fn within(bytes: &[u8]) -> Option<Seen> {
    packet(bytes, false)
}

/// An IP packet, or an aggregate of segments. `None`: it is not even one.
fn packet(bytes: &[u8], big: bool) -> Option<Seen> {
    match bytes.first()? >> 4 {
        4 => v4(bytes, big),
        6 => v6(bytes),
        _ => None,
    }
}

fn v4(bytes: &[u8], big: bool) -> Option<Seen> {
    let head = usize::from(bytes[0] & 15) * 4;
    let total = match usize::from(word(bytes, 2)?) {
        // What is longer than the field can say; the segments will not be.
        0 if big => bytes.len(),
        total => total,
    };
    if head < 20 || bytes.len() < head || total < head {
        return None;
    }
    let ends = Ends {
        src: <[u8; 4]>::try_from(&bytes[12..16]).ok()?.into(),
        dst: <[u8; 4]>::try_from(&bytes[16..20]).ok()?.into(),
        protocol: bytes[9],
        ports: (0, 0),
    };
    let fragment = word(bytes, 6)?;
    let piece = (fragment & 0x3fff != 0).then(|| {
        (
            u32::from(word(bytes, 4).unwrap_or(0)),
            usize::from(fragment & 0x1fff) * 8,
            fragment & 0x2000 != 0,
        )
    });
    let mut problem = None;
    if sum(&[&bytes[..head]]) != 0xffff {
        problem = Some("the IPv4 header's checksum is wrong");
    }
    if total > bytes.len() {
        problem = problem.or(Some("the packet is shorter than it says"));
    }
    Some(behind(
        ends,
        piece,
        &bytes[head..total.min(bytes.len())],
        problem,
    ))
}

fn v6(bytes: &[u8]) -> Option<Seen> {
    if bytes.len() < 40 {
        return None;
    }
    let end = 40 + usize::from(word(bytes, 4)?);
    let mut problem = (end > bytes.len()).then_some("the packet is shorter than it says");
    let mut rest = &bytes[40..end.min(bytes.len())];
    let (mut protocol, mut piece) = (bytes[6], None);
    while matches!(protocol, 0 | 43 | 44 | 51 | 60 | 135) {
        let Some(&[next, len, a, b]) = rest.first_chunk() else {
            problem = problem.or(Some("an extension header is cut off"));
            break;
        };
        let len = match protocol {
            FRAGMENT => 8,
            51 => (usize::from(len) + 2) * 4,
            _ => (usize::from(len) + 1) * 8,
        };
        if rest.len() < len {
            problem = problem.or(Some("an extension header is cut off"));
            break;
        }
        if protocol == FRAGMENT {
            let place = u16::from_be_bytes([a, b]);
            let id = u32::from_be_bytes(rest[4..8].try_into().ok()?);
            piece = (place & !6 != 0).then_some((id, usize::from(place & !7), place & 1 != 0));
        }
        (protocol, rest) = (next, &rest[len..]);
        // The others say what is behind them in the whole datagram.
        if piece.is_some_and(|(_, offset, _)| offset != 0) {
            break;
        }
    }
    let ends = Ends {
        src: <[u8; 16]>::try_from(&bytes[8..24]).ok()?.into(),
        dst: <[u8; 16]>::try_from(&bytes[24..40]).ok()?.into(),
        protocol,
        ports: (0, 0),
    };
    Some(behind(ends, piece, rest, problem))
}

/// What is behind the IP header.
pub(crate) fn behind(
    ends: Ends,
    piece: Option<(u32, usize, bool)>,
    l4: &[u8],
    problem: Option<&'static str>,
) -> Seen {
    let mut seen = Seen {
        ends,
        piece,
        l4: l4.to_vec(),
        about: None,
        inner: None,
        problem,
    };
    if piece.is_none_or(|(_, offset, _)| offset == 0)
        && matches!(ends.protocol, TCP | UDP)
        && l4.len() >= 4
    {
        seen.ends.ports = (word(l4, 0).unwrap_or(0), word(l4, 2).unwrap_or(0));
    }
    if piece.is_none() && problem.is_none() {
        seen.problem = transport(&mut seen, l4).err();
    }
    if let Some(wrong) = seen.inner.as_ref().and_then(|inner| inner.problem) {
        seen.problem = seen.problem.or(Some(wrong));
    }
    seen
}

fn transport(seen: &mut Seen, l4: &[u8]) -> Result<(), &'static str> {
    let ends = seen.ends;
    match ends.protocol {
        TCP => {
            let head = l4.get(12).map_or(0, |b| usize::from(b >> 4) * 4);
            if head < 20 || head > l4.len() {
                return Err("the TCP header has a wrong length");
            }
            summed(ends, l4, "the TCP checksum is wrong")
        }
        UDP => {
            let len = usize::from(word(l4, 4).ok_or("the UDP header is cut off")?);
            if len < 8 || len > l4.len() {
                return Err("the UDP length is wrong");
            }
            if word(l4, 6) == Some(0) {
                if ends.src.is_ipv6() {
                    return Err("a UDP checksum is left out in IPv6");
                }
            } else {
                summed(ends, &l4[..len], "the UDP checksum is wrong")?;
            }
            if ends.ports.1 == crate::bed::GUE_PORT && l4.len() > 12 && l4[8] >> 6 == 0 {
                seen.inner = l4
                    .get(12 + usize::from(l4[8] & 31) * 4..)
                    .and_then(within)
                    .map(Box::new);
            }
            Ok(())
        }
        ICMP if sum(&[l4]) != 0xffff => Err("the ICMP checksum is wrong"),
        ICMP6 => summed(ends, l4, "the ICMPv6 checksum is wrong"),
        4 | 41 => {
            seen.inner = within(l4).map(Box::new);
            Ok(())
        }
        47 => {
            let flags = word(l4, 0).ok_or("the GRE header is cut off")?;
            if flags & 0x8000 != 0 && sum(&[l4]) != 0xffff {
                return Err("the GRE checksum is wrong");
            }
            seen.inner = l4
                .get(if flags & 0x8000 != 0 { 8 } else { 4 }..)
                .and_then(within)
                .map(Box::new);
            Ok(())
        }
        _ => Ok(()),
    }?;
    seen.about = about(ends.protocol, l4);
    Ok(())
}

/// The ends of the packet that an ICMP error is about.
fn about(protocol: u8, l4: &[u8]) -> Option<Ends> {
    let error = match protocol {
        ICMP => matches!(l4.first()?, 3 | 4 | 5 | 11 | 12),
        ICMP6 => *l4.first()? < 128,
        _ => false,
    };
    let quote = l4.get(8..).filter(|_| error)?;
    // It is cut off, and its checksums are its own affair.
    within(quote).map(|seen| seen.ends)
}

/// Whether the checksum over the pseudo header and `l4` is right.
fn summed(ends: Ends, l4: &[u8], wrong: &'static str) -> Result<(), &'static str> {
    if l4.len() < checksum_at(ends.protocol).unwrap_or(0) + 2 {
        return Err("the transport header is cut off");
    }
    let len = (l4.len() as u32).to_be_bytes();
    let tail = [len[0], len[1], len[2], len[3], 0, 0, 0, ends.protocol];
    let right = match (ends.src, ends.dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => sum(&[&src.octets(), &dst.octets(), &tail, l4]),
        (IpAddr::V6(src), IpAddr::V6(dst)) => sum(&[&src.octets(), &dst.octets(), &tail, l4]),
        _ => 0,
    };
    if right == 0xffff {
        Ok(())
    } else {
        Err(wrong)
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

/// RFC 1071 over what has even lengths but for the last, two bytes at a time.
fn sum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0u64;
    for part in parts {
        let mut pairs = part.chunks_exact(2);
        sum += pairs
            .by_ref()
            .map(|pair| u64::from(u16::from_be_bytes([pair[0], pair[1]])))
            .sum::<u64>();
        sum += pairs
            .remainder()
            .first()
            .map_or(0, |&last| u64::from(last) << 8);
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

#[cfg(test)]
mod tests;
