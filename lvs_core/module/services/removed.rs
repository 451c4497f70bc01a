// SPDX-License-Identifier: GPL-2.0

//! Destinations that were removed and still have connections: added again, they
//! get them back.

use crate::{dests::Dest, order, stats::Stats};
use core::cmp::Ordering;
use kernel::sync::Arc;
use lvs_engine::service::ServiceKey;
use lvs_kapi::{gfp::Gfp, vec::Vec};
use lvs_wire::addr::AnyEndpoint;

/// Removed destinations, by their service's key and their address.
#[derive(Default)]
pub(super) struct Removed(Vec<(ServiceKey, Arc<Dest>)>);

impl Removed {
    /// The destination, if it was removed and is not forgotten.
    pub(super) fn find(&self, key: ServiceKey, real: AnyEndpoint) -> Option<&Arc<Dest>> {
        let place = self.place(key, real).ok()?;
        self.0.get(place).map(|(_, dest)| dest)
    }

    fn place(&self, key: ServiceKey, real: AnyEndpoint) -> Result<usize, usize> {
        order::place(&self.0, |(known, dest)| {
            known.cmp(&key).then(dest.real.cmp(&real))
        })
    }

    /// The counters of the service that they were removed from, or with.
    pub(super) fn stats(&self, key: ServiceKey) -> Option<&Arc<Stats>> {
        // The first one of the key, since none is less.
        let (Ok(first) | Err(first)) = order::place(&self.0, |(known, _)| {
            known.cmp(&key).then(Ordering::Greater)
        });
        let (known, dest) = self.0.get(first)?;
        (*known == key).then_some(&dest.service_stats)
    }

    /// Makes room for so many more. May sleep. Without memory some will be
    /// forgotten at once.
    pub(super) fn reserve(&mut self, additional: usize) {
        let _ = self.0.reserve(additional, Gfp::Kernel);
    }

    /// Adds one; without memory it is forgotten at once: added again, it is a
    /// new one. May sleep.
    pub(super) fn add(&mut self, key: ServiceKey, dest: &Arc<Dest>) {
        let (Ok(place) | Err(place)) = self.place(key, dest.real);
        let _ = self.0.insert(place, (key, dest.clone()), Gfp::Kernel);
    }

    /// Adds one of many; to be followed by [`Removed::sort`]. May sleep.
    pub(super) fn push(&mut self, key: ServiceKey, dest: &Arc<Dest>) {
        let _ = self.0.push((key, dest.clone()), Gfp::Kernel);
    }

    /// Brings them into their order.
    pub(super) fn sort(&mut self) {
        order::sort(&mut self.0, |(key, dest)| (*key, dest.real));
    }

    /// It is no removed one any more.
    pub(super) fn revive(&mut self, key: ServiceKey, dest: &Dest) {
        if let Ok(place) = self.place(key, dest.real) {
            self.0.remove(place);
        }
    }

    /// Forgets all that `keep` says no to.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&Dest) -> bool) {
        self.0.retain(|(_, dest)| keep(dest));
    }
}
