// SPDX-License-Identifier: GPL-2.0

//! Destinations: the servers of a service.

use crate::stats::Stats;
use core::sync::atomic::{
    fence, AtomicBool, AtomicU32, AtomicU64,
    Ordering::{Relaxed, SeqCst},
};
use kernel::{prelude::*, sync::Arc};
use lvs_engine::{
    conn::{Activity, DestStatus},
    dest::{DestConfig, Thresholds},
    tunnel::Tunnel,
};
use lvs_kapi::{
    gfp::Gfp,
    net::Net,
    netns::Anchor,
    rcu::{self, ReadLock},
    route::{Kept, Query, Route},
};
use lvs_wire::addr::{Address, AnyEndpoint};

/// A server of one service. It lives for as long as it has connections.
pub(crate) struct Dest {
    pub(crate) real: AnyEndpoint,
    /// Those that were added later to their service have a higher one.
    serial: AtomicU64,
    weight: AtomicU32,
    /// The latest weight above 0.
    last_weight: AtomicU32,
    /// It reached the upper threshold, and has not come down to the lower one.
    overloaded: AtomicBool,
    /// Type, flags and port of its tunnel.
    tunnel: AtomicU32,
    /// Templates that lead to it.
    persistent: AtomicU32,
    /// Whether it still is in its service.
    available: AtomicBool,
    total: AtomicU32,
    active: AtomicU32,
    pub(crate) stats: Stats,
    /// Its service's.
    pub(crate) service_stats: Arc<Stats>,
    route: rcu::Cell<Kept>,
}

impl Dest {
    /// May sleep.
    pub(crate) fn new(
        real: AnyEndpoint,
        config: DestConfig,
        service_stats: Arc<Stats>,
    ) -> Result<Arc<Self>> {
        let dest = Self {
            real,
            serial: AtomicU64::new(0),
            weight: AtomicU32::new(0),
            last_weight: AtomicU32::new(0),
            overloaded: AtomicBool::new(false),
            tunnel: AtomicU32::new(0),
            persistent: AtomicU32::new(0),
            available: AtomicBool::new(true),
            total: AtomicU32::new(0),
            active: AtomicU32::new(0),
            stats: Stats::new()?,
            service_stats,
            route: rcu::Cell::empty(),
        };
        dest.change(config);
        Ok(Arc::new(dest, GFP_KERNEL)?)
    }

    /// It is the last in its service from now on. `serial` is the highest one.
    pub(crate) fn set_serial(&self, serial: u64) {
        self.serial.store(serial, Relaxed);
    }

    /// Where a listing of its service has got to with it; 0 is nowhere.
    pub(crate) fn serial(&self) -> u64 {
        self.serial.load(Relaxed)
    }

    /// Changes what the packets of its connections see of its settings: whether
    /// it has a weight, and its tunnel. (Who opens a connection goes by the
    /// version of the service.)
    pub(crate) fn change(&self, config: DestConfig) {
        self.weight.store(config.weight, Relaxed);
        if config.weight > 0 {
            self.last_weight.store(config.weight, Relaxed);
        }
        let tunnel = config.tunnel;
        let word = u32::from(tunnel.kind())
            | u32::from(tunnel.flags() & 0xff) << 8
            | u32::from(tunnel.port()) << 16;
        self.tunnel.store(word, Relaxed);
        // The way there may be another one now.
        self.route.replace(None);
    }

    /// Whether it has as many connections as it may have. To be asked whenever
    /// somebody is sought for a new one: what it said last counts.
    pub(crate) fn is_overloaded(&self, thresholds: Thresholds) -> bool {
        let before = self.overloaded.load(Relaxed);
        let now = thresholds.is_reached(before, self.total.load(Relaxed));
        if now != before {
            self.overloaded.store(now, Relaxed);
        }
        now
    }

    /// How packets to it are wrapped.
    #[inline]
    pub(crate) fn tunnel(&self) -> Tunnel {
        let word = self.tunnel.load(Relaxed);
        let [kind, flags, low, high] = word.to_le_bytes();
        let port = u16::from_le_bytes([low, high]);
        // It was one when it was put there.
        Tunnel::new(kind, port, flags.into()).unwrap_or_default()
    }

    /// A template has come or gone.
    pub(crate) fn templates(&self, change: i32) {
        // CAST: A wrapping sum has no sign.
        self.persistent.fetch_add(change as u32, Relaxed);
    }

    /// How many templates lead to it.
    pub(crate) fn persistent(&self) -> u32 {
        self.persistent.load(Relaxed)
    }

    /// The latest weight above 0; 0 if it never had one.
    pub(crate) fn last_weight(&self) -> u32 {
        self.last_weight.load(Relaxed)
    }

    /// Takes it out of service, or back into it.
    pub(crate) fn set_available(&self, available: bool) {
        self.available.store(available, Relaxed);
    }

    #[inline]
    pub(crate) fn status(&self) -> DestStatus {
        DestStatus {
            available: self.available.load(Relaxed),
            weight: self.weight.load(Relaxed),
        }
    }

    /// A connection was opened; it is inactive at first.
    pub(crate) fn opened(&self) {
        self.total.fetch_add(1, Relaxed);
    }

    pub(crate) fn closed(&self, active: bool) {
        if active {
            self.active.fetch_sub(1, Relaxed);
        }
        self.total.fetch_sub(1, Relaxed);
    }

    /// A connection has become active, or inactive.
    pub(crate) fn count(&self, activity: Activity) {
        match activity {
            Activity::Unchanged => {}
            Activity::Activated => {
                self.active.fetch_add(1, Relaxed);
            }
            Activity::Deactivated => {
                self.active.fetch_sub(1, Relaxed);
            }
        }
    }

    /// Its active connections now, and the others.
    pub(crate) fn conns(&self) -> (u32, u32) {
        let active = self.active.load(Relaxed);
        (active, self.total.load(Relaxed).saturating_sub(active))
    }

    /// The way to it. Kept for all connections: neither the source nor a mark
    /// decides about it. Any context.
    #[inline]
    pub(crate) fn with_route<A: Address, R>(
        &self,
        net: &Net,
        anchor: Option<&Anchor>,
        rcu: &ReadLock,
        query: Query<A>,
        then: impl FnOnce(&Route) -> R,
    ) -> Option<R> {
        let fits = |route: &&Kept| route.is_valid() && route.is_next_hop() == query.next_hop;
        if let Some(route) = self.route.read(rcu).filter(fits) {
            return Some(then(route));
        }
        let route = Route::find(net, query)?;
        let result = then(&route);
        // Kept for the next packet; without memory, looked up again.
        let kept = anchor.and_then(|anchor| route.keep(anchor));
        let kept = kept.and_then(|kept| rcu::Boxed::new(kept, Gfp::Atomic).ok());
        if kept.is_some() {
            self.route.replace(kept);
            // Who takes it out of service, or the namespace down, forgets the
            // route after having said so: one of both sees the other.
            let is_wanted = net.is_alive() && self.status().available;
            if !is_wanted {
                self.forget_route();
            }
        }
        Some(result)
    }

    /// Forgets the way there: a route of IPv6 may keep its device from going
    /// away. Any context.
    pub(crate) fn forget_route(&self) {
        // ORDERING: Why it is to be forgotten is seen by `with_route` unless
        // that keeps its route before.
        fence(SeqCst);
        self.route.replace(None);
    }
}
