// SPDX-License-Identifier: GPL-2.0

//! The local addresses of services and of the namespace.

use super::Services;
use crate::{conns::V4, locals::Pool};
use kernel::prelude::*;
use lvs_engine::{config::ConfigError, laddr, service::ServiceKey};
use lvs_kapi::{
    gfp::Gfp,
    rcu::{self, ReadLock},
    vec::Vec,
};
use lvs_wire::addr::AnyAddr;

impl Services {
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
}
