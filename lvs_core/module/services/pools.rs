// SPDX-License-Identifier: GPL-2.0

//! The pools of services' keys, also of services that are not there.

use crate::{locals::Pool, order, service::push};
use kernel::sync::Arc;
use lvs_engine::{config::ConfigError, service::ServiceKey};
use lvs_kapi::{gfp::Gfp, vec::Vec};

/// Pools, by key and in the order of listings.
#[derive(Default)]
pub(super) struct Pools {
    /// In the order of their serial numbers.
    all: Vec<(ServiceKey, Arc<Pool>)>,
    /// The serial numbers, in the order of the keys.
    serials: Vec<(ServiceKey, u64)>,
}

impl Pools {
    /// Of these, each with a key of its own. May sleep.
    pub(super) fn of(mut all: Vec<(ServiceKey, Arc<Pool>)>) -> Result<Self, ConfigError> {
        let no_memory = |_| ConfigError::NoMemory;
        order::sort(&mut all, |(_, pool)| pool.serial);
        let mut serials = Vec::with_capacity(all.len(), Gfp::Kernel).map_err(no_memory)?;
        for (key, pool) in all.iter() {
            push(&mut serials, (*key, pool.serial))?;
        }
        order::sort(&mut serials, |(key, _)| *key);
        Ok(Self { all, serials })
    }

    /// The pool of a key, if there is one.
    pub(super) fn find(&self, key: ServiceKey) -> Option<&Arc<Pool>> {
        let place = order::place(&self.serials, |(known, _)| known.cmp(&key)).ok()?;
        let (_, serial) = self.serials.get(place)?;
        let place = order::place(&self.all, |(_, pool)| pool.serial.cmp(serial)).ok()?;
        self.all.get(place).map(|(_, pool)| pool)
    }

    /// Adds a pool, whose serial number is the highest. May sleep.
    pub(super) fn add(&mut self, key: ServiceKey, pool: Arc<Pool>) -> Result<(), ConfigError> {
        let no_memory = |_| ConfigError::NoMemory;
        let (Ok(place) | Err(place)) = order::place(&self.serials, |(known, _)| known.cmp(&key));
        self.all.reserve(1, Gfp::Kernel).map_err(no_memory)?;
        self.serials
            .insert(place, (key, pool.serial), Gfp::Kernel)
            .map_err(no_memory)?;
        // There is room.
        let _ = self.all.push_within((key, pool));
        Ok(())
    }

    /// Forgets all that `keep` says no to.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(ServiceKey, &Pool) -> bool) {
        self.all.retain(|(key, pool)| keep(*key, pool));
        let all = &self.all;
        self.serials
            .retain(|(_, serial)| order::place(all, |(_, pool)| pool.serial.cmp(serial)).is_ok());
    }

    /// One by its place in listings, and its key.
    pub(super) fn at(&self, index: usize) -> Option<&(ServiceKey, Arc<Pool>)> {
        self.all.get(index)
    }

    /// All, in the order of listings.
    pub(super) fn iter(&self) -> impl Iterator<Item = &(ServiceKey, Arc<Pool>)> {
        self.all.iter()
    }
}
