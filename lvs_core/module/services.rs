// SPDX-License-Identifier: GPL-2.0

//! Services, and the store that has all of a namespace's.

use crate::{
    conns::{End, V4},
    dests::{Dest, DestSettings},
    hash::Key,
    locals::Pool,
    stats::Stats,
};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use kernel::{prelude::*, static_lock_class, sync::Arc, ModuleMetadata};
use lvs_engine::{
    config::ConfigError,
    conn::{Method, Protocol},
    dest::{self, DestConfig, DestRequest},
    laddr,
    sched::Candidates,
    service::{ServiceConfig, ServiceKey, ServiceRequest},
};
use lvs_kapi::{
    gfp::Gfp,
    lock::{Mutex, SpinLockBh},
    module::Reference,
    net::Net,
    random,
    rcu::{self, ReadLock},
    route,
    vec::Vec,
};
use lvs_wire::addr::{AnyAddr, AnyEndpoint};

/// A virtual service. It holds the module, so that it is not unloaded with
/// services configured.
pub(crate) struct Service {
    pub(crate) protocol: Protocol,
    pub(crate) virt: End,
    config: SpinLockBh<ServiceConfig>,
    cursor: AtomicU64,
    /// Oldest first.
    dests: rcu::Cell<Vec<Arc<Dest>>>,
    /// Its local addresses; they belong to its key and outlive it.
    pub(crate) pool: Arc<Pool>,
    masq_only: AtomicBool,
    pub(crate) stats: Arc<Stats>,
    /// Grows with every service made: the place in listings.
    pub(crate) serial: u64,
    _module: Reference,
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

    fn is_overloaded(&self, _index: usize) -> bool {
        false
    }
}

impl Service {
    /// What names it.
    pub(crate) fn key(&self) -> ServiceKey {
        ServiceKey::Address {
            protocol: u16::from(self.protocol.number()),
            addr: self.virt.addr.into(),
            port: self.virt.port,
        }
    }

    pub(crate) fn config(&self) -> ServiceConfig {
        *self.config.lock()
    }

    /// The destinations, oldest first. Any context.
    pub(crate) fn dests<'r>(&'r self, rcu: &'r ReadLock) -> &'r [Arc<Dest>] {
        self.dests.read(rcu).map_or(&[], |dests| dests)
    }

    /// Who gets the next connection. Any context.
    pub(crate) fn schedule<'r>(&'r self, rcu: &'r ReadLock) -> Option<&'r Arc<Dest>> {
        let dests = self.dests(rcu);
        let scheduler = self.config().scheduler;
        loop {
            let cursor = self.cursor.load(Relaxed);
            let pick = scheduler.pick(cursor, &Choice(dests))?;
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

    /// The pool that its connections take local addresses from.
    pub(crate) fn pool<'r>(&'r self, default: &'r Pool, rcu: &'r ReadLock) -> Option<&'r Pool> {
        let (own, other) = (self.pool.members(rcu).len(), default.members(rcu).len());
        Some(match laddr::pool(own, other)? {
            laddr::Pool::Service => &self.pool,
            laddr::Pool::Default => default,
        })
    }

    /// How packets reach a destination from now on.
    pub(crate) fn method(&self, dest: &Dest, default: &Pool, rcu: &ReadLock) -> Method {
        let has_local = self.pool(default, rcu).is_some();
        dest::in_effect(dest.configured(), has_local, self.is_masq_only())
    }

    fn find_dest(&self, real: End) -> Option<Arc<Dest>> {
        let rcu = ReadLock::new();
        self.dests(&rcu)
            .iter()
            .find(|dest| dest.real == real)
            .cloned()
    }

    /// A copy of the list with room for one more.
    fn copy_dests(&self) -> Result<Vec<Arc<Dest>>, ConfigError> {
        copy(&self.dests)
    }

    fn publish(&self, dests: Vec<Arc<Dest>>) -> Result<(), ConfigError> {
        let dests = rcu::Boxed::new(dests, Gfp::Kernel).map_err(|_| ConfigError::NoMemory)?;
        self.dests.replace(Some(dests));
        Ok(())
    }
}

/// A copy of a published list, with room for one more. The caller is the only
/// writer.
fn copy<T: Send + Sync>(list: &rcu::Cell<Vec<Arc<T>>>) -> Result<Vec<Arc<T>>, ConfigError> {
    // Memory first: a read section must not sleep.
    let len = list.read(&ReadLock::new()).map_or(0, |list| list.len());
    let mut copy = Vec::with_capacity(len.saturating_add(1), Gfp::Kernel)
        .map_err(|_| ConfigError::NoMemory)?;
    let rcu = ReadLock::new();
    for item in list.read(&rcu).map_or(&[][..], |list| list) {
        copy.push_within(item.clone())
            .map_err(|_| ConfigError::NoMemory)?;
    }
    Ok(copy)
}

const BUCKETS: usize = 256;

/// What the mutex guards: all that is written, in the order of listings.
struct Lists {
    services: Vec<Arc<Service>>,
    /// The pools of services' keys, also of services that are not there.
    pools: Vec<(ServiceKey, Arc<Pool>)>,
    /// Destinations that were removed and still have connections: added
    /// again, they get them back.
    removed: Vec<(ServiceKey, Arc<Dest>)>,
    serial: u64,
}

/// All services of a namespace.
pub(crate) struct Services {
    lists: Mutex<Lists>,
    key: Key,
    buckets: [rcu::Cell<Vec<Arc<Service>>>; BUCKETS],
    /// For services without local addresses of their own.
    pub(crate) default_pool: Pool,
    /// Every address that a connection may have as its local one.
    locals: rcu::Cell<Vec<V4>>,
}

impl Services {
    /// May sleep.
    pub(crate) fn new() -> Result<Self> {
        let lists = Lists {
            services: Vec::new(),
            pools: Vec::new(),
            removed: Vec::new(),
            serial: 0,
        };
        Ok(Self {
            lists: Mutex::new(lists, c"lvs_services", static_lock_class!())?,
            key: Key::random(),
            buckets: [const { rcu::Cell::empty() }; BUCKETS],
            default_pool: Pool::new(random::u32()),
            locals: rcu::Cell::empty(),
        })
    }

    fn bucket(&self, protocol: Protocol, virt: End) -> Option<&rcu::Cell<Vec<Arc<Service>>>> {
        // CAST: Widening.
        let hash = self.key.endpoint(protocol, virt.addr, virt) as usize;
        self.buckets.get(hash % BUCKETS)
    }

    /// The service at an address. Any context.
    pub(crate) fn at<'r>(
        &'r self,
        rcu: &'r ReadLock,
        protocol: Protocol,
        virt: End,
    ) -> Option<&'r Arc<Service>> {
        self.bucket(protocol, virt)?
            .read(rcu)?
            .iter()
            .find(|service| service.protocol == protocol && service.virt == virt)
    }

    /// The service that a key names. May sleep.
    pub(crate) fn find(&self, key: ServiceKey) -> Option<Arc<Service>> {
        let (protocol, virt) = v4_address(key)?;
        self.at(&ReadLock::new(), protocol, virt).cloned()
    }

    fn known(&self, key: ServiceKey) -> Result<Arc<Service>, ConfigError> {
        self.find(key).ok_or(ConfigError::ServiceUnknown)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.lists.lock().services.len()
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
    /// the first one. May sleep.
    pub(crate) fn add(
        &self,
        request: &ServiceRequest<'_>,
        start: impl FnOnce() -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        let key = request.key()?;
        let mut lists = self.lists.lock();
        let config = request.add(key, self.find(key).is_some())?;
        let (protocol, virt) = v4_address(key).ok_or(ConfigError::Family)?;
        let pool = lists.pool(key)?;
        if pool
            .members(&ReadLock::new())
            .iter()
            .any(|l| l.addr == virt.addr)
        {
            return Err(ConfigError::LocalAddressIsVirtual);
        }
        let module = Reference::take(&<crate::LocalModule as ModuleMetadata>::THIS_MODULE)
            .ok_or(ConfigError::GoingAway)?;
        let serial = lists.serial;
        let service = Service {
            protocol,
            virt,
            config: SpinLockBh::new(config, c"lvs_service", static_lock_class!()),
            cursor: AtomicU64::new(random::u64()),
            dests: rcu::Cell::empty(),
            pool,
            masq_only: AtomicBool::new(false),
            stats: shared(Stats::new().map_err(|_| ConfigError::NoMemory)?)?,
            serial,
            _module: module,
        };
        let service = shared(service)?;
        if lists.services.is_empty() {
            start()?;
        }
        self.rebuild_bucket(&service, true)?;
        if lists.services.push(service.clone(), Gfp::Kernel).is_err() {
            // Only this can fail after it was published: take it back.
            self.rebuild_bucket(&service, false)?;
            return Err(ConfigError::NoMemory);
        }
        lists.serial = serial.wrapping_add(1);
        Ok(())
    }

    /// Publishes the bucket of `service` with it or without.
    fn rebuild_bucket(&self, service: &Arc<Service>, with: bool) -> Result<(), ConfigError> {
        let bucket = self
            .bucket(service.protocol, service.virt)
            .ok_or(ConfigError::NoMemory)?;
        let mut list = copy(bucket)?;
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
            *service.config.lock() = config;
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
        let rcu = ReadLock::new();
        for dest in service.dests(&rcu) {
            lists.retire(service.key(), dest);
        }
        let place = lists
            .services
            .iter()
            .position(|s| s.serial == service.serial);
        if let Some(place) = place {
            lists.services.remove(place);
        }
        Ok(())
    }

    /// Removes all services. May sleep.
    pub(crate) fn flush(&self) -> Result<(), ConfigError> {
        let mut lists = self.lists.lock();
        while let Some(service) = lists.services.last().cloned() {
            self.take_out(&mut lists, &service)?;
        }
        Ok(())
    }

    /// What `then` says if there is no service, while none is added. May
    /// sleep.
    pub(crate) fn when_empty<R>(&self, then: impl FnOnce() -> Option<R>) -> Option<R> {
        let lists = self.lists.lock();
        if lists.services.is_empty() {
            then()
        } else {
            None
        }
    }

    /// Adds a destination. May sleep.
    pub(crate) fn add_dest(
        &self,
        net: &Net,
        key: ServiceKey,
        request: &DestRequest<'_>,
    ) -> Result<(), ConfigError> {
        let mut lists = self.lists.lock();
        let service = self.known(key)?;
        let named = request.full_key(key.family())?;
        let existing = v4_end(named).and_then(|real| service.find_dest(real));
        let config = request.add(named, existing.is_some())?;
        let real = v4_end(named).ok_or(ConfigError::Family)?;
        if !route::is_unicast_ip4(net, real.addr) {
            return Err(ConfigError::DestAddress);
        }
        let mut dests = service.copy_dests()?;
        let dest = match lists.revive(key, real) {
            Some(dest) => {
                dest.change(settings(config));
                dest.set_available(true);
                dest
            }
            None => Dest::new(real, settings(config), service.stats.clone())
                .map_err(|_| ConfigError::NoMemory)?,
        };
        dests.push_within(dest).map_err(|_| ConfigError::NoMemory)?;
        service.publish(dests)
    }

    /// Changes a destination. May sleep.
    pub(crate) fn edit_dest(
        &self,
        key: ServiceKey,
        request: &DestRequest<'_>,
    ) -> Result<(), ConfigError> {
        let _lists = self.lists.lock();
        let service = self.known(key)?;
        let named = request.full_key(key.family())?;
        let dest = v4_end(named).and_then(|real| service.find_dest(real));
        let current = dest.as_ref().map(|dest| DestConfig {
            method: dest.configured(),
            weight: dest.weight(),
        });
        let config = request.edit(named, current)?;
        if let Some(dest) = dest {
            dest.change(settings(config));
        }
        Ok(())
    }

    /// Removes a destination; its connections stay. May sleep.
    pub(crate) fn delete_dest(
        &self,
        key: ServiceKey,
        request: &DestRequest<'_>,
    ) -> Result<(), ConfigError> {
        let mut lists = self.lists.lock();
        let service = self.known(key)?;
        let named = request.key(key.family())?;
        let real = v4_end(named).ok_or(ConfigError::DestUnknown)?;
        let dest = service.find_dest(real).ok_or(ConfigError::DestUnknown)?;
        let mut dests = service.copy_dests()?;
        if let Some(index) = dests.iter().position(|dest| dest.real == real) {
            dests.remove(index);
        }
        service.publish(dests)?;
        lists.retire(key, &dest);
        Ok(())
    }

    /// Adds a local address to a service's pool, or to the default one. The
    /// service need not be there. May sleep.
    pub(crate) fn add_local(
        &self,
        key: Option<ServiceKey>,
        addr: AnyAddr,
    ) -> Result<(), ConfigError> {
        let mut lists = self.lists.lock();
        let pool = key.map(|key| lists.pool(key)).transpose()?;
        let pool = pool.as_deref().unwrap_or(&self.default_pool);
        let exists = pool
            .members(&ReadLock::new())
            .iter()
            .any(|local| AnyAddr::V4(local.addr) == addr);
        laddr::check(addr, key.as_ref(), exists)?;
        let AnyAddr::V4(addr) = addr else {
            return Err(ConfigError::LocalAddressFamily);
        };
        if key.is_none() && lists.services.iter().any(|s| s.virt.addr == addr) {
            return Err(ConfigError::LocalAddressIsVirtual);
        }
        self.know_local(addr)?;
        pool.add(addr).map_err(|_| ConfigError::NoMemory)
    }

    /// Whether a connection may have `addr` as its local address. Any context.
    #[inline]
    pub(crate) fn has_local(&self, rcu: &ReadLock, addr: V4) -> bool {
        self.locals.read(rcu).is_some_and(|all| all.contains(&addr))
    }

    /// Adds to the addresses that connections may have.
    fn know_local(&self, addr: V4) -> Result<(), ConfigError> {
        if self.has_local(&ReadLock::new(), addr) {
            return Ok(());
        }
        let known = |rcu: &ReadLock| self.locals.read(rcu).map_or(0, |all| all.len());
        let len = known(&ReadLock::new());
        let mut all = Vec::with_capacity(len.saturating_add(1), Gfp::Kernel)
            .map_err(|_| ConfigError::NoMemory)?;
        let rcu = ReadLock::new();
        for known in self.locals.read(&rcu).map_or(&[][..], |all| all) {
            all.push_within(*known).map_err(|_| ConfigError::NoMemory)?;
        }
        drop(rcu);
        all.push_within(addr).map_err(|_| ConfigError::NoMemory)?;
        let all = rcu::Boxed::new(all, Gfp::Kernel).map_err(|_| ConfigError::NoMemory)?;
        self.locals.replace(Some(all));
        Ok(())
    }

    /// Removes a local address; its connections go on. May sleep.
    pub(crate) fn delete_local(
        &self,
        key: Option<ServiceKey>,
        addr: AnyAddr,
    ) -> Result<(), ConfigError> {
        let AnyAddr::V4(addr) = addr else {
            return Err(ConfigError::LocalAddressUnknown);
        };
        let mut lists = self.lists.lock();
        let pool = key.map(|key| lists.pool(key)).transpose()?;
        let pool = pool.as_deref().unwrap_or(&self.default_pool);
        pool.remove(addr).map_err(|error| {
            if error == ENOENT {
                ConfigError::LocalAddressUnknown
            } else {
                ConfigError::NoMemory
            }
        })
    }

    /// Calls `each` with every pool and the key that it belongs to (`None`:
    /// the default one). `each` may sleep.
    pub(crate) fn for_each_pool(&self, mut each: impl FnMut(Option<ServiceKey>, &Pool)) {
        let lists = self.lists.lock();
        each(None, &self.default_pool);
        for (key, pool) in lists.pools.iter() {
            each(Some(*key), pool);
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

    /// Forgets removed destinations without connections, and pools without
    /// addresses that no service has. May sleep.
    pub(crate) fn tidy(&self) {
        let mut lists = self.lists.lock();
        let mut index = 0;
        while let Some((_, dest)) = lists.removed.get(index) {
            if dest.conns() == (0, 0) {
                lists.removed.swap_remove(index);
            } else {
                index = index.saturating_add(1);
            }
        }
        let mut index = 0;
        while let Some((key, pool)) = lists.pools.get(index) {
            if pool.is_empty(&ReadLock::new()) && self.find(*key).is_none() {
                lists.pools.swap_remove(index);
            } else {
                index = index.saturating_add(1);
            }
        }
    }
}

impl Lists {
    /// The pool that belongs to a key.
    fn pool(&mut self, key: ServiceKey) -> Result<Arc<Pool>, ConfigError> {
        if let Some((_, pool)) = self.pools.iter().find(|(known, _)| *known == key) {
            return Ok(pool.clone());
        }
        let pool = shared(Pool::new(random::u32()))?;
        self.pools
            .push((key, pool.clone()), Gfp::Kernel)
            .map_err(|_| ConfigError::NoMemory)?;
        Ok(pool)
    }

    /// A destination is removed from its service.
    fn retire(&mut self, key: ServiceKey, dest: &Arc<Dest>) {
        dest.set_available(false);
        // The route holds a device.
        dest.forget_route();
        // No memory to remember it: added again, it is a new one.
        let _ = self.removed.push((key, dest.clone()), Gfp::Atomic);
    }

    fn revive(&mut self, key: ServiceKey, real: End) -> Option<Arc<Dest>> {
        let index = self
            .removed
            .iter()
            .position(|(known, dest)| *known == key && dest.real == real)?;
        self.removed.swap_remove(index).map(|(_, dest)| dest)
    }
}

fn settings(config: DestConfig) -> DestSettings {
    DestSettings {
        weight: config.weight,
        method: config.method,
        upper: 0,
        lower: 0,
    }
}

fn shared<T>(value: T) -> Result<Arc<T>, ConfigError> {
    Arc::new(value, GFP_KERNEL).map_err(|_| ConfigError::NoMemory)
}

/// What a key names, if it is something that can be served.
fn v4_address(key: ServiceKey) -> Option<(Protocol, End)> {
    let ServiceKey::Address {
        protocol,
        addr: AnyAddr::V4(addr),
        port,
    } = key
    else {
        return None;
    };
    let protocol = Protocol::from_number(u8::try_from(protocol).ok()?)?;
    Some((protocol, End::new(addr, port)))
}

fn v4_end(end: AnyEndpoint) -> Option<End> {
    match end.addr {
        AnyAddr::V4(addr) => Some(End::new(addr, end.port)),
        AnyAddr::V6(_) => None,
    }
}
