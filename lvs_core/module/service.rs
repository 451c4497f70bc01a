// SPDX-License-Identifier: GPL-2.0

//! A virtual service: what clients talk to.

use crate::{dests::Dest, locals::Pool, order, stats::Stats};
use core::{
    net::{Ipv4Addr, Ipv6Addr},
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};
use kernel::{prelude::*, sync::Arc};
use lvs_engine::{
    config::ConfigError,
    conn::Method,
    dest::{self, DestConfig, LocalAddresses, Thresholds},
    laddr,
    sched::{self, Candidates, Preference, Request},
    service::{ServiceConfig, ServiceKey},
    tunnel::Tunnel,
};
use lvs_kapi::{
    gfp::Gfp,
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
    version: rcu::Always<Version>,
    cursor: AtomicU64,
    /// In place of a destination for what is let pass, of a service by mark.
    pub(crate) bypass: Option<Arc<Dest>>,
    /// Its local addresses; they belong to its key and outlive it.
    pub(crate) pool: Arc<Pool>,
    /// In use while its own has none.
    default_pool: Arc<Pool>,
    masq_only: AtomicBool,
    pub(crate) stats: Arc<Stats>,
    /// Grows with every service made: the place in listings.
    pub(crate) serial: u64,
    _module: Reference,
}

/// What a service is set to and who serves it, at one moment.
pub(crate) struct Version {
    pub(crate) config: ServiceConfig,
    /// Oldest first.
    candidates: Vec<Candidate>,
    /// Where the scheduler looks a client up, if it does.
    table: Option<Vec<u16>>,
}

/// A destination, as schedulers weigh it.
struct Candidate {
    dest: Arc<Dest>,
    weight: u32,
    /// The latest one above 0.
    last_weight: u32,
}

impl Candidate {
    fn weigh(&mut self, weight: u32) {
        self.weight = weight;
        if weight > 0 {
            self.last_weight = weight;
        }
    }
}

/// A version in the making. Whoever changes something finishes it first, which
/// takes all memory, so that a change is made whole or not begun.
pub(crate) struct Draft {
    pub(crate) config: ServiceConfig,
    candidates: Vec<Candidate>,
}

impl Draft {
    /// Without destinations.
    pub(crate) fn new(config: ServiceConfig) -> Self {
        Self {
            config,
            candidates: Vec::new(),
        }
    }

    /// Whether there is a destination at an address.
    pub(crate) fn has(&self, real: AnyEndpoint) -> bool {
        self.candidates.iter().any(|one| one.dest.real == real)
    }

    /// Adds a destination, in its place by its serial number. May sleep.
    pub(crate) fn add(&mut self, dest: Arc<Dest>, weight: u32) -> Result<(), ConfigError> {
        let mut candidate = Candidate {
            weight,
            last_weight: dest.last_weight(),
            dest,
        };
        candidate.weigh(weight);
        order::insert(&mut self.candidates, candidate, |one| one.dest.serial())
    }

    /// Gives the destination at an address another weight.
    pub(crate) fn weigh(&mut self, real: AnyEndpoint, weight: u32) {
        let mut candidates = self.candidates.iter_mut();
        if let Some(candidate) = candidates.find(|one| one.dest.real == real) {
            candidate.weigh(weight);
        }
    }

    /// Takes out the destination at an address.
    pub(crate) fn remove(&mut self, real: AnyEndpoint) {
        self.candidates.retain(|one| one.dest.real != real);
    }

    /// The version, to be published; what is left has no destinations. May
    /// sleep.
    pub(crate) fn finish(&mut self) -> Result<rcu::Boxed<Version>, ConfigError> {
        let config = self.config;
        let candidates = core::mem::replace(&mut self.candidates, Vec::new());
        let table = match config.scheduler.table_len() {
            None => None,
            Some(len) => {
                let mut table = filled(sched::FREE, len)?;
                let mut scratch = filled(Preference::default(), candidates.len())?;
                let choice = Choice(&candidates);
                config.scheduler.fill(&choice, &mut table, &mut scratch);
                Some(table)
            }
        };
        let version = Version {
            config,
            candidates,
            table,
        };
        rcu::Boxed::new(version, Gfp::Kernel).map_err(|_| ConfigError::NoMemory)
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
struct Choice<'a>(&'a [Candidate]);

impl Candidates for Choice<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn weight(&self, index: usize) -> u32 {
        self.0.get(index).map_or(0, |one| one.weight)
    }

    fn last_weight(&self, index: usize) -> u32 {
        self.0.get(index).map_or(0, |one| one.last_weight)
    }

    fn endpoint(&self, index: usize) -> Option<AnyEndpoint> {
        self.0.get(index).map(|one| one.dest.real)
    }

    fn is_overloaded(&self, index: usize) -> bool {
        self.0
            .get(index)
            .is_some_and(|one| one.dest.is_overloaded())
    }

    fn conns(&self, index: usize) -> (u32, u32) {
        self.0.get(index).map_or((0, 0), |one| one.dest.conns())
    }
}

/// What a service is known by besides its key, also in another generation.
pub(crate) struct Lineage {
    serial: u64,
    stats: Arc<Stats>,
    bypass: Option<Arc<Dest>>,
    cursor: u64,
}

impl Lineage {
    /// Of a service that there was not before. May sleep.
    pub(crate) fn new(
        key: ServiceKey,
        serial: u64,
        stats: Arc<Stats>,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            serial,
            bypass: match key {
                ServiceKey::Fwmark { family, .. } => Some(bypass(family, &stats)?),
                ServiceKey::Address { .. } => None,
            },
            stats,
            cursor: random::u64(),
        })
    }

    /// Of one that is to go on.
    pub(crate) fn of(service: &Service) -> Self {
        Self {
            serial: service.serial,
            stats: service.stats.clone(),
            bypass: service.bypass.clone(),
            cursor: service.cursor.load(Relaxed),
        }
    }
}

/// The pools that a service takes local addresses from.
pub(crate) struct Pools {
    pub(crate) own: Arc<Pool>,
    pub(crate) default: Arc<Pool>,
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
        masq_only: bool,
        pools: Pools,
        lineage: Lineage,
    ) -> Result<Arc<Self>, ConfigError> {
        let module = Reference::take().ok_or(ConfigError::GoingAway)?;
        shared(Self {
            key,
            version: rcu::Always::new(Draft::new(config).finish()?),
            cursor: AtomicU64::new(lineage.cursor),
            bypass: lineage.bypass,
            pool: pools.own,
            default_pool: pools.default,
            masq_only: AtomicBool::new(masq_only),
            stats: lineage.stats,
            serial: lineage.serial,
            _module: module,
        })
    }

    /// What packets see of it. Any context.
    #[inline]
    pub(crate) fn version<'r>(&'r self, rcu: &'r ReadLock) -> &'r Version {
        self.version.read(rcu)
    }

    /// What it is set to. Any context.
    pub(crate) fn config(&self) -> ServiceConfig {
        self.version(&ReadLock::new()).config
    }

    /// The destinations, oldest first. Any context.
    pub(crate) fn dests<'r>(
        &'r self,
        rcu: &'r ReadLock,
    ) -> impl DoubleEndedIterator<Item = &'r Arc<Dest>> + 'r {
        self.version(rcu).candidates.iter().map(|one| &one.dest)
    }

    /// Whether packets of that family are of interest to it. Any context.
    pub(crate) fn is_about(&self, family: Family, rcu: &ReadLock) -> bool {
        let is_of = |dest: &Arc<Dest>| Family::of(&dest.real.addr) == family;
        self.key.family() == family || self.dests(rcu).any(is_of)
    }

    /// Who gets the next connection, which `client` opens to `virt`, of those
    /// of a version of this service. Any context.
    pub(crate) fn schedule<'r>(
        &self,
        version: &'r Version,
        client: AnyEndpoint,
        virt: AnyAddr,
    ) -> Option<&'r Arc<Dest>> {
        let Version {
            config,
            candidates,
            table,
        } = version;
        let request = Request {
            client,
            virt,
            flags: config.flags,
        };
        let dest = |index| candidates.get(index).map(|one: &Candidate| &one.dest);
        loop {
            let cursor = self.cursor.load(Relaxed);
            let pick =
                config
                    .scheduler
                    .pick(cursor, &request, &Choice(candidates), table.as_deref())?;
            // Schedulers that hash leave it alone, and then nothing shared is written.
            if pick.cursor == cursor {
                return dest(pick.index);
            }
            let taken = self
                .cursor
                .compare_exchange(cursor, pick.cursor, Relaxed, Relaxed);
            if taken.is_ok() {
                return dest(pick.index);
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
    pub(crate) fn pool<'r>(&'r self, family: Family, rcu: &'r ReadLock) -> Option<&'r Pool> {
        let (own, default) = (&self.pool, &self.default_pool);
        let pool = laddr::pool(own.count(family, rcu), default.count(family, rcu));
        Some(match pool? {
            laddr::Pool::Service => own,
            laddr::Pool::Default => default,
        })
    }

    /// How packets reach a destination from now on.
    pub(crate) fn method(&self, dest: &Dest, rcu: &ReadLock) -> Method {
        let family = Family::of(&dest.real.addr);
        let pool = LocalAddresses {
            some: self.pool(family, rcu).is_some(),
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
        let all = self.dests(rcu).rev();
        all.filter(move |dest| last == 0 || dest.serial() < last)
    }

    /// The destination at an address. Any context.
    pub(crate) fn find_dest(&self, real: AnyEndpoint) -> Option<Arc<Dest>> {
        let rcu = ReadLock::new();
        let mut dests = self.dests(&rcu);
        dests.find(|dest| dest.real == real).cloned()
    }

    /// What it is now, to be changed. May sleep; one writer at a time.
    pub(crate) fn draft(&self) -> Result<Draft, ConfigError> {
        // Memory first: a read section must not sleep.
        let len = self.version(&ReadLock::new()).candidates.len();
        let mut candidates =
            Vec::with_capacity(len, Gfp::Kernel).map_err(|_| ConfigError::NoMemory)?;
        let rcu = ReadLock::new();
        let version = self.version(&rcu);
        for Candidate {
            dest,
            weight,
            last_weight,
        } in version.candidates.iter()
        {
            let candidate = Candidate {
                dest: dest.clone(),
                weight: *weight,
                last_weight: *last_weight,
            };
            candidates
                .push_within(candidate)
                .map_err(|_| ConfigError::NoMemory)?;
        }
        Ok(Draft {
            config: version.config,
            candidates,
        })
    }

    /// Lets packets see another version. One writer at a time.
    pub(crate) fn publish(&self, version: rcu::Boxed<Version>) {
        self.version.replace(version);
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

/// On the heap, counted. May sleep.
pub(crate) fn shared<T>(value: T) -> Result<Arc<T>, ConfigError> {
    Arc::new(value, GFP_KERNEL).map_err(|_| ConfigError::NoMemory)
}
