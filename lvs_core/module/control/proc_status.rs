// SPDX-License-Identifier: GPL-2.0

//! `/proc/net/ip_vs_status`: how full the hash tables are, line for line as
//! stock has it.
//!
//! Connections of either family, and those between families, are in tables of
//! their own, which are shown as one: its bits are those of the largest power of
//! two in it. Rates need no threads, hence those lines are all zero.

use crate::ns::Ns;
use kernel::{
    prelude::*,
    seq_file::{seq_print, SeqFile}, //
};
use lvs_kapi::{proc::Single, rcu::ReadLock};

pub(super) struct Status;

impl Single for Status {
    type State = Ns;
    const NAME: &'static CStr = c"ip_vs_status";
    // A walk over every chain: not for everybody.
    const MODE: u16 = 0o440;

    fn show(ns: &Ns, out: &SeqFile) {
        connections(ns, out);
        services(ns, out);
        seq_print!(out, "Stats thread slots:\t0 (max 0)\n");
        seq_print!(out, "Stats chain max len:\t0\n");
        seq_print!(out, "Stats thread ests:\t0\n");
    }
}

fn connections(ns: &Ns, out: &SeqFile) {
    let conns = ns.conns();
    let len = conns.map_or(0, |conns| conns.len());
    let size = conns.map_or(0, |conns| conns.size(&ReadLock::new()));
    let (bits, load) = match size {
        0 => (0, 0),
        size => (bits(size), ns.settings.conn_lfactor()),
    };
    seq_print!(out, "Conns:\t{len}\n");
    seq_print!(out, "Conn buckets:\t{size} ({bits} bits, lfactor {load})\n");
    if let Some(conns) = conns.filter(|_| len != 0) {
        let mut chains = Chains::default();
        conns.for_each_chain(Chains::LONG, |links| chains.count(links));
        chains.show("Conn", out);
    }
}

fn services(ns: &Ns, out: &SeqFile) {
    let (len, size) = (ns.services.len(), ns.services.size());
    let bits = bits(size);
    seq_print!(out, "Services:\t{len}\n");
    seq_print!(out, "Service buckets:\t{size} ({bits} bits, lfactor 0)\n");
    if len != 0 {
        let mut chains = Chains::default();
        ns.services.for_each_chain(|len| chains.count(len));
        chains.show("Service", out);
    }
}

/// The number of the highest bit.
fn bits(size: usize) -> u32 {
    usize::BITS
        .wrapping_sub(1)
        .saturating_sub(size.leading_zeros())
}

/// How many chains there are of each length.
#[derive(Default)]
struct Chains([u32; 8]);

impl Chains {
    /// Chains of so many links and more are counted together.
    const LONG: usize = 7;

    fn count(&mut self, len: usize) {
        let Self(counts) = self;
        if let Some(count) = counts.get_mut(len.min(Self::LONG)) {
            *count = count.wrapping_add(1);
        }
    }

    fn show(&self, what: &str, out: &SeqFile) {
        let Self([empty, used @ ..]) = self;
        let in_use = used.iter().copied().fold(0, u32::wrapping_add);
        let all = empty.wrapping_add(in_use);
        let share = percent(*empty, all);
        seq_print!(out, "{what} buckets empty:\t{empty} ({share}%)\n");
        for (len, count) in (1u8..=7).zip(used).filter(|(_, count)| **count != 0) {
            let share = percent(*count, in_use);
            seq_print!(out, "{what} buckets len-{len}:\t{count} ({share}%)\n");
        }
    }
}

fn percent(part: u32, of: u32) -> u64 {
    u64::from(part)
        .wrapping_mul(100)
        .checked_div(u64::from(of.max(1)))
        .unwrap_or(0)
}
