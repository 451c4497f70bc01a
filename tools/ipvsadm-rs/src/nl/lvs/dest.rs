// SPDX-License-Identifier: GPL-2.0

//! Destinations in the family `LVS`: their methods.

use lvs_wire::netlink::lvs::{attr, dest as id};

use super::service::is_v6;
use crate::model::dest::{DestKey, Method, Methods};
use crate::nl::attrs::{Attrs, Malformed};

/// Reads a destination's name and methods.
pub(crate) fn decode(message: &[u8]) -> Result<(DestKey, Methods), Malformed> {
    let attrs = Attrs::parse(message)?.nest(attr::DEST)?;
    let key = DestKey {
        addr: attrs.addr_of(id::ADDR, is_v6(&attrs, id::AF)?)?,
        port: attrs.u16_be(id::PORT)?,
    };
    let methods = Methods {
        effective: Method::from_flags(attrs.u32(id::METHOD)?),
        configured: Method::from_flags(attrs.u32(id::CONFIGURED)?),
    };
    Ok((key, methods))
}
