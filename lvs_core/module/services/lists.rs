// SPDX-License-Identifier: GPL-2.0

//! What is written of services: one writer at a time has it.

use super::{generation::Generation, pools::Pools, removed::Removed};
use crate::{
    dests::Dest,
    locals::Pool,
    service::{shared, Service},
    stats::Stats,
};
use kernel::sync::Arc;
use lvs_engine::{config::ConfigError, service::ServiceKey};
use lvs_kapi::{random, rcu::ReadLock, vec::Vec};
use lvs_wire::addr::Family;

/// What the mutex guards: all that is written, in the order of listings.
pub(super) struct Lists {
    /// What packets find.
    pub(super) generation: Arc<Generation>,
    pub(super) services: Vec<Arc<Service>>,
    pub(super) pools: Pools,
    pub(super) removed: Removed,
    serial: u64,
}

impl Lists {
    /// Nothing yet; `generation` has no services.
    pub(super) fn new(generation: Arc<Generation>) -> Self {
        Self {
            generation,
            services: Vec::new(),
            pools: Pools::default(),
            removed: Removed::default(),
            serial: 0,
        }
    }

    /// What tells a listing that takes several calls how far it has got: the
    /// number of what is made next, from 1 on.
    pub(super) fn next_serial(&mut self) -> u64 {
        self.serial = self.serial.wrapping_add(1);
        self.serial
    }

    /// Whether packets of that family are of interest: there is a service of
    /// it, or one with servers of it.
    pub(super) fn has_family(&self, family: Family) -> bool {
        let rcu = ReadLock::new();
        let mut services = self.services.iter();
        services.any(|service| service.is_about(family, &rcu))
    }

    /// The pool that belongs to a key. If what it is for fails, it is to be
    /// forgotten ([`Lists::forget_idle`]).
    pub(super) fn pool(&mut self, key: ServiceKey) -> Result<Arc<Pool>, ConfigError> {
        if let Some(pool) = self.pools.find(key) {
            return Ok(pool.clone());
        }
        let pool = shared(Pool::new(random::u32(), self.next_serial()))?;
        self.pools.add(key, pool.clone())?;
        Ok(pool)
    }

    /// Forgets the pool of a key that has neither addresses nor a service. May
    /// sleep.
    pub(super) fn forget_idle(&mut self, key: ServiceKey) {
        if self.generation.find(key).is_some() {
            return;
        }
        self.pools.retain(|known, pool| {
            if known != key {
                return true;
            }
            pool.tidy();
            !pool.is_idle(&ReadLock::new())
        });
    }

    /// The counters of a service that is made: those of its removed
    /// destinations, if they may come back. To be cleared when it is there.
    pub(super) fn stats(&self, key: ServiceKey) -> Result<Arc<Stats>, ConfigError> {
        match self.removed.stats(key) {
            Some(former) => Ok(former.clone()),
            None => shared(Stats::new().map_err(|_| ConfigError::NoMemory)?),
        }
    }

    /// A service is removed, and its destinations with it. To be followed by
    /// [`Removed::sort`]. May sleep.
    pub(super) fn retire_all(&mut self, service: &Service) {
        let mut index = 0_usize;
        // A read section must not sleep.
        while let Some(dest) = service.dest_at(index) {
            retire(&dest);
            self.removed.push(service.key, &dest);
            index = index.saturating_add(1);
        }
    }
}

/// A destination serves its service no more.
pub(super) fn retire(dest: &Dest) {
    dest.set_available(false);
    // The route holds a device.
    dest.forget_route();
}
