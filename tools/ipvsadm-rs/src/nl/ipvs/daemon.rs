// SPDX-License-Identifier: GPL-2.0

//! Sync daemons in the family `IPVS`.

use std::net::IpAddr;

use lvs_wire::netlink::ipvs::{attr, daemon as id};

use crate::model::daemon::{Daemon, Role};
use crate::nl::attrs::{Attrs, Malformed};
use crate::nl::builder::Builder;

/// Attributes of `NEW_DAEMON`.
pub(crate) fn encode_start(daemon: &Daemon) -> Builder {
    let mut b = Builder::default();
    b.nest(attr::DAEMON, |n| {
        n.u32(id::STATE, daemon.role.number());
        n.string(id::MCAST_IFN, &daemon.interface);
        n.u32(id::SYNC_ID, daemon.syncid);
        if daemon.maxlen != 0 {
            n.u16(id::SYNC_MAXLEN, daemon.maxlen);
        }
        match daemon.group {
            Some(IpAddr::V4(v4)) => {
                n.bytes(id::MCAST_GROUP, &v4.octets());
            }
            Some(IpAddr::V6(v6)) => {
                n.bytes(id::MCAST_GROUP6, &v6.octets());
            }
            None => {}
        }
        if daemon.port != 0 {
            n.u16(id::MCAST_PORT, daemon.port);
        }
        if daemon.ttl != 0 {
            n.u8(id::MCAST_TTL, daemon.ttl);
        }
    });
    b
}

/// Attributes of `DEL_DAEMON`.
pub(crate) fn encode_stop(role: Role) -> Builder {
    let mut b = Builder::default();
    b.nest(attr::DAEMON, |n| {
        n.u32(id::STATE, role.number());
    });
    b
}

/// Reads a daemon from a reply.
pub(crate) fn decode(message: &[u8]) -> Result<Daemon, Malformed> {
    let attrs = Attrs::parse(message)?.nest(attr::DAEMON)?;
    let role = match attrs.u32(id::STATE)? {
        state if state & 1 != 0 => Role::Master,
        state if state & 2 != 0 => Role::Backup,
        _ => return Err(Malformed::Value(id::STATE)),
    };
    let group4 = attrs.addr_of(id::MCAST_GROUP, false).ok();
    Ok(Daemon {
        role,
        interface: attrs.string(id::MCAST_IFN)?,
        syncid: attrs.u32(id::SYNC_ID)?,
        maxlen: attrs.u16(id::SYNC_MAXLEN).unwrap_or_default(),
        group: group4.or_else(|| attrs.addr_of(id::MCAST_GROUP6, true).ok()),
        port: attrs.u16(id::MCAST_PORT).unwrap_or_default(),
        ttl: attrs.u8(id::MCAST_TTL).unwrap_or_default(),
    })
}
