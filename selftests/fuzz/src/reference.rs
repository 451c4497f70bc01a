// SPDX-License-Identifier: GPL-2.0

//! What packets are, read and checked by plain code that shares nothing with
//! what is tested.

/// RFC 1071, two bytes at a time.
pub(crate) fn sum(bytes: &[u8]) -> u16 {
    let mut sum = 0u32;
    for pair in bytes.chunks(2) {
        sum += (u32::from(pair[0]) << 8) | pair.get(1).copied().map_or(0, u32::from);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap()
}

/// The 16-bit word at an offset.
pub(crate) fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(bytes[at..at + 2].try_into().unwrap())
}

/// Writes the 16-bit word at an offset.
pub(crate) fn set_word(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

/// Adds to the 32-bit number at an offset.
pub(crate) fn add_to_number(bytes: &mut [u8], at: usize, add: u32) {
    let old = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    bytes[at..at + 4].copy_from_slice(&old.wrapping_add(add).to_be_bytes());
}

/// An IP header and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ip {
    /// 4 or 6.
    pub(crate) version: u8,
    /// Where the transport header begins.
    pub(crate) l4: usize,
    /// What begins there.
    pub(crate) protocol: u8,
    /// Offset and "more", of a fragment.
    pub(crate) fragment: Option<(u16, bool)>,
    /// The length that is stated; `None` if that is 0.
    pub(crate) total: Option<usize>,
    /// A routing header names stations that the packet has not been to.
    pub(crate) stations_left: bool,
    /// There is an authentication header.
    pub(crate) authenticated: bool,
}

impl Ip {
    /// Reads the header at the start of `bytes`.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        match bytes.first()? >> 4 {
            4 => Self::read_v4(bytes),
            6 => Self::read_v6(bytes),
            _ => None,
        }
    }

    fn read_v4(bytes: &[u8]) -> Option<Self> {
        let l4 = usize::from(bytes[0] & 15) * 4;
        if bytes.len() < 20 || l4 < 20 || bytes.len() < l4 {
            return None;
        }
        let (total, word) = (usize::from(word(bytes, 2)), word(bytes, 6));
        let (offset, more) = ((word & 0x1fff) * 8, word & 0x2000 != 0);
        (total == 0 || total >= l4).then_some(Self {
            version: 4,
            l4,
            protocol: bytes[9],
            fragment: (offset != 0 || more).then_some((offset, more)),
            total: (total != 0).then_some(total),
            stations_left: false,
            authenticated: false,
        })
    }

    fn read_v6(bytes: &[u8]) -> Option<Self> {
        if bytes.len() < 40 {
            return None;
        }
        let (mut protocol, mut at, mut fragment, mut count) = (bytes[6], 40, None, 0);
        let (mut stations_left, mut authenticated) = (false, false);
        while [0, 43, 44, 51, 60].contains(&protocol) {
            let header = bytes.get(at..).filter(|rest| rest.len() >= 8)?;
            count += 1;
            let len = match protocol {
                44 => 8,
                51 => (usize::from(header[1]) + 2) * 4,
                _ => (usize::from(header[1]) + 1) * 8,
            };
            if header.len() < len || count > 9 {
                return None;
            }
            if protocol == 44 {
                fragment = Some((word(header, 2) & !7, header[3] & 1 != 0));
            }
            stations_left |= protocol == 43 && header[3] != 0;
            authenticated |= protocol == 51;
            at += len;
            protocol = header[0];
            if fragment.is_some_and(|(offset, _)| offset != 0) {
                break;
            }
            if count == 9 {
                return None;
            }
        }
        let len = usize::from(word(bytes, 4));
        (len == 0 || len + 40 >= at).then_some(Self {
            version: 6,
            l4: at,
            protocol,
            fragment,
            total: (len != 0).then_some(len + 40),
            stations_left,
            authenticated,
        })
    }

    /// Where the addresses are.
    pub(crate) fn addresses(&self) -> std::ops::Range<usize> {
        if self.version == 4 {
            12..20
        } else {
            8..40
        }
    }

    /// Where the length is.
    pub(crate) fn len_at(&self) -> usize {
        if self.version == 4 {
            2
        } else {
            4
        }
    }

    /// Where the TTL, or the hop limit, is.
    pub(crate) fn ttl_at(&self) -> usize {
        if self.version == 4 {
            8
        } else {
            7
        }
    }

    /// Whether the packet is what it says: all there, nothing behind it, and no
    /// fragment.
    pub(crate) fn is_whole(&self, packet: &[u8]) -> bool {
        self.fragment.is_none_or(|f| f == (0, false)) && self.total == Some(packet.len())
    }

    /// Where the checksum of the transport is, if that has one here.
    pub(crate) fn check_at(&self, packet: &[u8]) -> Option<usize> {
        let (offset, least) = match (self.version, self.protocol) {
            (_, 6) => (16, 20),
            (_, 17) => (6, 8),
            (4, 1) | (6, 58) => (2, 8),
            _ => return None,
        };
        (packet.len() >= self.l4 + least).then_some(self.l4 + offset)
    }

    /// The sum of the pseudo header of a packet that is what it says.
    pub(crate) fn pseudo(&self, packet: &[u8]) -> Vec<u8> {
        if self.version == 4 && self.protocol == 1 {
            return Vec::new();
        }
        let len = u32::try_from(packet.len() - self.l4).unwrap();
        let mut bytes = packet[self.addresses()].to_vec();
        bytes.extend(len.to_be_bytes());
        bytes.extend([0, 0, 0, self.protocol]);
        bytes
    }

    /// Whether the checksum of the transport is right, in a packet that is what
    /// it says.
    pub(crate) fn transport_ok(&self, packet: &[u8]) -> bool {
        sum(&[&self.pseudo(packet), &packet[self.l4..]].concat()) == 0xffff
    }

    /// Whether the checksum of the header is right; IPv6 has none.
    pub(crate) fn header_ok(&self, packet: &[u8]) -> bool {
        self.version == 6 || sum(&packet[..self.l4]) == 0xffff
    }
}

/// Makes lengths and checksums of a packet right, so that what a rewriting does
/// to them can be seen. Gives its header if it has a transport that has a
/// checksum.
pub(crate) fn mend(packet: &mut [u8]) -> Option<Ip> {
    let ip = Ip::read(packet)?;
    let len = u16::try_from(packet.len()).ok()?;
    match ip.version {
        4 => set_word(packet, 2, len),
        _ => set_word(packet, 4, len - 40),
    }
    let ip = Ip::read(packet)?;
    mend_header(packet, &ip);
    if ip.protocol == 17 && packet.len() >= ip.l4 + 8 {
        let len = u16::try_from(packet.len() - ip.l4).unwrap();
        set_word(packet, ip.l4 + 4, len);
    }
    let at = ip.check_at(packet)?;
    set_word(packet, at, 0);
    let check = !sum(&[&ip.pseudo(packet), &packet[ip.l4..]].concat());
    set_word(
        packet,
        at,
        if check == 0 && ip.protocol == 17 {
            0xffff
        } else {
            check
        },
    );
    Some(ip)
}

/// Makes the checksum of the header right.
pub(crate) fn mend_header(packet: &mut [u8], ip: &Ip) {
    if ip.version == 4 {
        set_word(packet, 10, 0);
        let check = !sum(&packet[..ip.l4]);
        set_word(packet, 10, check);
    }
}
