// SPDX-License-Identifier: GPL-2.0

//! table_stress.ko: the connection table under churn, on as many CPUs as there
//! are readers of its files. For `selftests/cases/table-stress.sh` alone.
//!
//! Every network namespace has a table of its own. Whoever reads a file in its
//! `/proc/net` does, in their own context, what the file is called after:
//!
//! ```text
//!   table_stress_churn    adds, looks up and removes
//!   table_stress_expire   moves the clock on by a tick and ends what is due
//!   table_stress_grow     makes the table grow
//!   table_stress_flush    takes everything out
//!   table_stress_sums     what has come of it
//! ```

#![deny(unsafe_code)]

mod churn;
mod files;
mod pair;
mod tally;

use core::sync::atomic::{AtomicI32, AtomicU32};
use kernel::{prelude::*, static_lock_class, sync::Arc};
use lvs_kapi::{
    gfp::Gfp,
    lock::Mutex,
    module::Parts,
    net::Net,
    netns::{self, Attachments, NetState, Pernet},
    rcu::{self, ReadLock},
};
use lvs_table::{Cache, Table};
use pair::Pair;
use tally::Tally;

module! {
    type: TableStress,
    name: "table_stress",
    authors: ["The LVS authors"],
    description: "Churn for the connection table of lvs.ko",
    license: "GPL",
}

/// A table as small as it can be: it has room to grow.
const BITS: u32 = 8;

static STRESS: Pernet<Stress> = Pernet::new();
static CACHE: rcu::Cell<Arc<Cache<Pair>>> = rcu::Cell::empty();

/// The table of one namespace, and what is done with it.
struct Stress {
    table: Table<Pair>,
    tally: Arc<Tally>,
    /// One at a time ends or takes out what is there.
    turn: Mutex<()>,
    /// The clock.
    tick: AtomicU32,
    /// The last tick of which all that was due has ended.
    turned: AtomicU32,
    /// Moves on when a flush begins and when it has ended: odd while one runs.
    flushes: AtomicU32,
    /// How many have churned: each has keys of its own.
    owners: AtomicU32,
    /// How full the table may be the next time that it is to grow.
    load: AtomicI32,
}

impl NetState for Stress {
    fn new(_net: &Net) -> Result<Arc<Self>> {
        let cache = CACHE.read(&ReadLock::new()).cloned().ok_or(ENODEV)?;
        let stress = Self {
            table: Table::new(BITS, 0, cache).map_err(|_| ENOMEM)?,
            tally: Arc::new(Tally::default(), GFP_KERNEL)?,
            turn: Mutex::new((), c"table_stress_turn", static_lock_class!())?,
            tick: AtomicU32::new(0),
            turned: AtomicU32::new(0),
            flushes: AtomicU32::new(0),
            owners: AtomicU32::new(0),
            load: AtomicI32::new(0),
        };
        Ok(Arc::new(stress, GFP_KERNEL)?)
    }

    fn attach(state: &Arc<Self>, at: &mut Attachments<'_>) -> Result {
        at.single::<files::Churn>(state)?;
        at.single::<files::Expire>(state)?;
        at.single::<files::Grow>(state)?;
        at.single::<files::Flush>(state)?;
        at.single::<files::Sums>(state)
    }
}

/// Where all pairs come from: when it goes, none may be left.
struct Pairs(#[expect(dead_code, reason = "held for its drop")] Arc<Cache<Pair>>);

impl Pairs {
    fn new() -> Result<Self> {
        let cache = Arc::new(Cache::new(c"table_stress")?, GFP_KERNEL)?;
        CACHE.replace(Some(rcu::Boxed::new(cache.clone(), Gfp::Kernel)?));
        Ok(Self(cache))
    }
}

impl Drop for Pairs {
    fn drop(&mut self) {
        CACHE.replace(None);
        // The last reference must be ours: destroying a slab cache sleeps.
        rcu::barrier();
    }
}

struct TableStress(#[expect(dead_code, reason = "held for its drop")] Parts<Standing>);

impl kernel::Module for TableStress {
    fn init(_: &'static ThisModule) -> Result<Self> {
        Parts::new(Standing::new).map(Self)
    }
}

/// Dropped from the top.
struct Standing {
    _namespaces: netns::Registration<Stress>,
    _pairs: Pairs,
}

impl Standing {
    fn new() -> Result<Self> {
        let pairs = Pairs::new()?;
        Ok(Self {
            _namespaces: STRESS.register()?,
            _pairs: pairs,
        })
    }
}
