// SPDX-License-Identifier: GPL-2.0

//! The local addresses of services and of the namespace.

use super::{lists::Lists, Services};
use crate::{
    locals::Pool,
    order,
    service::{push, Service},
    shown::Shown,
};
use core::net::{Ipv4Addr, Ipv6Addr};
use kernel::prelude::*;
use lvs_engine::{
    config::ConfigError,
    conn::{Method, Protocol},
    laddr::{self, LocalConfig},
    service::ServiceKey,
};
use lvs_kapi::{
    gfp::Gfp,
    rcu::{self, ReadLock},
    vec::Vec,
};
use lvs_wire::addr::{Address, AnyAddr, AnyEndpoint};

impl Services {
    /// Adds a local address to a service's pool, or to the default one. The
    /// service need not be there. May sleep.
    pub(crate) fn add_local(
        &self,
        key: Option<ServiceKey>,
        local: LocalConfig,
    ) -> Result<(), ConfigError> {
        let mut lists = self.lists.lock();
        let pool = match key {
            Some(key) => lists.pools.find(key),
            None => Some(&lists.generation.default_pool),
        };
        let exists = pool.is_some_and(|pool| pool.has(local.addr));
        self.check_local(&lists, key.as_ref(), local.addr, exists)?;
        let added = self.add_to_pool(&mut lists, key, local);
        if let (Err(_), Some(key)) = (&added, key) {
            lists.forget_idle(key);
        }
        added
    }

    fn add_to_pool(
        &self,
        lists: &mut Lists,
        key: Option<ServiceKey>,
        local: LocalConfig,
    ) -> Result<(), ConfigError> {
        let pool = match key {
            Some(key) => lists.pool(key)?,
            None => lists.generation.default_pool.clone(),
        };
        self.locals.add(local.addr)?;
        let first = pool.is_empty(&ReadLock::new());
        pool.add(local.addr, local.dedicated)
            .map_err(|_| ConfigError::NoMemory)?;
        if first {
            announce(key);
        }
        Ok(())
    }

    /// Whether there may be a local address beside the services.
    fn check_local(
        &self,
        lists: &Lists,
        key: Option<&ServiceKey>,
        addr: AnyAddr,
        exists: bool,
    ) -> Result<(), ConfigError> {
        laddr::check(addr, key, exists)?;
        // Few local addresses ever were virtual ones.
        let was = self.virtuals.has_any(&ReadLock::new(), addr);
        let mut services = lists.services.iter();
        if was && services.any(|service| laddr::conflicts(addr, &service.key)) {
            return Err(ConfigError::LocalAddressIsVirtual);
        }
        Ok(())
    }

    /// Whether a connection may have `addr` as its local address. Any context.
    #[inline]
    pub(crate) fn has_local<A: Address>(&self, rcu: &ReadLock, addr: A) -> bool {
        self.locals.has(rcu, addr)
    }

    /// Whether a service is, or was, at `addr`. Any context.
    pub(crate) fn has_virtual<A: Address>(&self, rcu: &ReadLock, addr: A) -> bool {
        self.virtuals.has(rcu, addr)
    }

    /// Whether there is, or was, a tunnel to `addr`. Any context.
    pub(crate) fn has_tunnel<A: Address>(&self, rcu: &ReadLock, addr: A) -> bool {
        self.tunnels.has(rcu, addr)
    }

    /// Whether `server` serves a service by NAT, so that what it sends of that
    /// protocol are replies. Any context.
    pub(crate) fn has_nat_server(
        &self,
        rcu: &ReadLock,
        protocol: Protocol,
        server: AnyEndpoint,
    ) -> bool {
        let is_one = |service: &Service| {
            let asks = match service.key {
                ServiceKey::Address {
                    protocol: asked, ..
                } => asked == u16::from(protocol.number()),
                ServiceKey::Fwmark { .. } => true,
            };
            let mut backends = service.version(rcu).backends().iter();
            asks && backends.any(|backend| {
                backend.dest.real == server && service.method(backend, rcu) == Method::Nat
            })
        };
        // The walk is only for who was one once.
        self.nat_servers.has(rcu, server)
            && self
                .generation(rcu)
                .iter(rcu)
                .any(|service| is_one(service))
    }

    /// Removes a local address; its connections go on. May sleep.
    pub(crate) fn delete_local(
        &self,
        key: Option<ServiceKey>,
        addr: AnyAddr,
    ) -> Result<(), ConfigError> {
        let mut lists = self.lists.lock();
        let pool = match key {
            Some(key) => lists
                .pools
                .find(key)
                .ok_or(ConfigError::LocalAddressUnknown)?,
            None => &lists.generation.default_pool,
        };
        pool.remove(addr).map_err(|error| {
            if error == ENOENT {
                ConfigError::LocalAddressUnknown
            } else {
                ConfigError::NoMemory
            }
        })?;
        match key {
            Some(key) => lists.forget_idle(key),
            // There need be no service, whose timer would.
            None => pool.tidy(),
        }
        Ok(())
    }

    /// Checks that no service is to be at a local address, and remembers the
    /// services' address.
    pub(super) fn claim(&self, lists: &Lists, key: ServiceKey) -> Result<(), ConfigError> {
        let ServiceKey::Address { addr, .. } = key else {
            return Ok(());
        };
        // Few virtual addresses ever were local ones.
        let was = self.locals.has_any(&ReadLock::new(), addr);
        let default = &lists.generation.default_pool;
        let mut pools = lists.pools.iter();
        if was && (default.has(addr) || pools.any(|(_, pool)| pool.has(addr))) {
            return Err(ConfigError::LocalAddressIsVirtual);
        }
        self.virtuals.add(addr)
    }

    /// Calls `each` with every pool and the key that it belongs to (`None`:
    /// the default one). `each` may sleep.
    pub(crate) fn for_each_pool(&self, mut each: impl FnMut(Option<ServiceKey>, &Pool)) {
        let lists = self.lists.lock();
        each(None, &lists.generation.default_pool);
        for (key, pool) in lists.pools.iter() {
            each(Some(*key), pool);
        }
    }
}

/// Addresses that only become more: removed ones may still have connections.
pub(super) struct Addresses {
    v4: Sorted<Ipv4Addr>,
    v6: Sorted<Ipv6Addr>,
}

impl Addresses {
    pub(super) const fn new() -> Self {
        Self {
            v4: Sorted::new(),
            v6: Sorted::new(),
        }
    }

    /// Any context.
    #[inline]
    fn has<A: Address>(&self, rcu: &ReadLock, addr: A) -> bool {
        match addr.into() {
            AnyAddr::V4(addr) => self.v4.has(rcu, addr),
            AnyAddr::V6(addr) => self.v6.has(rcu, addr),
        }
    }

    /// As [`Addresses::has`].
    fn has_any(&self, rcu: &ReadLock, addr: AnyAddr) -> bool {
        match addr {
            AnyAddr::V4(addr) => self.v4.has(rcu, addr),
            AnyAddr::V6(addr) => self.v6.has(rcu, addr),
        }
    }

    /// One writer at a time. May sleep.
    pub(super) fn add(&self, addr: AnyAddr) -> Result<(), ConfigError> {
        match addr {
            AnyAddr::V4(addr) => self.v4.add(addr),
            AnyAddr::V6(addr) => self.v6.add(addr),
        }
    }

    /// What will be in it with more. May sleep; one writer at a time.
    pub(super) fn with(&self, more: &[AnyAddr]) -> Result<Grown, ConfigError> {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for addr in more {
            match addr {
                AnyAddr::V4(addr) => push(&mut v4, *addr)?,
                AnyAddr::V6(addr) => push(&mut v6, *addr)?,
            }
        }
        Ok(Grown {
            v4: self.v4.with(v4)?,
            v6: self.v6.with(v6)?,
        })
    }

    pub(super) fn publish(&self, grown: Grown) {
        self.v4.publish(grown.v4);
        self.v6.publish(grown.v6);
    }
}

/// What [`Addresses`] are to be.
pub(super) struct Grown {
    v4: Option<rcu::Boxed<Vec<Ipv4Addr>>>,
    v6: Option<rcu::Boxed<Vec<Ipv6Addr>>>,
}

/// What only becomes more, in ascending order.
pub(super) struct Sorted<T: Ord + Copy + Send + Sync + 'static>(rcu::Cell<Vec<T>>);

impl<T: Ord + Copy + Send + Sync + 'static> Sorted<T> {
    pub(super) const fn new() -> Self {
        Self(rcu::Cell::empty())
    }

    fn all<'r>(&'r self, rcu: &'r ReadLock) -> &'r [T] {
        self.0.read(rcu).map_or(&[], |all| all)
    }

    #[inline]
    fn has(&self, rcu: &ReadLock, one: T) -> bool {
        order::place(self.all(rcu), |other| other.cmp(&one)).is_ok()
    }

    /// One writer at a time. May sleep.
    pub(super) fn add(&self, one: T) -> Result<(), ConfigError> {
        let mut more = Vec::new();
        push(&mut more, one)?;
        self.publish(self.with(more)?);
        Ok(())
    }

    /// The list with more; `None` when it has all of those. May sleep; one
    /// writer at a time.
    pub(super) fn with(&self, mut more: Vec<T>) -> Result<Option<rcu::Boxed<Vec<T>>>, ConfigError> {
        let no_memory = |_| ConfigError::NoMemory;
        {
            let rcu = ReadLock::new();
            more.retain(|one| !self.has(&rcu, *one));
        }
        if more.is_empty() {
            return Ok(None);
        }
        order::sort(&mut more, |one| *one);
        // Memory first: a read section must not sleep.
        let len = self.all(&ReadLock::new()).len();
        let len = len.saturating_add(more.len());
        let mut merged = Vec::with_capacity(len, Gfp::Kernel).map_err(no_memory)?;
        let rcu = ReadLock::new();
        let (mut old, mut new) = (self.all(&rcu), &*more);
        while let Some(next) = least(&mut old, &mut new) {
            if merged.last() != Some(&next) {
                merged
                    .push_within(next)
                    .map_err(|_| ConfigError::NoMemory)?;
            }
        }
        drop(rcu);
        let merged = rcu::Boxed::new(merged, Gfp::Kernel);
        Ok(Some(merged.map_err(no_memory)?))
    }

    pub(super) fn publish(&self, list: Option<rcu::Boxed<Vec<T>>>) {
        if list.is_some() {
            self.0.replace(list);
        }
    }
}

/// Takes the least of what two sorted lists begin with.
fn least<'b, 'a: 'b, T: Ord + Copy>(a: &'b mut &'a [T], b: &'b mut &'a [T]) -> Option<T> {
    let from = match (a.first(), b.first()) {
        (Some(first), Some(other)) if other < first => b,
        (Some(_), _) => a,
        (None, _) => b,
    };
    let (first, rest) = from.split_first()?;
    *from = rest;
    Some(*first)
}

/// The log's line about a pool that has its first address.
pub(super) fn announce(owner: Option<ServiceKey>) {
    match owner {
        None => pr_info!("NAT servers of services without local addresses of their own are FULLNAT from now on, by the default pool; --masq-only keeps a service NAT\n"),
        Some(key) => pr_info!("NAT servers of {} are FULLNAT from now on, by local addresses of its own; --masq-only keeps it NAT\n", Shown(key)),
    }
}
