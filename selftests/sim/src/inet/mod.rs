// SPDX-License-Identifier: GPL-2.0

//! Packets as the ends write and read them: IPv4 and IPv6, TCP and UDP.
//!
//! Written for the simulation alone, without a line of `lvs_wire`: a fault in
//! there must not be in the judge as well. Only what hosts here send is
//! known: no IP options, no extension headers, no fragments.

#[cfg(test)]
mod tests;

use std::net::IpAddr;

/// An address and a port.
pub(crate) type End = lvs_wire::addr::AnyEndpoint;

pub(crate) const FIN: u8 = 1;
pub(crate) const SYN: u8 = 2;
pub(crate) const RST: u8 = 4;
pub(crate) const ACK: u8 = 16;

pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;

/// A packet that has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) src: End,
    pub(crate) dst: End,
    pub(crate) ttl: u8,
    /// Differentiated services, traffic class.
    pub(crate) tos: u8,
    pub(crate) l4: L4,
    pub(crate) payload: Vec<u8>,
    /// What the transport's checksum says.
    pub(crate) check: Check,
}

/// The transport header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum L4 {
    Tcp(Tcp),
    Udp,
    /// ICMP and others: the payload is all that follows the IP header.
    Other(u8),
}

/// What is in a TCP header besides ports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tcp {
    pub(crate) flags: u8,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) window: u16,
    pub(crate) urgent: u16,
    pub(crate) options: Vec<u8>,
}

/// What a transport checksum says of its packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    Right,
    Wrong,
    /// There is none (UDP over IPv4).
    None,
}

/// Why bytes are not a packet that a host would take.
pub(crate) type Unreadable = &'static str;

fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn long(bytes: &[u8], at: usize) -> u32 {
    (u32::from(word(bytes, at)) << 16) | u32::from(word(bytes, at + 2))
}

/// The ones-complement sum, word by word (RFC 1071).
fn sum(bytes: &[u8]) -> u16 {
    let mut sum = 0u32;
    for pair in bytes.chunks(2) {
        sum += (u32::from(pair[0]) << 8) | pair.get(1).map_or(0, |low| u32::from(*low));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

fn octets(addr: IpAddr) -> Vec<u8> {
    match addr {
        IpAddr::V4(addr) => addr.octets().to_vec(),
        IpAddr::V6(addr) => addr.octets().to_vec(),
    }
}

fn pseudo(src: IpAddr, dst: IpAddr, protocol: u8, len: usize) -> Vec<u8> {
    let mut bytes = octets(src);
    bytes.extend(octets(dst));
    bytes.extend((len as u32).to_be_bytes());
    bytes.extend([0, 0, 0, protocol]);
    bytes
}

/// The sum of a transport header with its payload and pseudo header.
fn transport_sum(src: IpAddr, dst: IpAddr, protocol: u8, l4: &[u8]) -> u16 {
    let mut bytes = pseudo(src, dst, protocol, l4.len());
    bytes.extend(l4);
    sum(&bytes)
}

/// Where the transport header of a packet begins.
pub(crate) fn l4_offset(bytes: &[u8]) -> usize {
    match bytes.first().map(|first| first >> 4) {
        Some(6) => 40,
        _ => 20,
    }
}

impl View {
    /// Reads a packet as its receiver does: what does not end where its headers
    /// say, or whose IP header is damaged, is none.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        let (src, dst, ttl, tos, protocol, l4) = read_ip(bytes)?;
        let end = |addr, port| End::new(addr, port);
        let verdict = |l4: &[u8]| match transport_sum(src, dst, protocol, l4) {
            0xffff => Check::Right,
            _ => Check::Wrong,
        };
        match protocol {
            TCP => {
                let header = l4.get(..20).ok_or("a cut TCP header")?;
                let offset = usize::from(header[12] >> 4) * 4;
                let options = l4.get(20..offset).ok_or("a wrong data offset")?;
                Ok(Self {
                    src: end(src, word(header, 0)),
                    dst: end(dst, word(header, 2)),
                    ttl,
                    tos,
                    l4: L4::Tcp(Tcp {
                        flags: header[13],
                        seq: long(header, 4),
                        ack: long(header, 8),
                        window: word(header, 14),
                        urgent: word(header, 18),
                        options: options.to_vec(),
                    }),
                    payload: l4[offset..].to_vec(),
                    check: verdict(l4),
                })
            }
            UDP => {
                let header = l4.get(..8).ok_or("a cut UDP header")?;
                let fits = usize::from(word(header, 4)) == l4.len();
                Ok(Self {
                    src: end(src, word(header, 0)),
                    dst: end(dst, word(header, 2)),
                    ttl,
                    tos,
                    l4: L4::Udp,
                    payload: l4[8..].to_vec(),
                    check: match (word(header, 6), src) {
                        (0, IpAddr::V4(_)) => Check::None,
                        (0, _) => Check::Wrong,
                        _ if !fits => Check::Wrong,
                        _ => verdict(l4),
                    },
                })
            }
            other => Ok(Self {
                src: end(src, 0),
                dst: end(dst, 0),
                ttl,
                tos,
                l4: L4::Other(other),
                payload: l4.to_vec(),
                check: match src {
                    IpAddr::V4(_) if sum(l4) == 0xffff => Check::Right,
                    IpAddr::V4(_) => Check::Wrong,
                    IpAddr::V6(_) => verdict(l4),
                },
            }),
        }
    }

    /// The packet in bytes, with right checksums, or without one where `check`
    /// says so.
    pub(crate) fn write(&self) -> Vec<u8> {
        let (src, dst) = (self.src.addr, self.dst.addr);
        let mut l4 = Vec::new();
        let (protocol, check_at) = match &self.l4 {
            L4::Tcp(tcp) => {
                assert!(tcp.options.len() % 4 == 0 && tcp.options.len() <= 40);
                l4.extend(self.src.port.to_be_bytes());
                l4.extend(self.dst.port.to_be_bytes());
                l4.extend(tcp.seq.to_be_bytes());
                l4.extend(tcp.ack.to_be_bytes());
                l4.extend([(5 + tcp.options.len() as u8 / 4) << 4, tcp.flags]);
                l4.extend(tcp.window.to_be_bytes());
                l4.extend([0, 0]);
                l4.extend(tcp.urgent.to_be_bytes());
                l4.extend(&tcp.options);
                (TCP, 16)
            }
            L4::Udp => {
                l4.extend(self.src.port.to_be_bytes());
                l4.extend(self.dst.port.to_be_bytes());
                l4.extend((8 + self.payload.len() as u16).to_be_bytes());
                l4.extend([0, 0]);
                (UDP, 6)
            }
            L4::Other(protocol) => (*protocol, 2),
        };
        l4.extend(&self.payload);
        if self.check == Check::Right {
            let sum = match (src, protocol) {
                (IpAddr::V4(_), 1) => sum(&l4),
                _ => transport_sum(src, dst, protocol, &l4),
            };
            let field = match !sum {
                0 if protocol == UDP => 0xffff,
                field => field,
            };
            l4[check_at..check_at + 2].copy_from_slice(&field.to_be_bytes());
        }
        let mut bytes = write_ip(src, dst, self.ttl, self.tos, protocol, l4.len());
        bytes.extend(l4);
        bytes
    }

    /// What is in the TCP header, if it is TCP.
    pub(crate) fn tcp(&self) -> Option<&Tcp> {
        match &self.l4 {
            L4::Tcp(tcp) => Some(tcp),
            _ => None,
        }
    }
}

type Ip<'a> = (IpAddr, IpAddr, u8, u8, u8, &'a [u8]);

fn read_ip(bytes: &[u8]) -> Result<Ip<'_>, Unreadable> {
    match bytes.first().map(|first| first >> 4) {
        Some(4) => {
            let header = bytes.get(..20).ok_or("a cut IPv4 header")?;
            if header[0] != 0x45 || usize::from(word(header, 2)) != bytes.len() {
                return Err("a wrong length in IPv4");
            }
            if sum(header) != 0xffff {
                return Err("a wrong checksum of IPv4's header");
            }
            let addr = |at| IpAddr::from(<[u8; 4]>::try_from(&header[at..at + 4]).unwrap());
            let (ttl, tos, protocol) = (header[8], header[1], header[9]);
            Ok((addr(12), addr(16), ttl, tos, protocol, &bytes[20..]))
        }
        Some(6) => {
            let header = bytes.get(..40).ok_or("a cut IPv6 header")?;
            if usize::from(word(header, 4)) + 40 != bytes.len() {
                return Err("a wrong length in IPv6");
            }
            let addr = |at| IpAddr::from(<[u8; 16]>::try_from(&header[at..at + 16]).unwrap());
            let tos = (word(header, 0) >> 4) as u8;
            Ok((addr(8), addr(24), header[7], tos, header[6], &bytes[40..]))
        }
        _ => Err("no IP"),
    }
}

fn write_ip(src: IpAddr, dst: IpAddr, ttl: u8, tos: u8, protocol: u8, len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len + 40);
    match src {
        IpAddr::V4(_) => {
            bytes.extend([0x45, tos]);
            bytes.extend((20 + len as u16).to_be_bytes());
            bytes.extend([0, 1, 0x40, 0, ttl, protocol, 0, 0]);
        }
        IpAddr::V6(_) => {
            bytes.extend((0x6000 | (u16::from(tos) << 4)).to_be_bytes());
            bytes.extend([0, 0]);
            bytes.extend((len as u16).to_be_bytes());
            bytes.extend([protocol, ttl]);
        }
    }
    bytes.extend(octets(src));
    bytes.extend(octets(dst));
    if src.is_ipv4() {
        fix_ipv4(&mut bytes);
    }
    bytes
}

/// Makes the checksum of an IPv4 header right.
fn fix_ipv4(bytes: &mut [u8]) {
    bytes[10..12].fill(0);
    let field = !sum(&bytes[..20]);
    bytes[10..12].copy_from_slice(&field.to_be_bytes());
}

/// A router's hop: `false` when the TTL is used up.
pub(crate) fn hop(bytes: &mut [u8]) -> bool {
    let at = if bytes[0] >> 4 == 4 { 8 } else { 7 };
    if bytes[at] <= 1 {
        return false;
    }
    bytes[at] -= 1;
    if at == 8 {
        fix_ipv4(bytes);
    }
    true
}

/// Options one by one: kind and data. `None` where they are malformed.
pub(crate) fn options(bytes: &[u8]) -> Option<Vec<(u8, Vec<u8>)>> {
    let (list, is_whole) = read_options(bytes);
    is_whole.then_some(list)
}

/// As [`options`], as far as a receiver reads them.
pub(crate) fn readable_options(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    read_options(bytes).0
}

fn read_options(mut bytes: &[u8]) -> (Vec<(u8, Vec<u8>)>, bool) {
    let mut list = Vec::new();
    loop {
        match *bytes {
            [] | [0, ..] => return (list, true),
            [1, ..] => bytes = &bytes[1..],
            [_] => return (list, false),
            [kind, len, ..] => {
                let len = usize::from(len);
                let Some(data) = bytes.get(2..len) else {
                    return (list, false);
                };
                list.push((kind, data.to_vec()));
                bytes = &bytes[len..];
            }
        }
    }
}

/// Options in bytes, padded to a multiple of 4.
pub(crate) fn write_options(list: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (kind, data) in list {
        bytes.extend([*kind, data.len() as u8 + 2]);
        bytes.extend(data);
    }
    while bytes.len() % 4 != 0 {
        bytes.push(1);
    }
    bytes
}

/// One line about a packet, for reports.
pub(crate) fn line(bytes: &[u8]) -> String {
    let view = match View::read(bytes) {
        Ok(view) => view,
        Err(why) => return format!("{why}: {bytes:02x?}"),
    };
    let (src, dst, check) = (view.src, view.dst, view.check);
    let len = view.payload.len();
    match &view.l4 {
        L4::Udp => format!("UDP {src} > {dst} {len} bytes, checksum {check:?}"),
        L4::Other(number) => format!("protocol {number} {src} > {dst} {len} bytes, {check:?}"),
        L4::Tcp(tcp) => {
            let mut flags = String::new();
            for (bit, name) in [(SYN, 'S'), (FIN, 'F'), (RST, 'R'), (ACK, 'A')] {
                if tcp.flags & bit != 0 {
                    flags.push(name);
                }
            }
            let options = options(&tcp.options);
            format!(
                "TCP {src} > {dst} {flags} seq {} ack {} {len} bytes, checksum {check:?}, options {options:?}",
                tcp.seq, tcp.ack
            )
        }
    }
}
