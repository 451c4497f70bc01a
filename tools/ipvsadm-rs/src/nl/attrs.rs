// SPDX-License-Identifier: GPL-2.0

//! Reading attributes. A message that does not hold together is an error with
//! a name; nothing in it can make the tool panic.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::{NlasIterator, NLA_HEADER_SIZE};

/// Why a reply could not be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// The bytes are not a netlink message.
    Message,
    /// The bytes are not a list of attributes.
    Attributes,
    /// An attribute that must be there is not.
    Missing(u16),
    /// An attribute has a length or value it cannot have.
    Value(u16),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message => write!(f, "the message is cut short"),
            Self::Attributes => write!(f, "its attributes do not fit together"),
            Self::Missing(kind) => write!(f, "attribute {kind} is missing"),
            Self::Value(kind) => write!(f, "attribute {kind} has a value it cannot have"),
        }
    }
}

/// The attributes of a message or nest.
#[derive(Debug)]
pub(crate) struct Attrs<'a> {
    list: Vec<(u16, &'a [u8])>,
}

impl<'a> Attrs<'a> {
    /// Splits bytes into attributes.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        NlasIterator::new(bytes)
            .map(|item| {
                let nla = item.map_err(|_| Malformed::Attributes)?;
                let (kind, length) = (nla.kind(), usize::from(nla.length()));
                nla.into_inner()
                    .get(NLA_HEADER_SIZE..length)
                    .map(|value| (kind, value))
                    .ok_or(Malformed::Attributes)
            })
            .collect::<Result<_, _>>()
            .map(|list| Self { list })
    }

    /// The value of the last attribute of a kind: the kernel's rule too.
    pub(crate) fn get(&self, kind: u16) -> Option<&'a [u8]> {
        self.list
            .iter()
            .rev()
            .find(|(k, _)| *k == kind)
            .map(|(_, value)| *value)
    }

    /// The values of every attribute of a kind, in order.
    pub(crate) fn all(&self, kind: u16) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.list
            .iter()
            .filter(move |(k, _)| *k == kind)
            .map(|(_, value)| *value)
    }

    /// The attributes nested in one.
    pub(crate) fn nest(&self, kind: u16) -> Result<Attrs<'a>, Malformed> {
        Attrs::parse(self.need(kind)?)
    }

    /// The attributes nested in one, if it is there.
    pub(crate) fn nest_opt(&self, kind: u16) -> Result<Option<Attrs<'a>>, Malformed> {
        self.get(kind).map(Attrs::parse).transpose()
    }

    /// A value that must be there.
    pub(crate) fn need(&self, kind: u16) -> Result<&'a [u8], Malformed> {
        self.get(kind).ok_or(Malformed::Missing(kind))
    }

    /// A byte.
    pub(crate) fn u8(&self, kind: u16) -> Result<u8, Malformed> {
        self.array(kind).map(u8::from_ne_bytes)
    }

    /// 16 bits in host order.
    pub(crate) fn u16(&self, kind: u16) -> Result<u16, Malformed> {
        self.array(kind).map(u16::from_ne_bytes)
    }

    /// 16 bits in network order.
    pub(crate) fn u16_be(&self, kind: u16) -> Result<u16, Malformed> {
        self.array(kind).map(u16::from_be_bytes)
    }

    /// 32 bits in host order.
    pub(crate) fn u32(&self, kind: u16) -> Result<u32, Malformed> {
        self.array(kind).map(u32::from_ne_bytes)
    }

    /// A counter in 64 bits, or in 32 as the older nest has it.
    pub(crate) fn counter(&self, kind: u16) -> Result<u64, Malformed> {
        match self.need(kind)?.len() {
            4 => self.u32(kind).map(u64::from),
            _ => self.array(kind).map(u64::from_ne_bytes),
        }
    }

    /// Text up to its NUL.
    pub(crate) fn string(&self, kind: u16) -> Result<String, Malformed> {
        self.need(kind).map(text)
    }

    /// An address of the length it has, 4 or 16 bytes.
    pub(crate) fn addr(&self, kind: u16) -> Result<IpAddr, Malformed> {
        let value = self.need(kind)?;
        match value.len() {
            4 => address(value, false),
            16 => address(value, true),
            _ => None,
        }
        .ok_or(Malformed::Value(kind))
    }

    /// An address whose family is told apart from it, because the `IPVS`
    /// family always sends 16 bytes.
    pub(crate) fn addr_of(&self, kind: u16, v6: bool) -> Result<IpAddr, Malformed> {
        address(self.need(kind)?, v6).ok_or(Malformed::Value(kind))
    }

    fn array<const N: usize>(&self, kind: u16) -> Result<[u8; N], Malformed> {
        let value = self.need(kind)?;
        value.try_into().map_err(|_| Malformed::Value(kind))
    }
}

/// Bytes up to a NUL, as text.
pub(crate) fn text(bytes: &[u8]) -> String {
    let end = bytes.split(|b| *b == 0).next().unwrap_or_default();
    String::from_utf8_lossy(end).into_owned()
}

fn address(bytes: &[u8], v6: bool) -> Option<IpAddr> {
    if v6 {
        let octets: [u8; 16] = bytes.get(..16)?.try_into().ok()?;
        Some(IpAddr::V6(Ipv6Addr::from(octets)))
    } else {
        let octets: [u8; 4] = bytes.get(..4)?.try_into().ok()?;
        Some(IpAddr::V4(Ipv4Addr::from(octets)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_was_built_is_read_back() {
        let mut b = super::super::builder::Builder::default();
        b.u16(1, 2).u16_be(4, 80).string(6, "wlc");
        let bytes = b.into_bytes();
        let attrs = Attrs::parse(&bytes).unwrap();
        assert_eq!(attrs.u16(1), Ok(2));
        assert_eq!(attrs.u16_be(4), Ok(80));
        assert_eq!(attrs.string(6), Ok("wlc".to_string()));
        assert_eq!(attrs.u32(1), Err(Malformed::Value(1)));
        assert_eq!(attrs.u32(9), Err(Malformed::Missing(9)));
    }

    #[test]
    fn an_attribute_longer_than_its_message_is_refused() {
        let cut = [9, 0, 1, 0, 0];
        assert_eq!(Attrs::parse(&cut).unwrap_err(), Malformed::Attributes);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(attrs) = Attrs::parse(&bytes) {
                for kind in 0..20 {
                    let _ = (attrs.u8(kind), attrs.counter(kind), attrs.addr(kind), attrs.string(kind));
                    let _ = attrs.nest_opt(kind);
                }
            }
        }
    }
}
