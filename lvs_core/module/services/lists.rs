// SPDX-License-Identifier: GPL-2.0

//! What is written of services: one writer at a time has it.

use super::generation::Generation;
use crate::{
    dests::Dest,
    locals::Pool,
    service::{shared, Service},
    stats::Stats,
};
use kernel::sync::Arc;
use lvs_engine::{config::ConfigError, service::ServiceKey};
use lvs_kapi::{gfp::Gfp, random, rcu::ReadLock, vec::Vec};
use lvs_wire::addr::{AnyEndpoint, Family};

/// What the mutex guards: all that is written, in the order of listings.
pub(super) struct Lists {
    /// What packets find.
    pub(super) generation: Arc<Generation>,
    pub(super) services: Vec<Arc<Service>>,
    /// The pools of services' keys, also of services that are not there.
    pub(super) pools: Vec<(ServiceKey, Arc<Pool>)>,
    /// Destinations that were removed and still have connections: added
    /// again, they get them back.
    pub(super) removed: Vec<(ServiceKey, Arc<Dest>)>,
    serial: u64,
}

impl Lists {
    /// Nothing yet; `generation` has no services.
    pub(super) fn new(generation: Arc<Generation>) -> Self {
        Self {
            generation,
            services: Vec::new(),
            pools: Vec::new(),
            removed: Vec::new(),
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

    /// The pool that belongs to a key, if there is one.
    pub(super) fn known_pool(&self, key: ServiceKey) -> Option<Arc<Pool>> {
        if let Some(service) = self.generation.find(key) {
            return Some(service.pool.clone());
        }
        let found = self.pools.iter().find(|(known, _)| *known == key);
        found.map(|(_, pool)| pool.clone())
    }

    /// The pool that belongs to a key. If what it is for fails, it is to be
    /// forgotten ([`Lists::forget_idle`]).
    pub(super) fn pool(&mut self, key: ServiceKey) -> Result<Arc<Pool>, ConfigError> {
        if let Some(pool) = self.known_pool(key) {
            return Ok(pool);
        }
        let pool = shared(Pool::new(random::u32(), self.next_serial()))?;
        self.pools
            .push((key, pool.clone()), Gfp::Kernel)
            .map_err(|_| ConfigError::NoMemory)?;
        Ok(pool)
    }

    /// Forgets the pool of a key that has neither addresses nor a service. May
    /// sleep.
    pub(super) fn forget_idle(&mut self, key: ServiceKey) {
        if self.services.iter().any(|service| service.key == key) {
            return;
        }
        self.pools.retain(|(known, pool)| {
            if *known != key {
                return true;
            }
            pool.tidy();
            !pool.is_idle(&ReadLock::new())
        });
    }

    /// The counters of a service that is made: those of its removed
    /// destinations, if they may come back, from zero.
    pub(super) fn stats(&self, key: ServiceKey) -> Result<Arc<Stats>, ConfigError> {
        let former = self.removed.iter().find(|(known, _)| *known == key);
        if let Some((_, dest)) = former {
            dest.service_stats.clear();
            return Ok(dest.service_stats.clone());
        }
        shared(Stats::new().map_err(|_| ConfigError::NoMemory)?)
    }

    /// A destination is removed from its service.
    pub(super) fn retire(&mut self, key: ServiceKey, dest: &Arc<Dest>) {
        dest.set_available(false);
        // The route holds a device.
        dest.forget_route();
        // No memory to remember it: added again, it is a new one.
        let _ = self.removed.push((key, dest.clone()), Gfp::Atomic);
    }

    /// A service is removed, and its destinations with it.
    pub(super) fn retire_all(&mut self, service: &Service) {
        let rcu = ReadLock::new();
        for dest in service.dests(&rcu) {
            self.retire(service.key, dest);
        }
    }

    /// A service made way for another set: its destinations are removed, but
    /// for those that serve it there.
    pub(super) fn retire_but_heirs(&mut self, service: &Service) {
        let heir = self.generation.find(service.key);
        let rcu = ReadLock::new();
        for dest in service.dests(&rcu) {
            let stays = heir.as_ref().and_then(|heir| heir.find_dest(dest.real));
            if !stays.is_some_and(|stays| Arc::ptr_eq(&stays, dest)) {
                self.retire(service.key, dest);
            }
        }
    }

    /// The destination, if it was removed and still has connections.
    pub(super) fn removed(&self, key: ServiceKey, real: AnyEndpoint) -> Option<Arc<Dest>> {
        let is_it = |(known, dest): &&(ServiceKey, Arc<Dest>)| *known == key && dest.real == real;
        self.removed
            .iter()
            .find(is_it)
            .map(|(_, dest)| dest.clone())
    }

    /// It is no removed one any more.
    pub(super) fn revive(&mut self, dest: &Arc<Dest>) {
        let place = self
            .removed
            .iter()
            .position(|(_, removed)| Arc::ptr_eq(removed, dest));
        if let Some(place) = place {
            self.removed.swap_remove(place);
        }
    }
}
