// SPDX-License-Identifier: GPL-2.0

//! The files that the work is done by.

use crate::{churn::churn, Stress};
use core::sync::atomic::Ordering;
use kernel::{
    prelude::*,
    seq_file::{seq_print, SeqFile}, //
};
use lvs_kapi::{proc::Single, rcu::ReadLock};
use lvs_table::Due;

pub(crate) struct Churn;

impl Single for Churn {
    type State = Stress;
    const NAME: &'static CStr = c"table_stress_churn";

    fn show(stress: &Stress, out: &SeqFile) {
        churn(stress);
        seq_print!(out, "looked {}\n", stress.tally.looked.get());
    }
}

pub(crate) struct Expire;

impl Single for Expire {
    type State = Stress;
    const NAME: &'static CStr = c"table_stress_expire";

    fn show(stress: &Stress, out: &SeqFile) {
        let _turn = stress.turn.lock();
        let now = stress.tick.fetch_add(1, Ordering::AcqRel).wrapping_add(1);
        stress.table.expire(
            now,
            |pair| match pair.due {
                due if due > now => Due::At(due),
                _ => Due::Now,
            },
            |_| stress.tally.expired.add(),
        );
        stress.turned.store(now, Ordering::Release);
        seq_print!(out, "turned {now}\n");
    }
}

pub(crate) struct Grow;

impl Grow {
    /// Chains for each link, as a power of two: no larger than that.
    const SPARSEST: i32 = -6;
}

impl Single for Grow {
    type State = Stress;
    const NAME: &'static CStr = c"table_stress_grow";

    fn show(stress: &Stress, out: &SeqFile) {
        let before = stress.table.size(&ReadLock::new());
        let load = stress.load.load(Ordering::Relaxed);
        if stress.table.grow(load).is_err() {
            stress.tally.no_memory.add();
        }
        let after = stress.table.size(&ReadLock::new());
        if after != before {
            stress.tally.grown.add();
        }
        // Next time it is to be sparser.
        let sparser = load.wrapping_sub(1).max(Self::SPARSEST);
        stress.load.store(sparser, Ordering::Relaxed);
        seq_print!(out, "size {after}\n");
    }
}

pub(crate) struct Flush;

impl Single for Flush {
    type State = Stress;
    const NAME: &'static CStr = c"table_stress_flush";

    fn show(stress: &Stress, out: &SeqFile) {
        let _turn = stress.turn.lock();
        stress.flushes.fetch_add(1, Ordering::AcqRel);
        stress.table.clear(|_| stress.tally.flushed.add());
        stress.flushes.fetch_add(1, Ordering::AcqRel);
        seq_print!(out, "flushed {}\n", stress.tally.flushed.get());
    }
}

pub(crate) struct Sums;

impl Single for Sums {
    type State = Stress;
    const NAME: &'static CStr = c"table_stress_sums";

    fn show(stress: &Stress, out: &SeqFile) {
        let tally = &stress.tally;
        let sums = [
            ("made", &tally.made),
            ("removed", &tally.removed),
            ("refused", &tally.refused),
            ("expired", &tally.expired),
            ("flushed", &tally.flushed),
            ("dropped", &tally.dropped),
            ("looked", &tally.looked),
            ("grown", &tally.grown),
            ("no_memory", &tally.no_memory),
            ("lost", &tally.lost),
            ("doubled", &tally.doubled),
            ("ghosts", &tally.ghosts),
            ("overdue", &tally.overdue),
            ("usurped", &tally.usurped),
        ];
        for (name, count) in sums {
            seq_print!(out, "{name} {}\n", count.get());
        }
        seq_print!(out, "left {}\n", stress.table.len());
    }
}
