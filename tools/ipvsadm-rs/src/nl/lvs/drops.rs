// SPDX-License-Identifier: GPL-2.0

//! Drop counters in the family `LVS`.

use lvs_wire::netlink::lvs::{attr, drop as id};

use crate::model::info::Drop;
use crate::nl::attrs::{Attrs, Malformed};

/// Reads every counter of a reply.
pub(crate) fn decode(message: &[u8]) -> Result<Vec<Drop>, Malformed> {
    Attrs::parse(message)?
        .all(attr::DROP)
        .map(|nest| {
            let attrs = Attrs::parse(nest)?;
            Ok(Drop {
                id: attrs.u32(id::ID)?,
                name: attrs.string(id::NAME)?,
                hint: attrs.string(id::HINT).unwrap_or_default(),
                count: attrs.counter(id::COUNT)?,
            })
        })
        .collect()
}
