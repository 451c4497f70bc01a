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
    generation::Generation,
    lists::Lists,
    Services, //
};
use crate::{
    dests::Dest,
    locals::{Local, Pool},
    order,
    service::{shared, Draft, Lineage, Pools, Service},
};
use kernel::{prelude::*, sync::Arc};
use lvs_engine::{
    config::ConfigError,
    conn::Method,
    dest::{DestConfig, DestRequest},
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
    generation: Generation,
    /// In the order of the rules.
    made: Vec<Made>,
    /// Of keys that the rules name, as [`Lists::pools`].
    pools: Vec<(ServiceKey, Arc<Pool>)>,
    locals: Vec<(Arc<Local>, bool)>,
    dests: Vec<(Arc<Dest>, DestConfig, Past)>,
}

/// A service of the set, and who is to serve it.
struct Made {
    service: Arc<Service>,
    draft: Draft,
}

/// Where a destination that is no new one was until now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Past {
    /// In its service.
    Serving,
    /// Among the removed ones.
    Removed,
}

impl Services {
    /// Lets the rules that `fill` adds take the place of all services,
    /// destinations and local addresses; when it fails, or anything else,
    /// nothing has changed. `start` is called for a family that was of no
    /// interest before. May sleep.
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
        let default_pool = shared(lists.generation.default_pool.successor())?;
        Ok(Self {
            generation: Generation::new(default_pool)?,
            services,
            lists,
            net,
            made: Vec::new(),
            pools: Vec::new(),
            locals: Vec::new(),
            dests: Vec::new(),
        })
    }

    /// Adds a service. May sleep.
    pub(crate) fn add_service(
        &mut self,
        request: &ServiceRequest<'_>,
        masq_only: bool,
    ) -> Result<(), ConfigError> {
        let key = request.key()?;
        let config = request.add(key, self.generation.find(key).is_some())?;
        let default = self.generation.default_pool.clone();
        self.services.claim(key, &default, &self.pools)?;
        let (own, _) = self.pool(key)?;
        let lineage = match self.lists.generation.find(key) {
            Some(former) => Lineage::of(&former),
            None => {
                let serial = self.lists.next_serial();
                Lineage::new(key, serial, self.lists.stats(key)?)?
            }
        };
        let service = Service::new(key, config, masq_only, Pools { own, default }, lineage)?;
        self.generation.add(&service)?;
        let draft = Draft::new(config);
        push(&mut self.made, Made { service, draft })
    }

    /// Adds a destination to a service of the set. May sleep.
    pub(crate) fn add_dest(
        &mut self,
        key: ServiceKey,
        request: &DestRequest<'_>,
    ) -> Result<(), ConfigError> {
        // Rules of a service are together, most of the time.
        let is_it = |made: &Made| made.service.key == key;
        let last = self.made.len().wrapping_sub(1);
        let index = match self.made.last() {
            Some(made) if is_it(made) => Some(last),
            _ => self.made.iter().position(is_it),
        };
        let made = index.and_then(|index| self.made.get_mut(index));
        let Made { service, draft } = made.ok_or(ConfigError::ServiceUnknown)?;
        let exists = |named| draft.has(named);
        let (named, config) = self.services.new_dest(self.net, key, request, exists)?;
        let serving = self.lists.generation.find(key);
        let serving = serving.and_then(|former| former.find_dest(named));
        let known = match serving {
            Some(dest) => Some((dest, Past::Serving)),
            None => {
                let removed = self.lists.removed(key, named);
                removed.map(|dest| (dest, Past::Removed))
            }
        };
        let dest = match known {
            Some((dest, past)) => {
                if past == Past::Removed {
                    dest.set_serial(self.lists.next_serial());
                }
                push(&mut self.dests, (dest.clone(), config, past))?;
                dest
            }
            None => {
                let dest = Dest::new(named, config, service.stats.clone());
                let dest = dest.map_err(|_| ConfigError::NoMemory)?;
                dest.set_serial(self.lists.next_serial());
                dest
            }
        };
        draft.add(dest, config.weight)
    }

    /// Adds a local address to the pool of a key, or to the default one. May
    /// sleep.
    pub(crate) fn add_local(
        &mut self,
        key: Option<ServiceKey>,
        local: LocalConfig,
    ) -> Result<(), ConfigError> {
        let (pool, former) = match key {
            Some(key) => self.pool(key)?,
            None => (
                self.generation.default_pool.clone(),
                Some(self.lists.generation.default_pool.clone()),
            ),
        };
        let exists = pool.has(local.addr);
        let services = self.made.iter().map(|made| &made.service.key);
        self.services
            .check_local(key.as_ref(), local, exists, services)?;
        self.services.locals.add(local.addr)?;
        let adopted = pool.adopt(former.as_deref(), local.addr);
        let adopted = adopted.map_err(|_| ConfigError::NoMemory)?;
        push(&mut self.locals, (adopted, local.dedicated))
    }

    /// The pool of a key in this set, and the one before it.
    fn pool(&mut self, key: ServiceKey) -> Result<(Arc<Pool>, Option<Arc<Pool>>), ConfigError> {
        let former = self.lists.known_pool(key);
        if let Some(service) = self.generation.find(key) {
            return Ok((service.pool.clone(), former));
        }
        if let Some((_, pool)) = self.pools.iter().find(|(known, _)| *known == key) {
            return Ok((pool.clone(), former));
        }
        let pool = shared(match &former {
            Some(former) => former.successor(),
            None => Pool::new(random::u32(), self.lists.next_serial()),
        })?;
        push(&mut self.pools, (key, pool.clone()))?;
        Ok((pool, former))
    }

    /// Takes the place of the set that there is.
    fn publish(
        mut self,
        start: impl Fn(Family) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        self.finish_pools()?;
        let services = self.finish_services()?;
        for family in [Family::V4, Family::V6] {
            let is_about = |service: &Arc<Service>| service.is_about(family, &ReadLock::new());
            if services.iter().any(is_about) && !self.lists.has_family(family) {
                start(family)?;
            }
        }
        let generation = shared(self.generation)?;
        let published = rcu::Boxed::new(generation.clone(), Gfp::Kernel);
        let published = published.map_err(|_| ConfigError::NoMemory)?;

        // From here on nothing fails.
        let (store, lists) = (self.services, self.lists);
        let former = &lists.generation.default_pool;
        greet(None, &generation.default_pool, Some(former));
        for (key, pool) in self.pools.iter() {
            greet(Some(*key), pool, lists.known_pool(*key).as_deref());
        }
        // A method must never be FULLNAT where there is no local address for
        // it: it becomes that last, and ceases to be that first.
        let dests = self.dests.iter();
        let change = |fullnat| {
            for (dest, config, _) in dests.clone() {
                if (config.method == Method::Fullnat) == fullnat {
                    dest.change(*config);
                }
            }
        };
        for (dest, _, past) in dests.clone() {
            if *past == Past::Removed {
                lists.revive(dest);
                dest.set_available(true);
            }
        }
        change(false);
        store.generation.replace(published);
        change(true);
        for (local, dedicated) in self.locals.iter() {
            local.enter(*dedicated);
        }
        generation.default_pool.see_off();
        self.pools.iter().for_each(|(_, pool)| pool.see_off());
        let mut pools = self.pools;
        pools.retain(|(key, pool)| {
            pool.tidy();
            generation.find(*key).is_some() || !pool.is_idle(&ReadLock::new())
        });
        lists.pools = pools;
        lists.generation = generation;
        let gone = core::mem::replace(&mut lists.services, services);
        for service in gone.iter() {
            lists.retire_but_heirs(service);
        }
        Ok(())
    }

    /// Every pool that there is has one that follows it, if only for the
    /// addresses that leave it; all in the order of listings.
    fn finish_pools(&mut self) -> Result<(), ConfigError> {
        let no_memory = |_| ConfigError::NoMemory;
        let former = &self.lists.generation.default_pool;
        let dismissed = self.generation.default_pool.dismiss(former);
        dismissed.map_err(no_memory)?;
        let mut index = 0_usize;
        while let Some((key, former)) = self.lists.pools.get(index).cloned() {
            index = index.saturating_add(1);
            let (pool, _) = self.pool(key)?;
            pool.dismiss(&former).map_err(no_memory)?;
        }
        let mut sorted = Vec::new();
        for (key, pool) in self.pools.iter() {
            let number = |(_, pool): &(ServiceKey, Arc<Pool>)| pool.serial;
            order::insert(&mut sorted, (*key, pool.clone()), number)?;
        }
        self.pools = sorted;
        Ok(())
    }

    /// The services with their destinations, in the order of listings.
    fn finish_services(&mut self) -> Result<Vec<Arc<Service>>, ConfigError> {
        let mut services = Vec::new();
        for Made { service, draft } in self.made.iter_mut() {
            service.publish(draft.finish()?);
            order::insert(&mut services, service.clone(), |service| service.serial)?;
        }
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

/// Adds an item at the end. May sleep.
fn push<T>(list: &mut Vec<T>, item: T) -> Result<(), ConfigError> {
    list.push(item, Gfp::Kernel)
        .map_err(|_| ConfigError::NoMemory)
}
