// SPDX-License-Identifier: GPL-2.0

//! Counters and rates in messages.

use crate::stats::{Stats, Totals};
use kernel::prelude::*;
use lvs_kapi::genl::Writer;
use lvs_wire::netlink::ipvs::stats as attr;

/// What is shown of one thing's counters.
#[derive(Clone, Copy)]
pub(super) struct Figures {
    /// Since the last time they were set to zero.
    pub(super) totals: Totals,
    /// A second.
    pub(super) rates: Totals,
}

impl Figures {
    pub(super) fn of(stats: &Stats) -> Self {
        Self {
            totals: stats.totals(),
            rates: stats.rates(),
        }
    }

    fn in_order(&self) -> [(u16, u64); 10] {
        let Self { totals, rates } = self;
        [
            (attr::CONNS, totals.conns),
            (attr::INPKTS, totals.in_packets),
            (attr::OUTPKTS, totals.out_packets),
            (attr::INBYTES, totals.in_bytes),
            (attr::OUTBYTES, totals.out_bytes),
            (attr::CPS, rates.conns),
            (attr::INPPS, rates.in_packets),
            (attr::OUTPPS, rates.out_packets),
            (attr::INBPS, rates.in_bytes),
            (attr::OUTBPS, rates.out_bytes),
        ]
    }

    /// All as 64 bits: what is in the nests `STATS64` of `IPVS` and `STATS` of
    /// `LVS`.
    pub(super) fn write(&self, out: &mut Writer<'_>) -> Result {
        for (number, value) in self.in_order() {
            out.u64(number, value, attr::PAD)?;
        }
        Ok(())
    }

    /// All but the bytes as 32 bits, cut off: what is in the nest `STATS` of
    /// `IPVS`.
    pub(super) fn write_narrow(&self, out: &mut Writer<'_>) -> Result {
        for (number, value) in self.in_order() {
            if matches!(number, attr::INBYTES | attr::OUTBYTES) {
                out.u64(number, value, attr::PAD)?;
            } else {
                // CAST: Cut off, as the format has it.
                out.u32(number, value as u32)?;
            }
        }
        Ok(())
    }
}
