// SPDX-License-Identifier: GPL-2.0

//! The header of virtio: what a frame leaves to a device, or leaves out.

/// `struct virtio_net_hdr`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Vnet {
    pub(crate) flags: u8,
    pub(crate) gso_type: u8,
    pub(crate) hdr_len: u16,
    pub(crate) gso_size: u16,
    pub(crate) csum_start: u16,
    pub(crate) csum_offset: u16,
}

/// The checksum from `csum_start` on is still to be computed.
pub(crate) const NEEDS_CSUM: u8 = 1;
/// The sender has seen that it is right.
pub(crate) const DATA_VALID: u8 = 2;

pub(crate) const GSO_NONE: u8 = 0;
pub(crate) const GSO_TCPV4: u8 = 1;
pub(crate) const GSO_UFO: u8 = 3;
pub(crate) const GSO_TCPV6: u8 = 4;
pub(crate) const GSO_UDP: u8 = 5;
/// Beside the others: the segments' congestion flags.
pub(crate) const GSO_ECN: u8 = 0x80;

impl Vnet {
    pub(crate) const LEN: usize = 10;

    pub(crate) fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [self.flags, self.gso_type, 0, 0, 0, 0, 0, 0, 0, 0];
        let words = [
            self.hdr_len,
            self.gso_size,
            self.csum_start,
            self.csum_offset,
        ];
        for (place, word) in bytes[2..].chunks_exact_mut(2).zip(words) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }

    /// The header in front of a frame, and the frame.
    pub(crate) fn split(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (head, frame) = bytes.split_first_chunk::<{ Self::LEN }>()?;
        let word = |at: usize| u16::from_ne_bytes([head[at], head[at + 1]]);
        let vnet = Self {
            flags: head[0],
            gso_type: head[1],
            hdr_len: word(2),
            gso_size: word(4),
            csum_start: word(6),
            csum_offset: word(8),
        };
        Some((vnet, frame))
    }

    /// Whether segments are still to be made of the frame.
    pub(crate) fn is_big(&self) -> bool {
        self.gso_type != GSO_NONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let vnet = Vnet {
            flags: 1,
            gso_type: 4,
            hdr_len: 0x102,
            gso_size: 3,
            csum_start: 0x405,
            csum_offset: 6,
        };
        let mut bytes = vnet.to_bytes().to_vec();
        bytes.push(9);
        assert_eq!(Vnet::split(&bytes), Some((vnet, &[9][..])));
        assert_eq!(Vnet::split(&bytes[..9]), None);
    }
}
