// SPDX-License-Identifier: GPL-2.0

//! The services that packets find, all of them at one moment.
//!
//! A change of one service is made within its generation. A whole set that
//! takes the place of another is a generation of its own ([`super::replace`]):
//! a packet finds all of the one or all of the other.

use crate::{
    hash::Key,
    locals::Pool,
    service::{push, Service},
};
use kernel::sync::Arc;
use lvs_engine::{config::ConfigError, conn::Protocol, service::ServiceKey};
use lvs_kapi::{
    gfp::Gfp,
    rcu::{self, ReadLock},
    vec::Vec,
};
use lvs_wire::addr::AnyEndpoint;

const BUCKETS: usize = 256;

/// Which bucket the service of a key is in.
#[derive(Clone, Copy)]
pub(super) struct Placing(Key);

impl Placing {
    pub(super) fn new() -> Self {
        Self(Key::random())
    }

    /// One of `buckets`; `None` of a protocol that there are no services of.
    fn of<T>(&self, buckets: &[T], key: &ServiceKey) -> Option<usize> {
        let hash = match key {
            ServiceKey::Address {
                protocol,
                addr,
                port,
            } => {
                let protocol = Protocol::from_number(u8::try_from(*protocol).ok()?)?;
                let virt = AnyEndpoint::new(*addr, *port);
                self.0.endpoint(protocol, *addr, virt)
            }
            ServiceKey::Fwmark { mark, .. } => self.0.number(u64::from(*mark)),
        };
        // CAST: Widening.
        (hash as usize).checked_rem(buckets.len())
    }
}

/// The services by key, and the pool for those without addresses of their own.
pub(crate) struct Generation {
    placing: Placing,
    buckets: Vec<rcu::Cell<Vec<Arc<Service>>>>,
    pub(super) default_pool: Arc<Pool>,
}

impl Generation {
    /// Of the services that `service` finds in a sketch. May sleep.
    pub(super) fn of<T>(
        sketch: &Sketch<T>,
        service: impl Fn(&T) -> Option<&Arc<Service>>,
        default_pool: Arc<Pool>,
    ) -> Result<Self, ConfigError> {
        let no_memory = |_| ConfigError::NoMemory;
        let mut buckets = Vec::with_capacity(BUCKETS, Gfp::Kernel).map_err(no_memory)?;
        for from in sketch.buckets.iter() {
            let bucket = rcu::Cell::empty();
            if !from.is_empty() {
                let mut list = Vec::with_capacity(from.len(), Gfp::Kernel).map_err(no_memory)?;
                for service in from.iter().filter_map(&service) {
                    push(&mut list, service.clone())?;
                }
                let list = rcu::Boxed::new(list, Gfp::Kernel).map_err(no_memory)?;
                bucket.replace(Some(list));
            }
            push(&mut buckets, bucket)?;
        }
        Ok(Self {
            placing: sketch.placing,
            buckets,
            default_pool,
        })
    }

    fn bucket(&self, key: &ServiceKey) -> Option<&rcu::Cell<Vec<Arc<Service>>>> {
        self.buckets.get(self.placing.of(&self.buckets, key)?)
    }

    /// The service that a key names. Any context.
    pub(crate) fn at<'r>(&'r self, rcu: &'r ReadLock, key: ServiceKey) -> Option<&'r Arc<Service>> {
        self.bucket(&key)?
            .read(rcu)?
            .iter()
            .find(|service| service.key == key)
    }

    /// As [`Generation::at`], to be kept.
    pub(super) fn find(&self, key: ServiceKey) -> Option<Arc<Service>> {
        self.at(&ReadLock::new(), key).cloned()
    }

    /// All services, in no order. Any context.
    pub(super) fn iter<'r>(
        &'r self,
        rcu: &'r ReadLock,
    ) -> impl Iterator<Item = &'r Arc<Service>> + 'r {
        let lists = self.buckets.iter().filter_map(|bucket| bucket.read(rcu));
        lists.flat_map(|list| list.iter())
    }

    /// Lets a service be found. May sleep; one writer at a time.
    pub(super) fn add(&self, service: &Arc<Service>) -> Result<(), ConfigError> {
        self.rebuild(service, |list| {
            list.push_within(service.clone())
                .map_err(|_| ConfigError::NoMemory)
        })
    }

    /// Lets a service no longer be found. May sleep; one writer at a time.
    pub(super) fn remove(&self, service: &Arc<Service>) -> Result<(), ConfigError> {
        self.rebuild(service, |list| {
            list.retain(|other| !Arc::ptr_eq(other, service));
            Ok(())
        })
    }

    fn rebuild(
        &self,
        service: &Service,
        change: impl FnOnce(&mut Vec<Arc<Service>>) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        let bucket = self.bucket(&service.key).ok_or(ConfigError::Family)?;
        let mut list = copy(bucket)?;
        change(&mut list)?;
        let list = rcu::Boxed::new(list, Gfp::Kernel).map_err(|_| ConfigError::NoMemory)?;
        bucket.replace(Some(list));
        Ok(())
    }

    /// Lets none be found any more, without need of memory.
    pub(super) fn clear(&self) {
        for bucket in self.buckets.iter() {
            bucket.replace(None);
        }
    }

    /// How many chains the table of services has.
    pub(super) fn size(&self) -> usize {
        self.buckets.len()
    }

    /// Calls `each` with the length of every chain of that table.
    pub(super) fn for_each_chain(&self, mut each: impl FnMut(usize)) {
        for bucket in self.buckets.iter() {
            let rcu = ReadLock::new();
            each(bucket.read(&rcu).map_or(0, |services| services.len()));
        }
    }
}

/// A generation in the making: something of each service, in the bucket where
/// the service is to be.
pub(super) struct Sketch<T> {
    placing: Placing,
    buckets: Vec<Vec<T>>,
}

impl<T> Sketch<T> {
    /// Without services as yet. May sleep.
    pub(super) fn new() -> Result<Self, ConfigError> {
        Ok(Self {
            placing: Placing::new(),
            buckets: chains(BUCKETS)?,
        })
    }

    /// What there is in the bucket of a key.
    pub(super) fn bucket(&mut self, key: &ServiceKey) -> Option<&mut Vec<T>> {
        let place = self.placing.of(&self.buckets, key)?;
        self.buckets.get_mut(place)
    }

    /// All there is, bucket by bucket.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.buckets.iter_mut().flat_map(|bucket| bucket.iter_mut())
    }
}

/// So many empty chains. May sleep.
pub(super) fn chains<T>(count: usize) -> Result<Vec<Vec<T>>, ConfigError> {
    let chains = Vec::with_capacity(count, Gfp::Kernel);
    let mut chains = chains.map_err(|_| ConfigError::NoMemory)?;
    for _ in 0..count {
        push(&mut chains, Vec::new())?;
    }
    Ok(chains)
}

/// A copy of a published list, with room for one more. The caller is the only
/// writer.
fn copy<T: Send + Sync>(cell: &rcu::Cell<Vec<Arc<T>>>) -> Result<Vec<Arc<T>>, ConfigError> {
    // Memory first: a read section must not sleep.
    let len = cell.read(&ReadLock::new()).map_or(0, |list| list.len());
    let mut copy = Vec::with_capacity(len.saturating_add(1), Gfp::Kernel)
        .map_err(|_| ConfigError::NoMemory)?;
    let rcu = ReadLock::new();
    for item in cell.read(&rcu).map_or(&[][..], |list| list) {
        copy.push_within(item.clone())
            .map_err(|_| ConfigError::NoMemory)?;
    }
    Ok(copy)
}
