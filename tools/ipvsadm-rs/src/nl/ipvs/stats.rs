// SPDX-License-Identifier: GPL-2.0

//! The statistics nests of all three families.

use lvs_wire::netlink::ipvs::stats as id;

use crate::model::stats::Stats;
use crate::nl::attrs::{Attrs, Malformed};

/// Reads a statistics nest of 32-bit or 64-bit counters.
pub(crate) fn decode(attrs: &Attrs<'_>) -> Result<Stats, Malformed> {
    Ok(Stats {
        conns: attrs.counter(id::CONNS)?,
        in_packets: attrs.counter(id::INPKTS)?,
        out_packets: attrs.counter(id::OUTPKTS)?,
        in_bytes: attrs.counter(id::INBYTES)?,
        out_bytes: attrs.counter(id::OUTBYTES)?,
        conns_rate: attrs.counter(id::CPS)?,
        in_packets_rate: attrs.counter(id::INPPS)?,
        out_packets_rate: attrs.counter(id::OUTPPS)?,
        in_bytes_rate: attrs.counter(id::INBPS)?,
        out_bytes_rate: attrs.counter(id::OUTBPS)?,
    })
}

/// Reads the wide nest where there is one, else the narrow one, else zeroes.
pub(crate) fn widest(attrs: &Attrs<'_>, wide: u16, narrow: u16) -> Result<Stats, Malformed> {
    let nest = match attrs.nest_opt(wide)? {
        Some(nest) => Some(nest),
        None => attrs.nest_opt(narrow)?,
    };
    nest.as_ref().map_or(Ok(Stats::default()), decode)
}
