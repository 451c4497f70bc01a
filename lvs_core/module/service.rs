// SPDX-License-Identifier: GPL-2.0

//! A virtual service: what clients talk to.

use crate::{dests::Dest, locals::Pool, stats::Stats};
use core::{
    net::{Ipv4Addr, Ipv6Addr},
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};
use kernel::{prelude::*, static_lock_class, sync::Arc};
use lvs_engine::{
    config::ConfigError,
    conn::Method,
    dest::{self, DestConfig, LocalAddresses, Thresholds},
    laddr,
    sched::{self, Candidates, Preference, Request, Scheduler},
    service::{ServiceConfig, ServiceKey},
    tunnel::Tunnel,
};
use lvs_kapi::{
    gfp::Gfp,
    lock::SpinLockBh,
    module::Reference,
    random,
    rcu::{self, ReadLock},
    vec::Vec,
};
use lvs_wire::addr::{AnyAddr, AnyEndpoint, Family};

/// A virtual service. It holds the module, so that it is not unloaded with
/// services configured.
pub(crate) struct Service {
    /// What names it.
    pub(crate) key: ServiceKey,
    config: SpinLockBh<ServiceConfig>,
    cursor: AtomicU64,
    dests: rcu::Cell<Backends>,
    /// In place of a destination for what is let pass, of a service by mark.
    pub(crate) bypass: Option<Arc<Dest>>,
    /// Its local addresses; they belong to its key and outlive it.
    pub(crate) pool: Arc<Pool>,
    masq_only: AtomicBool,
    pub(crate) stats: Arc<Stats>,
    /// Grows with every service made: the place in listings.
    pub(crate) serial: u64,
    _module: Reference,
}

/// The destinations of a service, and what its scheduler made of them.
struct Backends {
    /// Oldest first.
    dests: Vec<Arc<Dest>>,
    /// Where the scheduler looks a client up, if it does.
    table: Option<Vec<u16>>,
}

/// Memory for all that publishing a list of destinations takes. Whoever changes
/// something has this first, so that a change is made whole or not begun.
pub(crate) struct Draft {
    backends: rcu::Boxed<Backends>,
    scratch: Vec<Preference>,
    scheduler: Scheduler,
}

impl Draft {
    /// May sleep.
    fn new(dests: Vec<Arc<Dest>>, scheduler: Scheduler) -> Result<Self, ConfigError> {
        let (table, scratch) = match scheduler.table_len() {
            None => (None, Vec::new()),
            Some(len) => (
                Some(filled(sched::FREE, len)?),
                filled(Preference::default(), dests.len())?,
            ),
        };
        let backends = rcu::Boxed::new(Backends { dests, table }, Gfp::Kernel)
            .map_err(|_| ConfigError::NoMemory)?;
        Ok(Self {
            backends,
            scratch,
            scheduler,
        })
    }
}

fn filled<T: Copy>(value: T, len: usize) -> Result<Vec<T>, ConfigError> {
    let no_memory = |_| ConfigError::NoMemory;
    let mut list = Vec::with_capacity(len, Gfp::Kernel).map_err(no_memory)?;
    for _ in 0..len {
        list.push(value, Gfp::Kernel).map_err(no_memory)?;
    }
    Ok(list)
}

/// The destinations of a service as the schedulers see them.
struct Choice<'a>(&'a [Arc<Dest>]);

impl Candidates for Choice<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn weight(&self, index: usize) -> u32 {
        self.0.get(index).map_or(0, |dest| dest.weight())
    }

    fn last_weight(&self, index: usize) -> u32 {
        self.0.get(index).map_or(0, |dest| dest.last_weight())
    }

    fn endpoint(&self, index: usize) -> Option<AnyEndpoint> {
        self.0.get(index).map(|dest| dest.real)
    }

    fn is_overloaded(&self, index: usize) -> bool {
        self.0.get(index).is_some_and(|dest| dest.is_overloaded())
    }

    fn conns(&self, index: usize) -> (u32, u32) {
        self.0.get(index).map_or((0, 0), |dest| dest.conns())
    }
}

impl Service {
    /// Without destinations as yet. May sleep.
    ///
    /// # Errors
    ///
    /// The module is going away; no memory.
    pub(crate) fn new(
        key: ServiceKey,
        config: ServiceConfig,
        pool: Arc<Pool>,
        serial: u64,
        stats: Arc<Stats>,
    ) -> Result<Self, ConfigError> {
        let module = Reference::take().ok_or(ConfigError::GoingAway)?;
        Ok(Self {
            key,
            config: SpinLockBh::new(config, c"lvs_service", static_lock_class!()),
            cursor: AtomicU64::new(random::u64()),
            dests: rcu::Cell::empty(),
            bypass: match key {
                ServiceKey::Fwmark { family, .. } => Some(bypass(family, &stats)?),
                ServiceKey::Address { .. } => None,
            },
            pool,
            masq_only: AtomicBool::new(false),
            stats,
            serial,
            _module: module,
        })
    }

    /// Changes what it is set to. Any context.
    pub(crate) fn change(&self, config: ServiceConfig) {
        *self.config.lock() = config;
    }

    pub(crate) fn config(&self) -> ServiceConfig {
        *self.config.lock()
    }

    /// The destinations, oldest first. Any context.
    pub(crate) fn dests<'r>(&'r self, rcu: &'r ReadLock) -> &'r [Arc<Dest>] {
        self.dests.read(rcu).map_or(&[], |all| &all.dests)
    }

    /// Who gets the next connection, which `client` opens to `virt`. Any context.
    pub(crate) fn schedule<'r>(
        &'r self,
        rcu: &'r ReadLock,
        client: AnyEndpoint,
        virt: AnyAddr,
    ) -> Option<&'r Arc<Dest>> {
        let Backends { dests, table } = self.dests.read(rcu)?;
        let config = self.config();
        let request = Request {
            client,
            virt,
            flags: config.flags,
        };
        loop {
            let cursor = self.cursor.load(Relaxed);
            let pick = config
                .scheduler
                .pick(cursor, &request, &Choice(dests), table.as_deref())?;
            // Schedulers that hash leave it alone, and then nothing shared is written.
            if pick.cursor == cursor {
                return dests.get(pick.index);
            }
            let taken = self
                .cursor
                .compare_exchange(cursor, pick.cursor, Relaxed, Relaxed);
            if taken.is_ok() {
                return dests.get(pick.index);
            }
        }
    }

    /// Whether its destinations stay with NAT though there are local
    /// addresses.
    pub(crate) fn is_masq_only(&self) -> bool {
        self.masq_only.load(Relaxed)
    }

    pub(crate) fn set_masq_only(&self, masq_only: bool) {
        self.masq_only.store(masq_only, Relaxed);
    }

    /// The pool that its connections to servers of a family take local
    /// addresses from.
    pub(crate) fn pool<'r>(
        &'r self,
        family: Family,
        default: &'r Pool,
        rcu: &'r ReadLock,
    ) -> Option<&'r Pool> {
        let (own, other) = (self.pool.count(family, rcu), default.count(family, rcu));
        Some(match laddr::pool(own, other)? {
            laddr::Pool::Service => &self.pool,
            laddr::Pool::Default => default,
        })
    }

    /// How packets reach a destination from now on.
    pub(crate) fn method(&self, dest: &Dest, default: &Pool, rcu: &ReadLock) -> Method {
        let family = Family::of(&dest.real.addr);
        let pool = LocalAddresses {
            some: self.pool(family, default, rcu).is_some(),
            unwanted: self.is_masq_only(),
        };
        dest::in_effect(dest.configured(), pool, family != self.key.family())
    }

    /// The destinations, newest first as stock lists them: those behind number
    /// `last`, or all with 0. Any context.
    ///
    /// Each that stays is met once, whatever is added and removed meanwhile,
    /// if the caller keeps the lowest number that it has met.
    pub(crate) fn dests_behind<'r>(
        &'r self,
        last: u64,
        rcu: &'r ReadLock,
    ) -> impl Iterator<Item = &'r Arc<Dest>> + 'r {
        let all = self.dests(rcu).iter().rev();
        all.filter(move |dest| last == 0 || dest.serial() < last)
    }

    /// The destination at an address. Any context.
    pub(crate) fn find_dest(&self, real: AnyEndpoint) -> Option<Arc<Dest>> {
        let rcu = ReadLock::new();
        self.dests(&rcu)
            .iter()
            .find(|dest| dest.real == real)
            .cloned()
    }

    /// A copy of the list with room for one more.
    pub(crate) fn copy_dests(&self) -> Result<Vec<Arc<Dest>>, ConfigError> {
        copy(&self.dests, |all| &all.dests)
    }

    /// Prepares `dests` to be the destinations. May sleep.
    pub(crate) fn draft(&self, dests: Vec<Arc<Dest>>) -> Result<Draft, ConfigError> {
        Draft::new(dests, self.config().scheduler)
    }

    /// Prepares to let `scheduler` see what of the destinations, or of itself,
    /// is about to change. May sleep; one writer at a time.
    pub(crate) fn redraft(&self, scheduler: Scheduler) -> Result<Draft, ConfigError> {
        Draft::new(self.copy_dests()?, scheduler)
    }

    /// Makes what was prepared the destinations, as they are set to now. One
    /// writer at a time.
    pub(crate) fn publish(&self, draft: Draft) {
        let Draft {
            mut backends,
            mut scratch,
            scheduler,
        } = draft;
        let Backends { dests, table } = &mut *backends;
        if let Some(table) = table {
            scheduler.fill(&Choice(dests), table, &mut scratch);
        }
        self.dests.replace(Some(backends));
    }
}

/// What stands for the way that packets take when they are let pass. May sleep.
fn bypass(family: Family, stats: &Arc<Stats>) -> Result<Arc<Dest>, ConfigError> {
    let config = DestConfig {
        method: Method::Bypass,
        weight: 0,
        thresholds: Thresholds::default(),
        tunnel: Tunnel::default(),
    };
    let addr = match family {
        Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
        Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
    };
    let real = AnyEndpoint::new(addr, 0);
    Dest::new(real, config, stats.clone()).map_err(|_| ConfigError::NoMemory)
}

/// A copy of a published list, with room for one more. The caller is the only
/// writer.
pub(crate) fn copy<P: Send + Sync, T>(
    cell: &rcu::Cell<P>,
    list: impl Fn(&P) -> &Vec<Arc<T>>,
) -> Result<Vec<Arc<T>>, ConfigError> {
    // Memory first: a read section must not sleep.
    let len = cell.read(&ReadLock::new()).map_or(0, |all| list(all).len());
    let mut copy = Vec::with_capacity(len.saturating_add(1), Gfp::Kernel)
        .map_err(|_| ConfigError::NoMemory)?;
    let rcu = ReadLock::new();
    for item in cell.read(&rcu).map_or(&[][..], |all| list(all)) {
        copy.push_within(item.clone())
            .map_err(|_| ConfigError::NoMemory)?;
    }
    Ok(copy)
}

/// On the heap, counted. May sleep.
pub(crate) fn shared<T>(value: T) -> Result<Arc<T>, ConfigError> {
    Arc::new(value, GFP_KERNEL).map_err(|_| ConfigError::NoMemory)
}
