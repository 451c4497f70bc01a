// SPDX-License-Identifier: GPL-2.0

//! A virtual service: what clients talk to.

use crate::{
    dests::Dest,
    locals::Pool,
    stats::Stats,
    version::{Backend, Draft, Version},
};
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

/// What a service is known by besides its key, also in another generation.
#[derive(Clone)]
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

    /// The counters.
    pub(crate) fn stats(&self) -> &Arc<Stats> {
        &self.stats
    }
}

/// The pools that a service takes local addresses from.
pub(crate) struct PoolPair {
    pub(crate) own: Arc<Pool>,
    pub(crate) default: Arc<Pool>,
}

impl Service {
    /// May sleep.
    ///
    /// # Errors
    ///
    /// The module is going away; no memory.
    pub(crate) fn new(
        key: ServiceKey,
        version: rcu::Boxed<Version>,
        masq_only: bool,
        pools: PoolPair,
        lineage: Lineage,
    ) -> Result<Arc<Self>, ConfigError> {
        let module = Reference::take().ok_or(ConfigError::GoingAway)?;
        shared(Self {
            key,
            version: rcu::Always::new(version),
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

    /// A destination by its place. Any context.
    pub(crate) fn dest_at(&self, index: usize) -> Option<Arc<Dest>> {
        let rcu = ReadLock::new();
        let backend = self.version(&rcu).backends().get(index)?;
        Some(backend.dest.clone())
    }

    /// Whether packets of that family are of interest to it. Any context.
    pub(crate) fn is_about(&self, family: Family, rcu: &ReadLock) -> bool {
        let is_of = |one: &Backend| Family::of(&one.dest.real.addr) == family;
        self.key.family() == family || self.version(rcu).backends().iter().any(is_of)
    }

    /// Who gets the next connection, which `client` opens to `virt`, of those
    /// of a version of this service. Any context.
    pub(crate) fn schedule<'r>(
        &self,
        version: &'r Version,
        client: AnyEndpoint,
        virt: AnyAddr,
    ) -> Option<&'r Backend> {
        loop {
            let cursor = self.cursor.load(Relaxed);
            let (backend, next) = version.pick(cursor, client, virt)?;
            // Schedulers that hash leave it alone, and then nothing shared is written.
            if next == cursor {
                return Some(backend);
            }
            let taken = self.cursor.compare_exchange(cursor, next, Relaxed, Relaxed);
            if taken.is_ok() {
                return Some(backend);
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
    pub(crate) fn method(&self, backend: &Backend, rcu: &ReadLock) -> Method {
        let family = Family::of(&backend.dest.real.addr);
        let pool = LocalAddresses {
            some: self.pool(family, rcu).is_some(),
            unwanted: self.is_masq_only(),
        };
        let mixed = family != self.key.family();
        dest::in_effect(backend.config.method, pool, mixed)
    }

    /// What it is now, to be changed. May sleep; one writer at a time.
    pub(crate) fn draft(&self) -> Result<Draft, ConfigError> {
        // Memory first: a read section must not sleep.
        let len = self.version(&ReadLock::new()).backends().len();
        let mut draft = Draft::with_room(self.config(), len)?;
        draft.copy(self.version(&ReadLock::new()))?;
        Ok(draft)
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

/// Adds an item at the end. May sleep.
pub(crate) fn push<T>(list: &mut Vec<T>, item: T) -> Result<(), ConfigError> {
    list.push(item, Gfp::Kernel)
        .map_err(|_| ConfigError::NoMemory)
}

/// On the heap, counted. May sleep.
pub(crate) fn shared<T>(value: T) -> Result<Arc<T>, ConfigError> {
    Arc::new(value, GFP_KERNEL).map_err(|_| ConfigError::NoMemory)
}
