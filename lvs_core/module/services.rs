// SPDX-License-Identifier: GPL-2.0

//! The store that has all of a namespace's services.

mod addresses;
mod dests;
mod lists;

use crate::{
    hash::Key,
    locals::Pool,
    service::{copy, shared, Service},
};
use addresses::{Addresses, Sorted};
use kernel::{prelude::*, static_lock_class, sync::Arc};
use lists::Lists;
use lvs_engine::{
    config::ConfigError,
    conn::Protocol,
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

const BUCKETS: usize = 256;

/// All services of a namespace.
pub(crate) struct Services {
    lists: Mutex<Lists>,
    key: Key,
    buckets: Vec<rcu::Cell<Vec<Arc<Service>>>>,
    /// For services without local addresses of their own.
    pub(crate) default_pool: Pool,
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
        let mut buckets = Vec::with_capacity(BUCKETS, Gfp::Kernel)?;
        for _ in 0..BUCKETS {
            buckets.push(rcu::Cell::empty(), Gfp::Kernel)?;
        }
        Ok(Self {
            lists: Mutex::new(Lists::default(), c"lvs_services", static_lock_class!())?,
            key: Key::random(),
            buckets,
            default_pool: Pool::new(random::u32(), 0),
            locals: Addresses::new(),
            virtuals: Addresses::new(),
            tunnels: Addresses::new(),
            nat_servers: Sorted::new(),
        })
    }

    fn bucket(&self, key: &ServiceKey) -> Option<&rcu::Cell<Vec<Arc<Service>>>> {
        let hash = match key {
            ServiceKey::Address {
                protocol,
                addr,
                port,
            } => {
                let protocol = Protocol::from_number(u8::try_from(*protocol).ok()?)?;
                let virt = AnyEndpoint::new(*addr, *port);
                self.key.endpoint(protocol, *addr, virt)
            }
            ServiceKey::Fwmark { mark, .. } => self.key.number(u64::from(*mark)),
        };
        // CAST: Widening.
        self.buckets.get(hash as usize % BUCKETS)
    }

    /// The service that a key names. Any context.
    pub(crate) fn at<'r>(&'r self, rcu: &'r ReadLock, key: ServiceKey) -> Option<&'r Arc<Service>> {
        self.bucket(&key)?
            .read(rcu)?
            .iter()
            .find(|service| service.key == key)
    }

    /// As [`Services::at`]. May sleep.
    pub(crate) fn find(&self, key: ServiceKey) -> Option<Arc<Service>> {
        self.at(&ReadLock::new(), key).cloned()
    }

    fn known(&self, key: ServiceKey) -> Result<Arc<Service>, ConfigError> {
        self.find(key).ok_or(ConfigError::ServiceUnknown)
    }

    /// Forgets the ways to all servers. Any context: it is also asked for with
    /// locks held that must not be waited for with ours.
    pub(crate) fn forget_routes(&self, rcu: &ReadLock) {
        let lists = self.buckets.iter().filter_map(|bucket| bucket.read(rcu));
        for service in lists.flat_map(|list| list.iter()) {
            for dest in service.dests(rcu) {
                dest.forget_route();
            }
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.lists.lock().services.len()
    }

    /// How many chains the table of services has.
    pub(crate) fn size(&self) -> usize {
        self.buckets.len()
    }

    /// Calls `each` with the length of every chain of that table.
    pub(crate) fn for_each_chain(&self, mut each: impl FnMut(usize)) {
        for bucket in self.buckets.iter() {
            let rcu = ReadLock::new();
            each(bucket.read(&rcu).map_or(0, |services| services.len()));
        }
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
        if let ServiceKey::Address { addr, .. } = key {
            if self.is_local(&lists, addr) {
                return Err(ConfigError::LocalAddressIsVirtual);
            }
            self.virtuals.add(addr)?;
        }
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
        let pool = lists.pool(key)?;
        let serial = lists.next_serial();
        let stats = lists.stats(key)?;
        let service = Service::new(key, config, pool, serial, stats)?;
        let service = shared(service)?;
        let family = key.family();
        if !lists.has_family(family) {
            start(family)?;
        }
        let no_memory = |_| ConfigError::NoMemory;
        lists.services.reserve(Gfp::Kernel).map_err(no_memory)?;
        self.rebuild_bucket(&service, true)?;
        // There is room, so that nothing fails once it can be found.
        let _ = lists.services.push_within(service);
        Ok(())
    }

    /// Publishes the bucket of `service` with it or without.
    fn rebuild_bucket(&self, service: &Arc<Service>, with: bool) -> Result<(), ConfigError> {
        let bucket = self.bucket(&service.key).ok_or(ConfigError::Family)?;
        let mut list = copy(bucket, |services| services)?;
        if with {
            list.push_within(service.clone())
                .map_err(|_| ConfigError::NoMemory)?;
        } else if let Some(index) = list.iter().position(|s| s.serial == service.serial) {
            list.remove(index);
        }
        let list = rcu::Boxed::new(list, Gfp::Kernel).map_err(|_| ConfigError::NoMemory)?;
        bucket.replace(Some(list));
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
            let draft = service.redraft(config.scheduler)?;
            service.change(config);
            service.publish(draft);
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
        self.rebuild_bucket(service, false)?;
        lists.retire_all(service);
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
        for bucket in self.buckets.iter() {
            bucket.replace(None);
        }
        let services = core::mem::replace(&mut lists.services, Vec::new());
        for service in services.iter() {
            lists.retire_all(service);
        }
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
                self.default_pool.zero();
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
                for dest in service.dests(&rcu) {
                    dest.stats.clear();
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
            .retain(|(_, dest)| dest.conns() != (0, 0) || dest.persistent() != 0);
        self.default_pool.tidy();
        lists.pools.retain(|(key, pool)| {
            pool.tidy();
            !pool.is_idle(&ReadLock::new()) || self.find(*key).is_some()
        });
    }
}
