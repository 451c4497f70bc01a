// SPDX-License-Identifier: GPL-2.0

//! Fields of what the kernel tells, and of what names something.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lvs_wire::netlink::ipvs::svc;

use crate::{
    attrs::{number, split},
    message::{attr, Attr},
    model::Key,
};

/// What was read, or why it makes no sense.
pub(crate) type Told<T> = Result<T, String>;

/// The attributes of a message or a nest, in their order.
pub(crate) struct Fields<'a>(pub(crate) Vec<(u16, &'a [u8])>);

impl<'a> Fields<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        let (list, _) = split(bytes);
        Self(
            list.into_iter()
                .map(|(kind, value)| (number(kind), value))
                .collect(),
        )
    }

    pub(crate) fn get(&self, kind: u16) -> Told<&'a [u8]> {
        let found = self.0.iter().find(|(number, _)| *number == kind);
        found
            .map(|(_, value)| *value)
            .ok_or(format!("attribute {kind} is missing in a listing"))
    }

    pub(crate) fn nest(&self, kind: u16) -> Told<Self> {
        self.get(kind).map(Self::of)
    }

    /// All nests of that kind.
    pub(crate) fn nests(&self, kind: u16) -> impl Iterator<Item = Self> + '_ {
        let all = self.0.iter().filter(move |(number, _)| *number == kind);
        all.map(|(_, value)| Self::of(value))
    }

    pub(crate) fn u64(&self, kind: u16) -> Told<u64> {
        self.array(kind).map(u64::from_ne_bytes)
    }

    pub(crate) fn array<const N: usize>(&self, kind: u16) -> Told<[u8; N]> {
        self.get(kind)?
            .try_into()
            .map_err(|_| format!("attribute {kind} has a wrong length in a listing"))
    }

    pub(crate) fn u8(&self, kind: u16) -> Told<u8> {
        self.array(kind).map(u8::from_ne_bytes)
    }

    pub(crate) fn u16(&self, kind: u16) -> Told<u16> {
        self.array(kind).map(u16::from_ne_bytes)
    }

    pub(crate) fn be16(&self, kind: u16) -> Told<u16> {
        self.array(kind).map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&self, kind: u16) -> Told<u32> {
        self.array(kind).map(u32::from_ne_bytes)
    }

    /// An address of the family that stands in `af`.
    pub(crate) fn addr(&self, kind: u16, af: u16) -> Told<IpAddr> {
        let bytes = self.get(kind)?;
        let addr = match i32::from(self.u16(af)?) {
            libc::AF_INET => bytes
                .first_chunk::<4>()
                .map(|four| Ipv4Addr::from(*four).into()),
            _ => bytes
                .first_chunk::<16>()
                .map(|all| Ipv6Addr::from(*all).into()),
        };
        addr.ok_or(format!("attribute {kind} is no address"))
    }

    /// What names a service: the same numbers in both families.
    pub(crate) fn key(&self) -> Told<Key> {
        if let Ok(mark) = self.u32(svc::FWMARK) {
            return Ok(Key::Mark(
                mark,
                i32::from(self.u16(svc::AF)?) == libc::AF_INET6,
            ));
        }
        Ok(Key::Address(
            self.u16(svc::PROTOCOL)?,
            self.addr(svc::ADDR, svc::AF)?,
            self.be16(svc::PORT)?,
        ))
    }
}

/// An address family, as attributes have it.
pub(crate) fn family(v6: bool) -> [u8; 2] {
    let af = if v6 { libc::AF_INET6 } else { libc::AF_INET };
    (af as u16).to_ne_bytes()
}

/// The attributes that name a service.
pub(crate) fn named(key: &Key) -> Vec<Attr> {
    let mut attrs = vec![attr(svc::AF, family(key.is_v6()))];
    match key {
        Key::Mark(mark, _) => attrs.push(attr(svc::FWMARK, mark.to_ne_bytes())),
        Key::Address(protocol, addr, port) => attrs.extend([
            attr(svc::PROTOCOL, protocol.to_ne_bytes()),
            attr(svc::ADDR, octets(*addr)),
            attr(svc::PORT, port.to_be_bytes()),
        ]),
    }
    attrs
}

/// An address in as many bytes as it has.
pub(crate) fn octets(addr: IpAddr) -> Vec<u8> {
    match addr {
        IpAddr::V4(addr) => addr.octets().to_vec(),
        IpAddr::V6(addr) => addr.octets().to_vec(),
    }
}
