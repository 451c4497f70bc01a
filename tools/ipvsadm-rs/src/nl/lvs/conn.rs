// SPDX-License-Identifier: GPL-2.0

//! Connections in the family `LVS`.

use lvs_wire::netlink::lvs::{attr, conn as id};

use super::service::is_v6;
use crate::model::conn::{Conn, Endpoint};
use crate::model::dest::Method;
use crate::model::service::{Family, Protocol};
use crate::nl::attrs::{Attrs, Malformed};
use crate::nl::builder::Builder;

/// Attributes of `GET_CONN` for the connections that leave from `local`.
pub(crate) fn from_local(local: &Endpoint) -> Builder {
    let mut b = Builder::default();
    b.nest(attr::FILTER, |n| {
        n.u16(id::LAF, Family::of(local.addr).number());
        n.addr(id::LADDR, local.addr);
        n.u16_be(id::LPORT, local.port);
    });
    b
}

/// Reads a connection from a reply.
pub(crate) fn decode(message: &[u8]) -> Result<Conn, Malformed> {
    let attrs = Attrs::parse(message)?.nest(attr::CONN)?;
    let client_v6 = is_v6(&attrs, id::CAF)?;
    // Without a local leg the server is of the client's family.
    let server_v6 = if attrs.get(id::LAF).is_some() {
        is_v6(&attrs, id::LAF)?
    } else {
        client_v6
    };
    Ok(Conn {
        protocol: Protocol(attrs.u16(id::PROTOCOL)?),
        client: endpoint(&attrs, id::CADDR, id::CPORT, client_v6)?,
        virt: endpoint(&attrs, id::VADDR, id::VPORT, client_v6)?,
        local: local(&attrs, server_v6)?,
        dest: endpoint(&attrs, id::DADDR, id::DPORT, server_v6)?,
        state: attrs.string(id::STATE).unwrap_or_default(),
        expires: attrs.u32(id::EXPIRES).unwrap_or_default(),
        method: attrs.u32(id::METHOD).ok().map(Method::from_flags),
        flags: attrs.u32(id::FLAGS).unwrap_or_default(),
    })
}

fn endpoint(attrs: &Attrs<'_>, addr: u16, port: u16, v6: bool) -> Result<Endpoint, Malformed> {
    Ok(Endpoint {
        addr: attrs.addr_of(addr, v6)?,
        port: attrs.u16_be(port)?,
    })
}

/// The local leg, which only FULLNAT connections have.
fn local(attrs: &Attrs<'_>, v6: bool) -> Result<Option<Endpoint>, Malformed> {
    if attrs.get(id::LADDR).is_none() || attrs.get(id::LPORT).is_none() {
        return Ok(None);
    }
    let local = endpoint(attrs, id::LADDR, id::LPORT, v6)?;
    Ok((!local.addr.is_unspecified()).then_some(local))
}
