// SPDX-License-Identifier: GPL-2.0

//! Services in the family `IPVS`.

use std::net::Ipv4Addr;

use lvs_wire::netlink::ipvs::{attr, svc as id};

use super::stats;
use crate::model::service::{Family, Mask, Protocol, Service, ServiceKey, Settings};
use crate::nl::attrs::{Attrs, Malformed};
use crate::nl::builder::Builder;

/// Adds the attributes that name a service. The `LVS` family has the same
/// five under the same numbers.
pub(crate) fn encode_key(b: &mut Builder, key: &ServiceKey) {
    b.u16(id::AF, key.family().number());
    match key {
        ServiceKey::Address {
            protocol,
            addr,
            port,
        } => {
            b.u16(id::PROTOCOL, protocol.0);
            b.addr16(id::ADDR, *addr);
            b.u16_be(id::PORT, *port);
        }
        ServiceKey::Mark { mark, .. } => {
            b.u32(id::FWMARK, *mark);
        }
    }
}

/// A request's attributes: a service by name.
pub(crate) fn named(key: &ServiceKey) -> Builder {
    let mut b = Builder::default();
    b.nest(attr::SERVICE, |n| encode_key(n, key));
    b
}

/// A request's attributes: a service with everything that is configured.
pub(crate) fn full(key: &ServiceKey, settings: &Settings) -> Builder {
    let mut b = Builder::default();
    b.nest(attr::SERVICE, |n| encode_full(n, key, settings));
    b
}

/// Adds the attributes of a service with everything that is configured.
pub(crate) fn encode_full(b: &mut Builder, key: &ServiceKey, settings: &Settings) {
    encode_key(b, key);
    b.string(id::SCHED_NAME, &settings.scheduler);
    if let Some(engine) = &settings.engine {
        b.string(id::PE_NAME, engine);
    }
    b.bytes(id::FLAGS, &flags_and_mask(settings.flags));
    b.u32(id::TIMEOUT, settings.timeout);
    match settings.mask {
        Mask::V4(mask) => b.bytes(id::NETMASK, &mask.octets()),
        Mask::V6(prefix) => b.u32(id::NETMASK, prefix),
    };
}

/// `struct ip_vs_flags`: the flags and a mask of those that are meant.
fn flags_and_mask(flags: u32) -> Vec<u8> {
    [flags.to_ne_bytes(), u32::MAX.to_ne_bytes()].concat()
}

/// Reads a service from a reply.
pub(crate) fn decode(message: &[u8]) -> Result<Service, Malformed> {
    let attrs = Attrs::parse(message)?.nest(attr::SERVICE)?;
    let key = decode_key(&attrs)?;
    Ok(Service {
        key,
        settings: Settings {
            scheduler: attrs.string(id::SCHED_NAME)?,
            flags: decode_flags(&attrs)?,
            timeout: attrs.u32(id::TIMEOUT)?,
            mask: decode_mask(&attrs, key.family())?,
            engine: engine(&attrs),
        },
        stats: stats::widest(&attrs, id::STATS64, id::STATS)?,
        extra: None,
    })
}

/// Reads what names a service.
pub(crate) fn decode_key(attrs: &Attrs<'_>) -> Result<ServiceKey, Malformed> {
    let family = Family::from_number(attrs.u16(id::AF)?).ok_or(Malformed::Value(id::AF))?;
    if attrs.get(id::FWMARK).is_some() {
        return Ok(ServiceKey::Mark {
            mark: attrs.u32(id::FWMARK)?,
            family,
        });
    }
    Ok(ServiceKey::Address {
        protocol: Protocol(attrs.u16(id::PROTOCOL)?),
        addr: attrs.addr_of(id::ADDR, family == Family::V6)?,
        port: attrs.u16_be(id::PORT)?,
    })
}

fn decode_flags(attrs: &Attrs<'_>) -> Result<u32, Malformed> {
    let bytes = attrs.need(id::FLAGS)?;
    let word = |range| {
        bytes
            .get(range)
            .and_then(|b: &[u8]| b.try_into().ok())
            .map(u32::from_ne_bytes)
            .ok_or(Malformed::Value(id::FLAGS))
    };
    Ok(word(0..4)? & word(4..8)?)
}

fn decode_mask(attrs: &Attrs<'_>, family: Family) -> Result<Mask, Malformed> {
    let value = attrs.u32(id::NETMASK)?;
    Ok(match family {
        Family::V4 => Mask::V4(Ipv4Addr::from(value.to_ne_bytes())),
        Family::V6 => Mask::V6(value),
    })
}

fn engine(attrs: &Attrs<'_>) -> Option<String> {
    attrs.string(id::PE_NAME).ok().filter(|n| !n.is_empty())
}
