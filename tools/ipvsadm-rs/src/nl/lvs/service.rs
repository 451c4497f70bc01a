// SPDX-License-Identifier: GPL-2.0

//! Services in the family `LVS`.

use lvs_wire::netlink::lvs::{attr, svc as id, svc_flags};

use crate::model::service::{Extra, Family, ServiceKey};
use crate::nl::attrs::{Attrs, Malformed};
use crate::nl::builder::Builder;
use crate::nl::ipvs::service::decode_key;

/// Adds the nest that names a service.
pub(crate) fn add_named(b: &mut Builder, key: &ServiceKey) {
    b.nest(attr::SERVICE, |n| encode_key(n, key));
}

/// Attributes of `SET_SERVICE`.
pub(crate) fn encode_flags(key: &ServiceKey, masq_only: bool) -> Builder {
    let mut b = Builder::default();
    b.nest(attr::SERVICE, |n| {
        encode_key(n, key);
        n.u32(id::FLAGS, if masq_only { svc_flags::MASQ_ONLY } else { 0 });
    });
    b
}

fn encode_key(b: &mut Builder, key: &ServiceKey) {
    b.u16(id::AF, key.family().number());
    match key {
        ServiceKey::Address {
            protocol,
            addr,
            port,
        } => {
            b.u16(id::PROTOCOL, protocol.0);
            b.addr(id::ADDR, *addr);
            b.u16_be(id::PORT, *port);
        }
        ServiceKey::Mark { mark, .. } => {
            b.u32(id::FWMARK, *mark);
        }
    }
}

/// Reads a service's name and what this family adds to it.
pub(crate) fn decode(message: &[u8]) -> Result<(ServiceKey, Extra), Malformed> {
    let attrs = Attrs::parse(message)?.nest(attr::SERVICE)?;
    let flags = attrs.u32(id::FLAGS).unwrap_or_default();
    let extra = Extra {
        masq_only: flags & svc_flags::MASQ_ONLY != 0,
        local_addresses: attrs.u32(id::LADDRS).unwrap_or_default(),
    };
    Ok((decode_key(&attrs)?, extra))
}

/// Whether a nest's family number says IPv6.
pub(crate) fn is_v6(attrs: &Attrs<'_>, kind: u16) -> Result<bool, Malformed> {
    Family::from_number(attrs.u16(kind)?)
        .map(|family| family == Family::V6)
        .ok_or(Malformed::Value(kind))
}
