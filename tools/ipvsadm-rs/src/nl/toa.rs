// SPDX-License-Identifier: GPL-2.0

//! Messages of the family `TOA`.

use lvs_wire::netlink::toa::{attr, counter, trusted};

use super::attrs::{Attrs, Malformed};
use super::builder::Builder;
use crate::model::toa::{Counter, Prefix, Toa, ToaChange};

/// Attributes of `SET_CONFIG`.
pub(crate) fn encode(change: &ToaChange) -> Builder {
    let mut b = Builder::default();
    if let Some(kinds) = &change.kinds {
        b.bytes(attr::KINDS, kinds);
    }
    if let Some(list) = &change.trusted {
        b.flag(attr::TRUSTED_RESET);
        for prefix in list {
            b.nest(attr::TRUSTED, |n| {
                n.addr(trusted::ADDR, prefix.addr);
                n.u8(trusted::PREFIX, prefix.len);
            });
        }
    }
    b
}

/// Adds what a reply to `GET_STATS` or `GET_CONFIG` tells.
pub(crate) fn merge(toa: &mut Toa, message: &[u8]) -> Result<(), Malformed> {
    let attrs = Attrs::parse(message)?;
    for nest in attrs.all(attr::COUNTER) {
        toa.counters.push(decode_counter(&Attrs::parse(nest)?)?);
    }
    for nest in attrs.all(attr::TRUSTED) {
        toa.trusted.push(decode_prefix(&Attrs::parse(nest)?)?);
    }
    if let Some(kinds) = attrs.get(attr::KINDS) {
        toa.kinds = kinds.to_vec();
    }
    if let Ok(entries) = attrs.u32(attr::ENTRIES) {
        toa.entries = Some(entries);
    }
    Ok(())
}

fn decode_counter(attrs: &Attrs<'_>) -> Result<Counter, Malformed> {
    Ok(Counter {
        name: attrs.string(counter::NAME)?,
        value: attrs.counter(counter::VALUE)?,
        hint: attrs.string(counter::HINT).unwrap_or_default(),
    })
}

fn decode_prefix(attrs: &Attrs<'_>) -> Result<Prefix, Malformed> {
    Ok(Prefix {
        addr: attrs.addr(trusted::ADDR)?,
        len: attrs.u8(trusted::PREFIX)?,
    })
}
