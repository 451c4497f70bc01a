// SPDX-License-Identifier: GPL-2.0

//! What toa.ko keeps in each network namespace: its settings and counters.

use crate::{
    counters::{Counter, Counters},
    trusted::Trusted,
    trusts_any,
};
use kapi::{
    gfp::Gfp,
    lock::Mutex,
    net::Net,
    netns::{NetState, Pernet},
    rcu,
    sock::Sock,
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        Arc,
    },
};
use lvs_kapi as kapi;
use lvs_wire::{addr::AnyAddr, kinds::KindSet};

/// The state of all namespaces.
pub(crate) static NAMESPACES: Pernet<Namespace> = Pernet::new();

/// What `look` finds in a socket's namespace. Any context.
pub(crate) fn of<R>(socket: &Sock, look: impl FnOnce(&Namespace) -> R) -> Option<R> {
    let rcu = rcu::ReadLock::new();
    NAMESPACES
        .borrow(socket.net(), &rcu)
        .map(|namespace| look(&namespace))
}

/// One namespace.
pub(crate) struct Namespace {
    pub(crate) counters: Counters,
    /// [`KindSet::to_bits`] of the kinds that are TOA here.
    kinds: Atomic<u32>,
    /// Who may send the option; empty: anyone.
    trusted: rcu::Cell<Trusted>,
    /// Connections whose client is known now.
    live: Atomic<u32>,
    /// Held while settings are changed.
    changing: Mutex<()>,
}

impl Namespace {
    /// The kinds that are TOA here.
    #[inline]
    pub(crate) fn kinds(&self) -> KindSet {
        KindSet::from_bits(self.kinds.load(Relaxed)).unwrap_or(KindSet::TOA)
    }

    /// Counts an outcome. Any context.
    #[inline]
    pub(crate) fn count(&self, counter: Counter) {
        self.counters.add_at(counter.index(), 1);
    }

    /// Whether an option that `source` sent counts. Any context.
    pub(crate) fn trusts(&self, source: AnyAddr) -> bool {
        let rcu = rcu::ReadLock::new();
        self.trusted
            .read(&rcu)
            .is_none_or(|trusted| trusted.contains(source))
    }

    /// Shows the trusted sources to `look`. Any context.
    pub(crate) fn with_trusted<R>(&self, look: impl FnOnce(Option<&Trusted>) -> R) -> R {
        let rcu = rcu::ReadLock::new();
        look(self.trusted.read(&rcu))
    }

    /// Changes settings, one caller at a time: `change` makes the new list of
    /// the old. May sleep.
    pub(crate) fn change_trusted<E>(
        &self,
        change: impl FnOnce(Option<&Trusted>) -> Result<Trusted, E>,
    ) -> Result<(), E>
    where
        E: From<kernel::alloc::AllocError>,
    {
        let _changing = self.changing.lock();
        let old = self.with_trusted(|old| old.copied());
        let new = change(old.as_ref())?;
        let new = match new.is_empty() {
            true => None,
            false => Some(rcu::Boxed::new(new, Gfp::Kernel)?),
        };
        self.trusted.replace(new);
        Ok(())
    }

    /// Replaces the kinds.
    pub(crate) fn set_kinds(&self, kinds: KindSet) {
        self.kinds.store(kinds.to_bits(), Relaxed);
    }

    /// Connections whose client is known now.
    pub(crate) fn live(&self) -> u32 {
        self.live.load(Relaxed)
    }

    /// One more is known.
    pub(crate) fn learnt(&self) {
        self.live.fetch_add(1, Relaxed);
    }

    /// One has ended.
    pub(crate) fn forgot(&self) {
        self.live.fetch_sub(1, Relaxed);
    }
}

impl NetState for Namespace {
    fn new(_: &Net) -> Result<Arc<Self>> {
        let trusted = rcu::Cell::empty();
        if !trusts_any() {
            trusted.replace(Some(rcu::Boxed::new(Trusted::nobody(), Gfp::Kernel)?));
        }
        let state = Self {
            counters: Counters::new(Gfp::Kernel)?,
            kinds: Atomic::new(KindSet::TOA.to_bits()),
            trusted,
            live: Atomic::new(0),
            changing: Mutex::new((), c"toa settings", kernel::static_lock_class!())?,
        };
        Ok(Arc::new(state, GFP_KERNEL)?)
    }
}
