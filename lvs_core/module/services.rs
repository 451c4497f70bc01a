// SPDX-License-Identifier: GPL-2.0

//! The store that has all of a namespace's services.

mod addresses;
mod dests;
mod generation;
mod lists;
mod made;
mod noted;
mod pools;
mod removed;
mod replace;

pub(crate) use replace::Next;

use crate::{
    locals::Pool,
    service::{shared, Lineage, PoolPair, Service},
    version::Draft,
};
use addresses::{Addresses, Sorted};
use generation::{Generation, Sketch};
use kernel::{prelude::*, static_lock_class, sync::Arc};
use lists::Lists;
use lvs_engine::{
    config::ConfigError,
    service::{ServiceConfig, ServiceKey, ServiceRequest},
};
use lvs_kapi::{
    gfp::Gfp,
    lock::Mutex,
    random,
    rcu::{self, ReadLock},
    vec::Vec,
};
use lvs_wire::addr::{AnyEndpoint, Family};

/// All services of a namespace.
pub(crate) struct Services {
    lists: Mutex<Lists>,
    /// What packets find.
    generation: rcu::Always<Arc<Generation>>,
    /// Every address that a connection may have as its local one.
    locals: Addresses,
    /// Every address that there was a service at.
    virtuals: Addresses,
    /// Every server that there was a tunnel to.
    tunnels: Addresses,
    /// Every server that there was NAT to.
    nat_servers: Sorted<AnyEndpoint>,
}

impl Services {
    /// May sleep.
    pub(crate) fn new() -> Result<Self> {
        let no_memory = |_| ENOMEM;
        let pool = Arc::new(Pool::new(random::u32(), 0), GFP_KERNEL)?;
        let sketch = Sketch::<Arc<Service>>::new().map_err(no_memory)?;
        let generation = Generation::of(&sketch, |one| Some(one), pool).map_err(no_memory)?;
        let generation = shared(generation).map_err(no_memory)?;
        let published = rcu::Boxed::new(generation.clone(), Gfp::Kernel)?;
        Ok(Self {
            lists: Mutex::new(
                Lists::new(generation),
                c"lvs_services",
                static_lock_class!(),
            )?,
            generation: rcu::Always::new(published),
            locals: Addresses::new(),
            virtuals: Addresses::new(),
            tunnels: Addresses::new(),
            nat_servers: Sorted::new(),
        })
    }

    /// The services now. What asks for several asks one generation. Any
    /// context.
    pub(crate) fn generation<'r>(&'r self, rcu: &'r ReadLock) -> &'r Generation {
        self.generation.read(rcu)
    }

    /// The service that a key names. Any context.
    pub(crate) fn find(&self, key: ServiceKey) -> Option<Arc<Service>> {
        let rcu = ReadLock::new();
        self.generation(&rcu).at(&rcu, key).cloned()
    }

    fn known(&self, key: ServiceKey) -> Result<Arc<Service>, ConfigError> {
        self.find(key).ok_or(ConfigError::ServiceUnknown)
    }

    /// Forgets the ways to all servers. Any context: it is also asked for with
    /// locks held that must not be waited for with ours.
    pub(crate) fn forget_routes(&self, rcu: &ReadLock) {
        for service in self.generation(rcu).iter(rcu) {
            for backend in service.version(rcu).backends() {
                backend.dest.forget_route();
            }
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.lists.lock().services.len()
    }

    /// How many chains the table of services has.
    pub(crate) fn size(&self) -> usize {
        self.generation(&ReadLock::new()).size()
    }

    /// Calls `each` with the length of every chain of that table.
    pub(crate) fn for_each_chain(&self, each: impl FnMut(usize)) {
        self.lists.lock().generation.for_each_chain(each);
    }

    /// How many addresses the default pool has.
    pub(crate) fn default_locals(&self) -> usize {
        let rcu = ReadLock::new();
        self.generation(&rcu).default_pool.members(&rcu).len()
    }

    /// Calls `each` with the services from serial number `from` on, in the
    /// order in which they were made, until it says no. `each` may sleep.
    pub(crate) fn for_each(&self, from: u64, mut each: impl FnMut(&Arc<Service>) -> bool) {
        let lists = self.lists.lock();
        for service in lists.services.iter().filter(|s| s.serial >= from) {
            if !each(service) {
                return;
            }
        }
    }

    /// Adds a service. `start` is called before it can be found, when it is
    /// its family's first one. May sleep.
    pub(crate) fn add(
        &self,
        request: &ServiceRequest<'_>,
        start: impl FnOnce(Family) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        let key = request.key()?;
        let mut lists = self.lists.lock();
        let config = request.add(key, self.find(key).is_some())?;
        self.claim(&lists, key)?;
        let added = self.add_checked(&mut lists, key, config, start);
        if added.is_err() {
            lists.forget_idle(key);
        }
        added
    }

    fn add_checked(
        &self,
        lists: &mut Lists,
        key: ServiceKey,
        config: ServiceConfig,
        start: impl FnOnce(Family) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        let pools = PoolPair {
            own: lists.pool(key)?,
            default: lists.generation.default_pool.clone(),
        };
        let lineage = Lineage::new(key, lists.next_serial(), lists.stats(key)?)?;
        let version = Draft::with_room(config, 0)?.finish()?;
        let service = Service::new(key, version, false, pools, lineage)?;
        let family = key.family();
        if !lists.has_family(family) {
            start(family)?;
        }
        let no_memory = |_| ConfigError::NoMemory;
        lists.services.reserve(1, Gfp::Kernel).map_err(no_memory)?;
        lists.generation.add(&service)?;
        // Those of a removed service may have come back.
        service.stats.clear();
        // There is room, so that nothing fails once it can be found.
        let _ = lists.services.push_within(service);
        Ok(())
    }

    /// Changes a service. May sleep.
    pub(crate) fn edit(&self, request: &ServiceRequest<'_>) -> Result<(), ConfigError> {
        let key = request.key()?;
        let _lists = self.lists.lock();
        let service = self.find(key);
        let current = service.as_ref().map(|service| service.config());
        let config = request.edit(key, current.as_ref())?;
        if let Some(service) = service {
            let mut draft = service.draft()?;
            draft.config = config;
            service.publish(draft.finish()?);
        }
        Ok(())
    }

    /// Removes a service; its connections and local addresses stay. May sleep.
    pub(crate) fn delete(&self, key: ServiceKey) -> Result<(), ConfigError> {
        let mut lists = self.lists.lock();
        let service = self.known(key)?;
        self.take_out(&mut lists, &service)
    }

    fn take_out(&self, lists: &mut Lists, service: &Arc<Service>) -> Result<(), ConfigError> {
        lists.generation.remove(service)?;
        lists.retire_all(service);
        lists.removed.sort();
        let place = lists
            .services
            .iter()
            .position(|s| s.serial == service.serial);
        if let Some(place) = place {
            lists.services.remove(place);
        }
        Ok(())
    }

    /// Removes all services, without need of memory. May sleep.
    pub(crate) fn flush(&self) {
        let mut lists = self.lists.lock();
        lists.generation.clear();
        let services = core::mem::replace(&mut lists.services, Vec::new());
        for service in services.iter() {
            lists.retire_all(service);
        }
        lists.removed.sort();
    }

    /// What `then` says of a family without a service, while none is added.
    /// May sleep.
    pub(crate) fn when_empty<R>(
        &self,
        family: Family,
        then: impl FnOnce() -> Option<R>,
    ) -> Option<R> {
        let lists = self.lists.lock();
        if lists.has_family(family) {
            None
        } else {
            then()
        }
    }

    /// Lets a service opt out of FULLNAT. May sleep.
    pub(crate) fn set_masq_only(
        &self,
        key: ServiceKey,
        masq_only: bool,
    ) -> Result<(), ConfigError> {
        // The service of the generation that stays.
        let _lists = self.lists.lock();
        self.known(key)?.set_masq_only(masq_only);
        Ok(())
    }

    /// Sets the counters of one service and its destinations to zero, or of
    /// all. May sleep.
    pub(crate) fn zero(&self, key: Option<ServiceKey>) -> Result<(), ConfigError> {
        let lists = self.lists.lock();
        let only = key.map(|key| self.known(key)).transpose()?;
        match key {
            None => {
                lists.generation.default_pool.zero();
                lists.pools.iter().for_each(|(_, pool)| pool.zero());
            }
            Some(_) => only.iter().for_each(|service| service.pool.zero()),
        }
        let rcu = ReadLock::new();
        for service in lists.services.iter() {
            if only
                .as_ref()
                .is_none_or(|only| only.serial == service.serial)
            {
                service.stats.clear();
                for backend in service.version(&rcu).backends() {
                    backend.dest.stats.clear();
                }
            }
        }
        Ok(())
    }

    /// Forgets removed destinations and addresses without connections, and
    /// pools without addresses that no service has. May sleep.
    pub(crate) fn tidy(&self) {
        let mut lists = self.lists.lock();
        lists
            .removed
            .retain(|dest| dest.conns() != (0, 0) || dest.persistent() != 0);
        lists.generation.default_pool.tidy();
        lists.pools.retain(|key, pool| {
            pool.tidy();
            !pool.is_idle(&ReadLock::new()) || self.find(key).is_some()
        });
    }
}
