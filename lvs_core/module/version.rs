// SPDX-License-Identifier: GPL-2.0

//! What a service is set to and who serves it, at one moment: what packets see
//! of a change is a whole version, or nothing.

use crate::{dests::Dest, order, service::push};
use kernel::sync::Arc;
use lvs_engine::{
    config::ConfigError,
    dest::DestConfig,
    sched::{self, Candidates, Preference, Request},
    service::ServiceConfig,
};
use lvs_kapi::{gfp::Gfp, rcu, vec::Vec};
use lvs_wire::addr::{AnyAddr, AnyEndpoint};

/// A version of a service.
pub(crate) struct Version {
    pub(crate) config: ServiceConfig,
    /// Oldest first, which is in the order of their serial numbers.
    backends: Vec<Backend>,
    /// Where the scheduler looks a client up, if it does.
    table: Option<Vec<u16>>,
}

/// A destination, as a version of its service has it.
pub(crate) struct Backend {
    pub(crate) dest: Arc<Dest>,
    pub(crate) config: DestConfig,
    /// The latest weight above 0.
    last_weight: u32,
}

impl Version {
    /// The destinations, oldest first.
    #[inline]
    pub(crate) fn backends(&self) -> &[Backend] {
        &self.backends
    }

    /// A destination, if this version has it.
    pub(crate) fn of(&self, dest: &Arc<Dest>) -> Option<&Backend> {
        let serial = dest.serial();
        let place = order::place(&self.backends, |one| one.dest.serial().cmp(&serial));
        let found = self.backends.get(place.ok()?)?;
        Arc::ptr_eq(&found.dest, dest).then_some(found)
    }

    /// The destinations, newest first as stock lists them: those behind number
    /// `last`, or all with 0.
    ///
    /// Each that stays is met once, whatever is added and removed meanwhile,
    /// if the caller keeps the lowest number that it has met.
    pub(crate) fn behind(&self, last: u64) -> impl Iterator<Item = &Backend> {
        let all = self.backends.iter().rev();
        all.filter(move |one| last == 0 || one.dest.serial() < last)
    }

    /// Who gets the next connection, which `client` opens to `virt`, and the
    /// next cursor.
    pub(crate) fn pick(
        &self,
        cursor: u64,
        client: AnyEndpoint,
        virt: AnyAddr,
    ) -> Option<(&Backend, u64)> {
        let request = Request {
            client,
            virt,
            flags: self.config.flags,
        };
        let choice = Choice(&self.backends);
        let scheduler = self.config.scheduler;
        let pick = scheduler.pick(cursor, &request, &choice, self.table.as_deref())?;
        Some((self.backends.get(pick.index)?, pick.cursor))
    }
}

/// A version in the making. Whoever changes something finishes it first, which
/// takes all memory, so that a change is made whole or not begun.
pub(crate) struct Draft {
    pub(crate) config: ServiceConfig,
    backends: Vec<Backend>,
}

impl Draft {
    /// Without destinations, but with room for `len`. May sleep.
    pub(crate) fn with_room(config: ServiceConfig, len: usize) -> Result<Self, ConfigError> {
        let backends = Vec::with_capacity(len, Gfp::Kernel);
        Ok(Self {
            config,
            backends: backends.map_err(|_| ConfigError::NoMemory)?,
        })
    }

    /// Adds what a version has, for which there must be room. Any context.
    pub(crate) fn copy(&mut self, version: &Version) -> Result<(), ConfigError> {
        for one in version.backends.iter() {
            let copy = Backend {
                dest: one.dest.clone(),
                ..*one
            };
            self.backends
                .push_within(copy)
                .map_err(|_| ConfigError::NoMemory)?;
        }
        Ok(())
    }

    /// The destination at an address.
    pub(crate) fn find(&self, real: AnyEndpoint) -> Option<&Backend> {
        self.backends.iter().find(|one| one.dest.real == real)
    }

    /// Adds a destination. May sleep.
    pub(crate) fn add(&mut self, dest: Arc<Dest>, config: DestConfig) -> Result<(), ConfigError> {
        let mut backend = Backend {
            last_weight: dest.last_weight(),
            dest,
            config,
        };
        backend.change(config);
        push(&mut self.backends, backend)
    }

    /// Changes the destination at an address.
    pub(crate) fn change(&mut self, real: AnyEndpoint, config: DestConfig) {
        let mut backends = self.backends.iter_mut();
        if let Some(backend) = backends.find(|one| one.dest.real == real) {
            backend.change(config);
        }
    }

    /// Takes out the destination at an address.
    pub(crate) fn remove(&mut self, real: AnyEndpoint) {
        self.backends.retain(|one| one.dest.real != real);
    }

    /// The version, to be published. May sleep.
    pub(crate) fn finish(self) -> Result<rcu::Boxed<Version>, ConfigError> {
        let Self {
            config,
            mut backends,
        } = self;
        order::sort(&mut backends, |one| one.dest.serial());
        let table = match config.scheduler.table_len() {
            None => None,
            Some(len) => {
                let mut table = filled(sched::FREE, len)?;
                let mut scratch = filled(Preference::default(), backends.len())?;
                let choice = Choice(&backends);
                config.scheduler.fill(&choice, &mut table, &mut scratch);
                Some(table)
            }
        };
        let version = Version {
            config,
            backends,
            table,
        };
        rcu::Boxed::new(version, Gfp::Kernel).map_err(|_| ConfigError::NoMemory)
    }
}

impl Backend {
    fn change(&mut self, config: DestConfig) {
        self.config = config;
        if config.weight > 0 {
            self.last_weight = config.weight;
        }
    }
}

fn filled<T: Copy>(value: T, len: usize) -> Result<Vec<T>, ConfigError> {
    let list = Vec::with_capacity(len, Gfp::Kernel);
    let mut list = list.map_err(|_| ConfigError::NoMemory)?;
    for _ in 0..len {
        push(&mut list, value)?;
    }
    Ok(list)
}

/// The destinations of a service as the schedulers see them.
struct Choice<'a>(&'a [Backend]);

impl Candidates for Choice<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn weight(&self, index: usize) -> u32 {
        self.0.get(index).map_or(0, |one| one.config.weight)
    }

    fn last_weight(&self, index: usize) -> u32 {
        self.0.get(index).map_or(0, |one| one.last_weight)
    }

    fn endpoint(&self, index: usize) -> Option<AnyEndpoint> {
        self.0.get(index).map(|one| one.dest.real)
    }

    fn is_overloaded(&self, index: usize) -> bool {
        let is_overloaded = |one: &Backend| one.dest.is_overloaded(one.config.thresholds);
        self.0.get(index).is_some_and(is_overloaded)
    }

    fn conns(&self, index: usize) -> (u32, u32) {
        self.0.get(index).map_or((0, 0), |one| one.dest.conns())
    }
}
