// SPDX-License-Identifier: GPL-2.0

//! The connections of one namespace.

mod connection;
mod flows;

pub(crate) use connection::{Connection, NewConnection};
pub(crate) use flows::{Flows, Last};

use crate::{
    family::{Family, Pair},
    settings::Settings,
    spaces::Spaces,
    templates::Templates,
};
use core::net::{Ipv4Addr, Ipv6Addr};
use kernel::{
    prelude::*,
    sync::{Arc, SetOnce},
};
use lvs_engine::time::Ticks;
use lvs_kapi::{rcu::ReadLock, time};
use lvs_wire::addr::Family as AnyFamily;

/// The moment now.
#[inline]
pub(crate) fn now() -> Ticks {
    Ticks::from_millis(time::coarse_ms())
}

/// A wheel's tick is a second.
#[inline]
pub(crate) fn wheel_tick(ticks: Ticks) -> u32 {
    ticks.get().div_ceil(lvs_engine::time::TICKS_PER_SECOND)
}

/// Does something with the connections of each pair of families that a
/// namespace has: they are of different types.
macro_rules! each_pair {
    ($conns:expr, |$flows:ident| $body:expr) => {{
        if let Some($flows) = $conns.v4.as_ref() {
            $body;
        }
        if let Some($flows) = $conns.v6.as_ref() {
            $body;
        }
        if let Some($flows) = $conns.v64.as_ref() {
            $body;
        }
    }};
}
pub(crate) use each_pair;

/// All connections of a namespace, and the ports they use.
pub(crate) struct Conns {
    /// Made with the family's first service.
    pub(crate) v4: SetOnce<Flows<Ipv4Addr>>,
    /// As `v4`.
    pub(crate) v6: SetOnce<Flows<Ipv6Addr>>,
    /// IPv6 clients of IPv4 servers; made with `v6`.
    pub(crate) v64: SetOnce<Flows<Ipv6Addr, Ipv4Addr>>,
    pub(crate) spaces: Arc<Spaces>,
    pub(crate) templates: Templates,
}

impl Conns {
    /// May sleep.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            v4: SetOnce::new(),
            v6: SetOnce::new(),
            v64: SetOnce::new(),
            spaces: Arc::new(Spaces::new()?, GFP_KERNEL)?,
            templates: Templates::new()?,
        })
    }

    /// Makes room for a family's connections, if there is none. May sleep; one
    /// caller at a time.
    pub(crate) fn start(&self, family: AnyFamily) -> Result {
        match family {
            AnyFamily::V4 => start(&self.v4, &self.spaces),
            AnyFamily::V6 => {
                start(&self.v6, &self.spaces)?;
                start(&self.v64, &self.spaces)
            }
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        let mut sum = 0usize;
        each_pair!(self, |flows| sum = sum.saturating_add(flows.len()));
        sum
    }

    /// The same with the templates: what the namespace keeps of its clients.
    pub(crate) fn kept(&self) -> usize {
        self.len().saturating_add(self.templates.len())
    }

    /// How many chains the tables have.
    pub(crate) fn size(&self, rcu: &ReadLock) -> usize {
        let mut sum = 0usize;
        each_pair!(self, |flows| if flows.is_shown() {
            sum = sum.saturating_add(flows.size(rcu));
        });
        sum
    }

    /// Calls `each` with the number of links in every chain of the tables,
    /// `most` at most. May sleep.
    pub(crate) fn for_each_chain(&self, most: usize, mut each: impl FnMut(usize)) {
        each_pair!(self, |flows| if flows.is_shown() {
            flows.for_each_chain(most, &mut each);
        });
    }

    /// Ends all connections. May sleep; not together with [`Flows::expire`].
    pub(crate) fn clear(&self) {
        each_pair!(self, |flows| flows.clear());
        self.templates.clear();
    }

    /// See [`Flows::hasten_all`].
    pub(crate) fn hasten_all(&self, settings: &Settings) {
        each_pair!(self, |flows| flows.hasten_all(settings));
    }

    /// Ends the connections of servers that were removed, and what keeps
    /// clients with those. May sleep.
    pub(crate) fn end_orphans(&self) {
        each_pair!(self, |flows| flows.end_orphans());
        self.templates.end_orphans();
    }
}

fn start<C: Pair<S>, S: Family>(place: &SetOnce<Flows<C, S>>, spaces: &Arc<Spaces>) -> Result {
    if place.as_ref().is_none() {
        let cache = C::cache().read(&ReadLock::new()).cloned();
        // Another writer cannot have been faster: the services' lock is held.
        place.populate(Flows::new(cache.ok_or(ENODEV)?, spaces.clone())?);
    }
    Ok(())
}
