// SPDX-License-Identifier: GPL-2.0

//! Version, table size and timeouts in the family `IPVS`.

use lvs_wire::netlink::ipvs::{attr, info as id};

use crate::model::info::{Info, Timeouts};
use crate::nl::attrs::{Attrs, Malformed};
use crate::nl::builder::Builder;

/// Reads the reply to `GET_INFO`.
pub(crate) fn decode(message: &[u8]) -> Result<Info, Malformed> {
    let attrs = Attrs::parse(message)?;
    Ok(Info {
        version: attrs.u32(id::VERSION)?,
        size: attrs.u32(id::CONN_TAB_SIZE)?,
    })
}

/// Attributes of `SET_CONFIG`.
pub(crate) fn encode_timeouts(timeouts: &Timeouts) -> Builder {
    let mut b = Builder::default();
    b.u32(attr::TIMEOUT_TCP, timeouts.tcp);
    b.u32(attr::TIMEOUT_TCP_FIN, timeouts.tcp_fin);
    b.u32(attr::TIMEOUT_UDP, timeouts.udp);
    b
}

/// Reads the reply to `GET_CONFIG`.
pub(crate) fn decode_timeouts(message: &[u8]) -> Result<Timeouts, Malformed> {
    let attrs = Attrs::parse(message)?;
    Ok(Timeouts {
        tcp: attrs.u32(attr::TIMEOUT_TCP).unwrap_or_default(),
        tcp_fin: attrs.u32(attr::TIMEOUT_TCP_FIN).unwrap_or_default(),
        udp: attrs.u32(attr::TIMEOUT_UDP).unwrap_or_default(),
    })
}
