// SPDX-License-Identifier: GPL-2.0

//! Destinations in the family `IPVS`.

use lvs_wire::netlink::ipvs::{attr, dest as id};

use super::stats;
use crate::model::dest::{Dest, DestKey, DestSettings, Method, Tunnel};
use crate::model::service::Family;
use crate::nl::attrs::{Attrs, Malformed};
use crate::nl::builder::Builder;

/// Adds a destination by name to a request.
pub(crate) fn add_named(b: &mut Builder, key: &DestKey) {
    b.nest(attr::DEST, |n| encode_key(n, key));
}

/// Adds a destination with everything that is configured.
pub(crate) fn add_full(b: &mut Builder, key: &DestKey, settings: &DestSettings) {
    b.nest(attr::DEST, |n| encode_full(n, key, settings));
}

/// Adds the attributes of a destination with everything that is configured.
pub(crate) fn encode_full(b: &mut Builder, key: &DestKey, settings: &DestSettings) {
    encode_key(b, key);
    b.u32(id::FWD_METHOD, settings.method.0);
    b.u32(id::WEIGHT, settings.weight as u32);
    b.u8(id::TUN_TYPE, settings.tunnel.kind);
    b.u16_be(id::TUN_PORT, settings.tunnel.port);
    b.u16(id::TUN_FLAGS, settings.tunnel.flags);
    b.u32(id::U_THRESH, settings.upper);
    b.u32(id::L_THRESH, settings.lower);
}

fn encode_key(b: &mut Builder, key: &DestKey) {
    b.u16(id::ADDR_FAMILY, Family::of(key.addr).number());
    b.addr16(id::ADDR, key.addr);
    b.u16_be(id::PORT, key.port);
}

/// Reads a destination from a reply; `family` is its service's, which it has
/// unless it says otherwise.
pub(crate) fn decode(message: &[u8], family: Family) -> Result<Dest, Malformed> {
    let attrs = Attrs::parse(message)?.nest(attr::DEST)?;
    let v6 = match attrs.u16(id::ADDR_FAMILY) {
        Ok(number) if number != 0 => Family::from_number(number) == Some(Family::V6),
        _ => family == Family::V6,
    };
    Ok(Dest {
        key: DestKey {
            addr: attrs.addr_of(id::ADDR, v6)?,
            port: attrs.u16_be(id::PORT)?,
        },
        settings: decode_settings(&attrs)?,
        active: attrs.u32(id::ACTIVE_CONNS)?,
        inactive: attrs.u32(id::INACT_CONNS)?,
        persistent: attrs.u32(id::PERSIST_CONNS)?,
        stats: stats::widest(&attrs, id::STATS64, id::STATS)?,
        methods: None,
    })
}

fn decode_settings(attrs: &Attrs<'_>) -> Result<DestSettings, Malformed> {
    Ok(DestSettings {
        method: Method::from_flags(attrs.u32(id::FWD_METHOD)?),
        weight: attrs.u32(id::WEIGHT)? as i32,
        upper: attrs.u32(id::U_THRESH)?,
        lower: attrs.u32(id::L_THRESH)?,
        tunnel: Tunnel {
            kind: attrs.u8(id::TUN_TYPE).unwrap_or_default(),
            port: attrs.u16_be(id::TUN_PORT).unwrap_or_default(),
            flags: attrs.u16(id::TUN_FLAGS).unwrap_or_default(),
        },
    })
}
