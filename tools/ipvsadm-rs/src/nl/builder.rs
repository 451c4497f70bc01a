// SPDX-License-Identifier: GPL-2.0

//! Building attributes (`struct nlattr`, `include/uapi/linux/netlink.h`).

use std::net::IpAddr;

use netlink_packet_core::{NLA_ALIGNTO, NLA_F_NESTED, NLA_HEADER_SIZE};

/// Attributes laid out one after the other, each padded to four bytes.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    bytes: Vec<u8>,
}

impl Builder {
    /// Bytes so far: where the next attribute begins.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The attributes so far.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Adds an attribute of any bytes. One longer than a netlink attribute can
    /// be is cut, which no value built here comes near.
    pub(crate) fn bytes(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        let room = usize::from(u16::MAX).saturating_sub(NLA_HEADER_SIZE);
        let value = value.get(..room).unwrap_or(value);
        let length = value.len().saturating_add(NLA_HEADER_SIZE);
        let length = u16::try_from(length).unwrap_or(u16::MAX);
        self.bytes.extend(length.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(value);
        let padded = self.bytes.len().next_multiple_of(NLA_ALIGNTO);
        self.bytes.resize(padded, 0);
        self
    }

    /// Adds a byte.
    pub(crate) fn u8(&mut self, kind: u16, value: u8) -> &mut Self {
        self.bytes(kind, &[value])
    }

    /// Adds 16 bits in host order.
    pub(crate) fn u16(&mut self, kind: u16, value: u16) -> &mut Self {
        self.bytes(kind, &value.to_ne_bytes())
    }

    /// Adds 16 bits in network order, as ports are.
    pub(crate) fn u16_be(&mut self, kind: u16, value: u16) -> &mut Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// Adds 32 bits in host order.
    pub(crate) fn u32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.bytes(kind, &value.to_ne_bytes())
    }

    /// Adds a flag: present is true.
    pub(crate) fn flag(&mut self, kind: u16) -> &mut Self {
        self.bytes(kind, &[])
    }

    /// Adds a string with its ending NUL.
    pub(crate) fn string(&mut self, kind: u16, value: &str) -> &mut Self {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.bytes(kind, &bytes)
    }

    /// Adds an address of its own length, 4 or 16 bytes.
    pub(crate) fn addr(&mut self, kind: u16, value: IpAddr) -> &mut Self {
        match value {
            IpAddr::V4(v4) => self.bytes(kind, &v4.octets()),
            IpAddr::V6(v6) => self.bytes(kind, &v6.octets()),
        }
    }

    /// Adds an address in 16 bytes, zero-padded, as stock sends every address.
    pub(crate) fn addr16(&mut self, kind: u16, value: IpAddr) -> &mut Self {
        match value {
            IpAddr::V4(v4) => {
                let mut octets = v4.octets().to_vec();
                octets.resize(16, 0);
                self.bytes(kind, &octets)
            }
            IpAddr::V6(v6) => self.bytes(kind, &v6.octets()),
        }
    }

    /// Adds a nest, filled by `fill`.
    pub(crate) fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) -> &mut Self {
        let mut inner = Self::default();
        fill(&mut inner);
        self.bytes(kind | NLA_F_NESTED, &inner.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_padded_and_lengths_are_not() {
        let mut b = Builder::default();
        b.u8(1, 7).string(2, "rr");
        assert_eq!(
            b.into_bytes(),
            [5, 0, 1, 0, 7, 0, 0, 0, 7, 0, 2, 0, b'r', b'r', 0, 0]
        );
    }

    #[test]
    fn ports_are_in_network_order_and_nests_are_marked() {
        let mut b = Builder::default();
        b.nest(1, |n| {
            n.u16_be(4, 80);
        });
        assert_eq!(b.into_bytes(), [12, 0, 1, 0x80, 6, 0, 4, 0, 0, 80, 0, 0]);
    }

    #[test]
    fn stock_pads_addresses() {
        let mut b = Builder::default();
        b.addr16(3, "10.0.0.1".parse().unwrap());
        let bytes = b.into_bytes();
        assert_eq!(bytes.len(), 20);
        assert_eq!(bytes[..9], [20, 0, 3, 0, 10, 0, 0, 1, 0]);
    }
}
