// SPDX-License-Identifier: GPL-2.0

//! Local addresses in the family `LVS`.

use std::net::IpAddr;

use lvs_wire::netlink::lvs::{attr, laddr as id, laddr_flags};

use super::service::{add_named, is_v6};
use crate::model::laddr::LocalAddress;
use crate::model::service::{Family, ServiceKey};
use crate::model::stats::Stats;
use crate::nl::attrs::{Attrs, Malformed};
use crate::nl::builder::Builder;
use crate::nl::ipvs::service::decode_key;
use crate::nl::ipvs::stats;

/// Attributes of `NEW_LADDR`.
pub(crate) fn encode_new(service: Option<&ServiceKey>, addr: IpAddr, dedicated: bool) -> Builder {
    encode(service, addr, dedicated.then_some(laddr_flags::DEDICATED))
}

/// Attributes of `DEL_LADDR`.
pub(crate) fn encode_name(service: Option<&ServiceKey>, addr: IpAddr) -> Builder {
    encode(service, addr, None)
}

fn encode(service: Option<&ServiceKey>, addr: IpAddr, flags: Option<u32>) -> Builder {
    let mut b = of(service);
    b.nest(attr::LADDR, |n| {
        n.u16(id::AF, Family::of(addr).number());
        n.addr(id::ADDR, addr);
        if let Some(flags) = flags {
            n.u32(id::FLAGS, flags);
        }
    });
    b
}

/// Attributes of `GET_LADDR`: a service's, or the default pool's.
pub(crate) fn of(service: Option<&ServiceKey>) -> Builder {
    let mut b = Builder::default();
    if let Some(key) = service {
        add_named(&mut b, key);
    }
    b
}

/// Reads a local address from a reply.
pub(crate) fn decode(message: &[u8]) -> Result<LocalAddress, Malformed> {
    let top = Attrs::parse(message)?;
    let service = top.nest_opt(attr::SERVICE)?;
    let attrs = top.nest(attr::LADDR)?;
    let stats = attrs.nest_opt(id::STATS)?;
    Ok(LocalAddress {
        service: service.as_ref().map(decode_key).transpose()?,
        addr: attrs.addr_of(id::ADDR, is_v6(&attrs, id::AF)?)?,
        conns: attrs.u32(id::CONNS).unwrap_or_default(),
        ports: attrs.u32(id::PORTS).unwrap_or_default(),
        exhausted: attrs.counter(id::EXHAUSTED).unwrap_or_default(),
        dedicated: attrs.u32(id::FLAGS).unwrap_or_default() & laddr_flags::DEDICATED != 0,
        draining: attrs.u8(id::DRAINING).unwrap_or_default() != 0,
        stats: stats.as_ref().map_or(Ok(Stats::default()), stats::decode)?,
    })
}
