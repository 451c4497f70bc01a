// SPDX-License-Identifier: GPL-2.0

//! A whole set of services, destinations and local addresses in place of the
//! one that there is.
//!
//! ```text
//!   rules ──▶ Next: services, pools and versions that nobody knows yet, with
//!             the destinations and addresses that stay, and all memory
//!               │ one pointer
//!               ▼
//!   packets ──▶ generation ──▶ services ──▶ version, pools
//! ```
//!
//! What both sets have goes on as it is: its counters, connections, turn and
//! place in listings. What only the old one has ends as if it were removed.
//! Until the pointer is moved anything may fail, and nothing has changed.

use super::{
    addresses::announce,
    generation::{Generation, Sketch},
    lists::Lists,
    made::Made,
    noted::Noted,
    pools::Pools,
    Services, //
};
use crate::{
    locals::{Local, Pool},
    order,
    service::{push, shared, Lineage, Service},
};
use kernel::{prelude::*, sync::Arc};
use lvs_engine::{
    config::ConfigError,
    dest::DestRequest,
    laddr::LocalConfig,
    service::{ServiceKey, ServiceRequest},
};
use lvs_kapi::{
    gfp::Gfp,
    net::Net,
    random,
    rcu::{self, ReadLock},
    vec::Vec,
};
use lvs_wire::addr::Family;

/// A set in the making: rules are added in their order.
pub(crate) struct Next<'a> {
    services: &'a Services,
    /// The set that there is.
    lists: &'a mut Lists,
    net: &'a Net,
    default_pool: Arc<Pool>,
    sketch: Sketch<Made>,
    /// Pools of keys without a service in the set, as far as rules go.
    early: Vec<(ServiceKey, Arc<Pool>)>,
    /// The set's addresses.
    noted: Noted,
    locals: Vec<(Arc<Local>, bool)>,
}

impl Services {
    /// Lets the rules that `fill` adds take the place of all services,
    /// destinations and local addresses; when it fails, or anything else,
    /// nothing has changed. `start` is called for a family that was of no
    /// interest before. No packet meets the former set any more when this
    /// returns. May sleep.
    pub(crate) fn replace<E: From<ConfigError>>(
        &self,
        net: &Net,
        start: impl Fn(Family) -> Result<(), ConfigError>,
        fill: impl FnOnce(&mut Next<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut lists = self.lists.lock();
        let mut next = Next::new(self, &mut lists, net)?;
        fill(&mut next)?;
        next.publish(start)?;
        Ok(())
    }
}

impl<'a> Next<'a> {
    fn new(
        services: &'a Services,
        lists: &'a mut Lists,
        net: &'a Net,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            services,
            default_pool: shared(lists.generation.default_pool.successor())?,
            lists,
            net,
            sketch: Sketch::new()?,
            early: Vec::new(),
            noted: Noted::new()?,
            locals: Vec::new(),
        })
    }

    /// Adds a service. May sleep.
    pub(crate) fn add_service(
        &mut self,
        request: &ServiceRequest<'_>,
        masq_only: bool,
    ) -> Result<(), ConfigError> {
        let key = request.key()?;
        let config = request.add(key, self.sketch.find(key).is_some())?;
        self.noted.service(key)?;
        let pool = match self.early.iter().position(|(known, _)| *known == key) {
            Some(place) => self.early.swap_remove(place).map(|(_, pool)| pool),
            None => None,
        };
        let pool = match pool {
            Some(pool) => pool,
            None => self.new_pool(key)?,
        };
        let known = self.lists.generation.find(key);
        let lineage = match &known {
            Some(service) => Lineage::of(service),
            None => Lineage::new(key, self.lists.next_serial(), self.lists.stats(key)?)?,
        };
        let former = known.as_deref();
        let made = Made::new(key, (config, masq_only), pool, lineage, former)?;
        let bucket = self.sketch.bucket(&key).ok_or(ConfigError::Family)?;
        push(bucket, made)
    }

    /// Adds a destination to a service of the set. May sleep.
    pub(crate) fn add_dest(
        &mut self,
        key: ServiceKey,
        request: &DestRequest<'_>,
    ) -> Result<(), ConfigError> {
        let made = self.sketch.find(key);
        let made = made.ok_or(ConfigError::ServiceUnknown)?;
        let (named, config) = made.add(self.net, self.lists, request)?;
        self.noted.server(named, &config)
    }

    /// Adds a local address to the pool of a key, or to the default one. May
    /// sleep.
    pub(crate) fn add_local(
        &mut self,
        key: Option<ServiceKey>,
        local: LocalConfig,
    ) -> Result<(), ConfigError> {
        let pool = match key {
            Some(key) => self.pool(key)?,
            None => self.default_pool.clone(),
        };
        self.noted
            .local(local.addr, key.as_ref(), pool.has(local.addr))?;
        let former = match key {
            Some(key) => self.lists.pools.find(key),
            None => Some(&self.lists.generation.default_pool),
        };
        let adopted = pool.adopt(former.map(|pool| &**pool), local.addr);
        let adopted = adopted.map_err(|_| ConfigError::NoMemory)?;
        push(&mut self.locals, (adopted, local.dedicated))
    }

    /// The pool of a key in this set.
    fn pool(&mut self, key: ServiceKey) -> Result<Arc<Pool>, ConfigError> {
        if let Some(made) = self.sketch.find(key) {
            return Ok(made.pool.clone());
        }
        if let Some((_, pool)) = self.early.iter().find(|(known, _)| *known == key) {
            return Ok(pool.clone());
        }
        let pool = self.new_pool(key)?;
        push(&mut self.early, (key, pool.clone()))?;
        Ok(pool)
    }

    /// A pool that follows the one that a key has, or a new one.
    fn new_pool(&mut self, key: ServiceKey) -> Result<Arc<Pool>, ConfigError> {
        let serial = match self.lists.pools.find(key) {
            Some(former) => return shared(former.successor()),
            None => self.lists.next_serial(),
        };
        shared(Pool::new(random::u32(), serial))
    }

    /// Takes the place of the set that there is.
    fn publish(
        mut self,
        start: impl Fn(Family) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        let pools = self.finish_pools()?;
        let services = self.finish_services()?;
        for family in [Family::V4, Family::V6] {
            let is_about = |service: &Arc<Service>| service.is_about(family, &ReadLock::new());
            if services.iter().any(is_about) && !self.lists.has_family(family) {
                start(family)?;
            }
        }
        let Self {
            services: store,
            lists,
            default_pool,
            mut sketch,
            noted,
            locals,
            ..
        } = self;
        let noted = noted.finish(store)?;
        let generation = Generation::of(&sketch, |made| made.service.as_ref(), default_pool)?;
        let generation = shared(generation)?;
        let published = rcu::Boxed::new(generation.clone(), Gfp::Kernel);
        let published = published.map_err(|_| ConfigError::NoMemory)?;
        let mut leaving = 0_usize;
        for service in lists.services.iter() {
            let count = service.version(&ReadLock::new()).backends().len();
            leaving = leaving.saturating_add(count);
        }
        lists.removed.reserve(leaving);

        // From here on nothing fails.
        noted.publish(store);
        store.generation.replace(published);
        // Who opens a connection goes by the generation. What packets of
        // connections see of a server follows.
        let former = core::mem::replace(&mut lists.generation, generation);
        let gone = core::mem::replace(&mut lists.services, services);
        for made in sketch.iter_mut() {
            made.enter(lists);
        }
        for service in gone.iter() {
            if lists.generation.find(service.key).is_none() {
                lists.retire_all(service);
            }
        }
        lists.removed.retain(|dest| !dest.status().available);
        lists.removed.sort();
        for (local, dedicated) in locals.iter() {
            local.enter(*dedicated);
        }
        let before = core::mem::replace(&mut lists.pools, pools);
        let default = &lists.generation.default_pool;
        greet(None, default, Some(&former.default_pool));
        default.see_off();
        for (key, pool) in lists.pools.iter() {
            greet(Some(*key), pool, before.find(*key).map(|pool| &**pool));
            pool.see_off();
        }
        // Packets that still look at the former set may take an address of it,
        // which is to be known for as long as it has connections.
        rcu::synchronize();
        let Lists {
            pools, generation, ..
        } = lists;
        generation.default_pool.tidy();
        pools.retain(|key, pool| {
            pool.tidy();
            generation.find(key).is_some() || !pool.is_idle(&ReadLock::new())
        });
        Ok(())
    }

    /// Every pool that there is has one that follows it, if only for the
    /// addresses that leave it.
    fn finish_pools(&mut self) -> Result<Pools, ConfigError> {
        let no_memory = |_| ConfigError::NoMemory;
        let former = &self.lists.generation.default_pool;
        self.default_pool.dismiss(former).map_err(no_memory)?;
        let mut index = 0_usize;
        while let Some((key, former)) = self.lists.pools.at(index).cloned() {
            index = index.saturating_add(1);
            let pool = self.pool(key)?;
            pool.dismiss(&former).map_err(no_memory)?;
        }
        let mut all = core::mem::replace(&mut self.early, Vec::new());
        for made in self.sketch.iter_mut() {
            push(&mut all, (made.key, made.pool.clone()))?;
        }
        Pools::of(all)
    }

    /// The services with their destinations, in the order of listings.
    fn finish_services(&mut self) -> Result<Vec<Arc<Service>>, ConfigError> {
        let mut services = Vec::new();
        for made in self.sketch.iter_mut() {
            push(&mut services, made.finish(&self.default_pool)?)?;
        }
        order::sort(&mut services, |service| service.serial);
        Ok(services)
    }
}

/// The log's line about a pool that has addresses and had none.
fn greet(owner: Option<ServiceKey>, pool: &Pool, former: Option<&Pool>) {
    let rcu = ReadLock::new();
    let is_empty = |pool: &Pool| pool.is_empty(&rcu);
    if former.is_none_or(is_empty) && !is_empty(pool) {
        announce(owner);
    }
}
