// SPDX-License-Identifier: GPL-2.0

//! What there is in each network namespace.

use crate::{
    conns::Conns,
    control,
    expiry::Expiry,
    packet,
    services::{Next, Services},
    settings::Settings,
    stats::Stats,
};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use kernel::{
    alloc::AllocError,
    prelude::*,
    static_lock_class,
    sync::{Arc, SetOnce},
};
use lvs_engine::{
    config::ConfigError,
    dest::DestRequest,
    drop_reason::{DropReason, Event},
    laddr::LocalConfig,
    service::{ServiceKey, ServiceRequest},
    time::Ticks,
    timeouts::Timeouts,
};
use lvs_kapi::{
    errno::eopnotsupp,
    gfp::Gfp,
    lock::Mutex,
    net::Net,
    netns::{Anchor, Attachments, Hooks, NetState, Pernet},
    percpu::Counters,
    rcu, route,
    work::Delayed,
};
use lvs_wire::addr::{AnyAddr, Family};

/// Finds the state of a namespace.
pub(crate) static NS: Pernet<Ns> = Pernet::new();

/// The state of one namespace.
pub(crate) struct Ns {
    pub(crate) settings: Settings,
    pub(crate) services: Services,
    /// All packets and bytes that were forwarded.
    pub(crate) totals: Stats,
    drops: Counters<{ DropReason::COUNT }>,
    events: Counters<{ Event::COUNT }>,
    /// Made with the first service, kept until the namespace goes.
    conns: SetOnce<Conns>,
    /// Where its hooks are attached.
    anchor: SetOnce<Anchor>,
    /// When a packet last caused a line in the log.
    logged: AtomicU32,
    /// Connections of removed servers are to be ended.
    orphans: AtomicBool,
    /// What runs while there are services.
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    v4_hooks: Option<Hooks>,
    v6_hooks: Option<Hooks>,
    expiry: Option<Delayed<Expiry>>,
    /// The namespace is going away.
    ended: bool,
}

impl Running {
    fn hooks(&mut self, family: Family) -> &mut Option<Hooks> {
        match family {
            Family::V4 => &mut self.v4_hooks,
            Family::V6 => &mut self.v6_hooks,
        }
    }
}

impl Ns {
    #[inline]
    pub(crate) fn conns(&self) -> Option<&Conns> {
        self.conns.as_ref()
    }

    /// Counts a packet that is dropped.
    #[cold]
    pub(crate) fn dropped(&self, reason: DropReason) {
        self.drops.add_at(reason.id(), 1);
    }

    /// Counts something else.
    pub(crate) fn happened(&self, event: Event) {
        self.events.add_at(event.id(), 1);
    }

    /// Whether a line that a packet causes may be written now: one in ten
    /// seconds. Any context.
    pub(crate) fn may_log(&self, now: Ticks) -> bool {
        const PAUSE_SECONDS: u32 = 10;
        let last = self.logged.load(Relaxed);
        let rested = now.is_after(Ticks::new(last).after_seconds(PAUSE_SECONDS));
        (last == 0 || rested)
            && self
                .logged
                .compare_exchange(last, now.get().max(1), Relaxed, Relaxed)
                .is_ok()
    }

    /// Changes timeouts, also of connections that are there. May sleep.
    pub(crate) fn change_timeouts<E: From<AllocError>>(
        &self,
        change: impl FnOnce(&mut Timeouts) -> Result<(), E>,
    ) -> Result<(), E> {
        self.settings.change_timeouts(change)?;
        if let Some(conns) = self.conns() {
            conns.hasten_all(&self.settings);
        }
        Ok(())
    }

    /// By [`DropReason::id`].
    pub(crate) fn drops(&self) -> [u64; DropReason::COUNT] {
        self.drops.sum()
    }

    /// By [`Event::id`].
    pub(crate) fn events(&self) -> [u64; Event::COUNT] {
        self.events.sum()
    }

    /// What is attached to the namespace, or keeps it. Any context.
    #[inline]
    pub(crate) fn anchor(&self) -> Option<&Anchor> {
        self.anchor.as_ref()
    }

    /// Calls `then` with the namespace, unless it is going away. May sleep.
    pub(crate) fn with_net<R: Send>(&self, then: impl FnOnce(&Net) -> R) -> Option<R> {
        self.anchor.as_ref()?.with(then)
    }

    /// A family's first service comes: packets are to be met, and forgotten
    /// connections to be ended.
    fn start(this: &Arc<Self>, family: Family) -> Result<(), ConfigError> {
        match this.with_net(|net| route::has_family(net, family)) {
            Some(true) => {}
            Some(false) => return Err(ConfigError::Ipv6Off),
            None => return Err(ConfigError::GoingAway),
        }
        let no_memory = |_: Error| ConfigError::NoMemory;
        let no_tables = |error| {
            if error == ENODEV {
                ConfigError::GoingAway
            } else {
                ConfigError::NoMemory
            }
        };
        if this.conns.as_ref().is_none() {
            // Another writer cannot have been faster: the services' lock is
            // held.
            this.conns.populate(Conns::new().map_err(no_tables)?);
        }
        let conns = this.conns.as_ref().ok_or(ConfigError::NoMemory)?;
        conns.start(family).map_err(no_tables)?;
        let mut running = this.running.lock();
        if running.ended {
            return Err(ConfigError::GoingAway);
        }
        if running.expiry.is_none() {
            let expiry = Delayed::new(Expiry::new(this.clone())).map_err(no_memory)?;
            running.expiry = Some(expiry);
        }
        if running.hooks(family).is_none() {
            let anchor = this.anchor.as_ref().ok_or(ConfigError::GoingAway)?;
            let hooks = packet::hooks(anchor, family, this.clone()).map_err(|error| {
                if error == eopnotsupp() {
                    ConfigError::Ipv6Fragments
                } else {
                    ConfigError::NoMemory
                }
            })?;
            *running.hooks(family) = Some(hooks);
        }
        if let Some(expiry) = &running.expiry {
            expiry.schedule(Expiry::PERIOD_MS);
        }
        Ok(())
    }

    /// A server was removed, or several: what is to become of their
    /// connections?
    fn orphaned(&self) {
        if self.settings.reuse().expire_nodest_conn {
            self.orphans.store(true, Relaxed);
        }
    }

    /// Whether connections of removed servers are to be ended, which is then
    /// taken as done.
    pub(crate) fn has_orphans(&self) -> bool {
        self.orphans.swap(false, Relaxed)
    }

    /// Adds a service. May sleep.
    pub(crate) fn add_service(
        this: &Arc<Self>,
        request: &ServiceRequest<'_>,
    ) -> Result<(), ConfigError> {
        this.services
            .add(request, |family| Self::start(this, family))
            .inspect_err(|_| this.settle())
    }

    /// Removes a service. May sleep.
    pub(crate) fn delete_service(&self, key: ServiceKey) -> Result<(), ConfigError> {
        self.services.delete(key)?;
        self.orphaned();
        self.settle();
        Ok(())
    }

    /// Removes all services. May sleep.
    pub(crate) fn flush(&self) {
        self.services.flush();
        self.orphaned();
        self.settle();
    }

    /// Lets a whole set of services, destinations and local addresses, which
    /// `fill` adds, take the place of all that there are; or changes nothing.
    /// May sleep.
    pub(crate) fn replace<E: From<ConfigError>>(
        this: &Arc<Self>,
        net: &Net,
        fill: impl FnOnce(&mut Next<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = |family| Self::start(this, family);
        let replaced = this.services.replace(net, start, fill);
        if replaced.is_ok() {
            this.orphaned();
        }
        this.settle();
        replaced
    }

    /// Without services of a family no hooks: this host then is as if the
    /// module were not there.
    fn settle(&self) {
        let hooks = [Family::V4, Family::V6].map(|family| {
            self.services
                .when_empty(family, || self.running.lock().hooks(family).take())
        });
        if hooks.iter().any(Option::is_some) {
            // Waits for packets that are in a hook: outside of the locks. Then
            // for what is freed after them, which holds the module: whoever
            // unloads it next must find it free.
            drop(hooks);
            rcu::barrier();
            // A generation that was freed held lists of services.
            rcu::barrier();
        }
    }

    /// Adds a destination. May sleep.
    pub(crate) fn add_dest(
        this: &Arc<Self>,
        net: &Net,
        key: ServiceKey,
        request: &DestRequest<'_>,
    ) -> Result<(), ConfigError> {
        let start = |family| Self::start(this, family);
        this.services
            .add_dest(net, key, request, start)
            .inspect_err(|_| this.settle())
    }

    /// Removes a destination. May sleep.
    pub(crate) fn delete_dest(
        &self,
        key: ServiceKey,
        request: &DestRequest<'_>,
    ) -> Result<(), ConfigError> {
        self.services.delete_dest(key, request)?;
        self.orphaned();
        self.settle();
        Ok(())
    }

    /// Adds a local address. May sleep.
    pub(crate) fn add_local(
        &self,
        key: Option<ServiceKey>,
        local: LocalConfig,
    ) -> Result<(), ConfigError> {
        self.services.add_local(key, local)
    }

    /// Removes a local address. May sleep.
    pub(crate) fn delete_local(
        &self,
        key: Option<ServiceKey>,
        addr: AnyAddr,
    ) -> Result<(), ConfigError> {
        self.services.delete_local(key, addr)
    }

    /// Sets counters to zero. May sleep.
    pub(crate) fn zero(&self, key: Option<ServiceKey>) -> Result<(), ConfigError> {
        self.services.zero(key)?;
        if key.is_none() {
            self.totals.clear();
        }
        Ok(())
    }
}

impl NetState for Ns {
    fn new(_net: &Net) -> Result<Arc<Self>> {
        let ns = Self {
            settings: Settings::new(),
            services: Services::new()?,
            totals: Stats::new()?,
            drops: Counters::new(Gfp::Kernel)?,
            events: Counters::new(Gfp::Kernel)?,
            conns: SetOnce::new(),
            anchor: SetOnce::new(),
            logged: AtomicU32::new(0),
            orphans: AtomicBool::new(false),
            running: Mutex::new(Running::default(), c"lvs_running", static_lock_class!())?,
        };
        Ok(Arc::new(ns, GFP_KERNEL)?)
    }

    fn attach(state: &Arc<Self>, at: &mut Attachments<'_>) -> Result {
        state.anchor.populate(at.anchor());
        control::attach(state, at)
    }

    fn pre_exit(state: &Arc<Self>, _net: &Net) {
        // Devices are waited for before it is our turn to exit.
        state.services.forget_routes(&rcu::ReadLock::new());
    }

    fn exit(state: Arc<Self>, _net: &Net) {
        let (hooks, expiry) = {
            let mut running = state.running.lock();
            running.ended = true;
            let hooks = [Family::V4, Family::V6].map(|family| running.hooks(family).take());
            (hooks, running.expiry.take())
        };
        // No packet comes in any more, and none is on its way through; no
        // timer runs. Both held a reference to the state.
        drop(hooks);
        drop(expiry);
        // A namespace may go with its services in it. They hold the module.
        state.services.flush();
        if let Some(conns) = state.conns() {
            conns.clear();
        }
    }
}
