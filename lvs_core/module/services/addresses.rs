// SPDX-License-Identifier: GPL-2.0

//! The local addresses of services and of the namespace.

use super::{lists::Lists, Services};
use crate::{locals::Pool, service::Service, shown::Shown};
use core::{
    cmp::Ordering,
    net::{Ipv4Addr, Ipv6Addr},
};
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
            Some(key) => lists.known_pool(key).map(|pool| &**pool),
            None => Some(&self.default_pool),
        };
        let exists = pool.is_some_and(|pool| pool.has(local.addr));
        laddr::check(local.addr, key.as_ref(), exists)?;
        let mut services = lists.services.iter();
        if services.any(|s| laddr::conflicts(local.addr, &s.key)) {
            return Err(ConfigError::LocalAddressIsVirtual);
        }
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
        let pool = key.map(|key| lists.pool(key)).transpose()?;
        let pool = pool.as_deref().unwrap_or(&self.default_pool);
        self.locals.add(local.addr)?;
        let first = pool.is_empty(&ReadLock::new());
        pool.add(local.addr, local.dedicated)
            .map_err(|_| ConfigError::NoMemory)?;
        match key {
            _ if !first => {}
            None => pr_info!("NAT servers of services without local addresses of their own are FULLNAT from now on, by the default pool; --masq-only keeps a service NAT\n"),
            Some(key) => pr_info!("NAT servers of {} are FULLNAT from now on, by local addresses of its own; --masq-only keeps it NAT\n", Shown(key)),
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
            asks && service.dests(rcu).iter().any(|dest| {
                dest.real == server && service.method(dest, &self.default_pool, rcu) == Method::Nat
            })
        };
        // The walk is only for who was one once.
        self.nat_servers.has(rcu, server)
            && self.buckets.iter().any(|bucket| {
                let services = bucket.read(rcu);
                services.is_some_and(|services| services.iter().any(|service| is_one(service)))
            })
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
                .known_pool(key)
                .ok_or(ConfigError::LocalAddressUnknown)?,
            None => &self.default_pool,
        };
        pool.remove(addr).map_err(|error| {
            if error == ENOENT {
                ConfigError::LocalAddressUnknown
            } else {
                ConfigError::NoMemory
            }
        })?;
        if let Some(key) = key {
            lists.forget_idle(key);
        }
        Ok(())
    }

    /// Whether `addr` is a local address: of a service's pool, or of the
    /// default one.
    pub(super) fn is_local(&self, lists: &Lists, addr: AnyAddr) -> bool {
        let rcu = ReadLock::new();
        // Few addresses ever were one.
        let was = match addr {
            AnyAddr::V4(addr) => self.locals.has(&rcu, addr),
            AnyAddr::V6(addr) => self.locals.has(&rcu, addr),
        };
        let mut pools = lists.pools.iter();
        was && (self.default_pool.has(addr) || pools.any(|(_, pool)| pool.has(addr)))
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

    /// One writer at a time. May sleep.
    pub(super) fn add(&self, addr: AnyAddr) -> Result<(), ConfigError> {
        match addr {
            AnyAddr::V4(addr) => self.v4.add(addr),
            AnyAddr::V6(addr) => self.v6.add(addr),
        }
    }
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
        place(self.all(rcu), one).is_ok()
    }

    /// One writer at a time. May sleep.
    pub(super) fn add(&self, one: T) -> Result<(), ConfigError> {
        let no_memory = |_| ConfigError::NoMemory;
        let len = self.all(&ReadLock::new()).len();
        let mut more = Vec::with_capacity(len.saturating_add(1), Gfp::Kernel).map_err(no_memory)?;
        let rcu = ReadLock::new();
        let Err(place) = place(self.all(&rcu), one) else {
            return Ok(());
        };
        let (below, above) = self.all(&rcu).split_at_checked(place).unwrap_or_default();
        for part in [below, &[one], above] {
            for each in part {
                more.push_within(*each).map_err(|_| ConfigError::NoMemory)?;
            }
        }
        drop(rcu);
        let more = rcu::Boxed::new(more, Gfp::Kernel).map_err(no_memory)?;
        self.0.replace(Some(more));
        Ok(())
    }
}

/// Where `one` is in a sorted list, or else where it would be. The library's
/// search has overflow checks, which would be calls to the panic handler.
#[inline]
fn place<T: Ord>(list: &[T], one: T) -> Result<usize, usize> {
    let (mut from, mut to) = (0, list.len());
    while from < to {
        let middle = from.wrapping_add(to.wrapping_sub(from) >> 1);
        match list.get(middle).map(|found| found.cmp(&one)) {
            Some(Ordering::Equal) => return Ok(middle),
            Some(Ordering::Less) => from = middle.wrapping_add(1),
            Some(Ordering::Greater) | None => to = middle,
        }
    }
    Err(from)
}
