// SPDX-License-Identifier: GPL-2.0

//! Local addresses, the balancer's own towards the servers, and the pools that
//! they are in: one for each service, and the namespace's default.

use crate::stats::Stats;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use kernel::{prelude::*, sync::Arc};
use lvs_engine::ports::Ranges;
use lvs_kapi::{
    gfp::Gfp,
    rcu::{self, ReadLock},
    vec::Vec,
};
use lvs_wire::addr::{AnyAddr, Family};

/// One address in one pool. It lives for as long as it has connections.
pub(crate) struct Local {
    pub(crate) addr: AnyAddr,
    /// Those that came later to their pool have a higher one, from 1 on.
    pub(crate) serial: u64,
    conns: AtomicU32,
    exhausted: AtomicU64,
    /// It has been removed from its pool: it gets no new connections.
    pub(crate) draining: AtomicBool,
    /// The host itself leaves the address alone: every port may be used.
    dedicated: AtomicBool,
    pub(crate) stats: Stats,
}

impl Local {
    fn new(addr: AnyAddr, serial: u64) -> Result<Arc<Self>> {
        Ok(Arc::new(
            Self {
                addr,
                serial,
                conns: AtomicU32::new(0),
                exhausted: AtomicU64::new(0),
                draining: AtomicBool::new(false),
                dedicated: AtomicBool::new(false),
                stats: Stats::new()?,
            },
            GFP_KERNEL,
        )?)
    }

    pub(crate) fn opened(&self) {
        self.conns.fetch_add(1, Relaxed);
    }

    pub(crate) fn closed(&self) {
        self.conns.fetch_sub(1, Relaxed);
    }

    /// It is a member of its pool, and set to this.
    pub(crate) fn enter(&self, dedicated: bool) {
        self.draining.store(false, Relaxed);
        self.dedicated.store(dedicated, Relaxed);
    }

    /// It is no member any more.
    fn leave(&self) {
        self.draining.store(true, Relaxed);
    }

    /// Its connections now.
    pub(crate) fn conns(&self) -> u32 {
        self.conns.load(Relaxed)
    }

    pub(crate) fn is_dedicated(&self) -> bool {
        self.dedicated.load(Relaxed)
    }

    /// The ports that connections leave from: `host`, which are those that the
    /// host does not use itself, or all if it uses none.
    pub(crate) fn ports(&self, host: Ranges) -> Ranges {
        if self.is_dedicated() {
            Ranges::DEDICATED
        } else {
            host
        }
    }

    /// No port was free for a connection.
    pub(crate) fn ran_dry(&self) {
        self.exhausted.fetch_add(1, Relaxed);
    }

    /// How often no port was free.
    pub(crate) fn exhausted(&self) -> u64 {
        self.exhausted.load(Relaxed)
    }
}

type Members = Vec<Arc<Local>>;

/// Local addresses that connections are spread over.
pub(crate) struct Pool {
    /// Those that were made later have a higher one.
    pub(crate) serial: u64,
    members: rcu::Cell<Members>,
    /// Removed ones that still have connections.
    leaving: rcu::Cell<Members>,
    /// Which one is next; any number will do.
    cursor: AtomicU32,
    /// How many addresses it has had.
    had: AtomicU64,
}

impl Pool {
    /// An empty pool that begins at a random place once it has members.
    pub(crate) fn new(random: u32, serial: u64) -> Self {
        Self {
            serial,
            members: rcu::Cell::empty(),
            leaving: rcu::Cell::empty(),
            cursor: AtomicU32::new(random),
            had: AtomicU64::new(0),
        }
    }

    /// The members, oldest first. Any context.
    #[inline]
    pub(crate) fn members<'r>(&'r self, rcu: &'r ReadLock) -> &'r [Arc<Local>] {
        self.members.read(rcu).map_or(&[], |members| members)
    }

    /// Whether `addr` is in it. Any context.
    pub(crate) fn has(&self, addr: AnyAddr) -> bool {
        let rcu = ReadLock::new();
        self.members(&rcu).iter().any(|local| local.addr == addr)
    }

    pub(crate) fn is_empty(&self, rcu: &ReadLock) -> bool {
        self.members(rcu).is_empty()
    }

    /// Whether it has no members, and none that were removed.
    pub(crate) fn is_idle(&self, rcu: &ReadLock) -> bool {
        self.is_empty(rcu) && self.leaving(rcu).is_empty()
    }

    /// How many members are of a family. Any context.
    pub(crate) fn count(&self, family: Family, rcu: &ReadLock) -> usize {
        let of_family = |local: &&Arc<Local>| Family::of(&local.addr) == family;
        // The library's way of counting checks for overflow.
        let members = self.members(rcu).iter().filter(of_family);
        members.fold(0, |count, _| count.saturating_add(1))
    }

    /// All members of a family, beginning with the one whose turn it is. Any
    /// context.
    pub(crate) fn in_turn<'r>(
        &'r self,
        family: Family,
        rcu: &'r ReadLock,
    ) -> impl Iterator<Item = &'r Arc<Local>> + 'r {
        let members = self.members(rcu);
        let turn = self.cursor.fetch_add(1, Relaxed);
        // CAST: Widening.
        let start = (turn as usize).checked_rem(members.len()).unwrap_or(0);
        let (earlier, later) = members.split_at_checked(start).unwrap_or_default();
        let turn = Iterator::chain(later.iter(), earlier);
        turn.filter(move |local| Family::of(&local.addr) == family)
    }

    /// Removed addresses that still have connections. Any context.
    pub(crate) fn leaving<'r>(&'r self, rcu: &'r ReadLock) -> &'r [Arc<Local>] {
        self.leaving.read(rcu).map_or(&[], |leaving| leaving)
    }

    /// Adds an address; one that is leaving comes back with its connections,
    /// to where it was. May sleep; one writer at a time.
    ///
    /// # Errors
    ///
    /// `EEXIST`, `ENOMEM`.
    pub(crate) fn add(&self, addr: AnyAddr, dedicated: bool) -> Result {
        if self.has(addr) {
            return Err(EEXIST);
        }
        let back = self.comes_back(addr, &ReadLock::new());
        let local = match back {
            Some(local) => local,
            None => self.make(addr)?,
        };
        // Memory for both lists before either is published.
        let members = with(&self.members, &local)?;
        let leaving = without(&self.leaving, |l| l.addr == addr)?;
        self.members.replace(Some(members));
        local.enter(dedicated);
        self.leaving.replace(Some(leaving));
        Ok(())
    }

    /// Removes an address; its connections go on. May sleep; one writer at a
    /// time.
    ///
    /// # Errors
    ///
    /// `ENOENT`, `ENOMEM`.
    pub(crate) fn remove(&self, addr: AnyAddr) -> Result {
        let gone = {
            let rcu = ReadLock::new();
            self.members(&rcu).iter().find(|l| l.addr == addr).cloned()
        };
        let gone = gone.ok_or(ENOENT)?;
        // As in `add`.
        let leaving = with(&self.leaving, &gone)?;
        let members = without(&self.members, |l| l.addr == addr)?;
        self.members.replace(Some(members));
        gone.leave();
        self.leaving.replace(Some(leaving));
        Ok(())
    }

    /// A pool that is to take the place of this one: nobody knows it, and it
    /// has no members yet.
    pub(crate) fn successor(&self) -> Self {
        Self {
            serial: self.serial,
            members: rcu::Cell::empty(),
            leaving: rcu::Cell::empty(),
            cursor: AtomicU32::new(self.cursor.load(Relaxed)),
            had: AtomicU64::new(self.had.load(Relaxed)),
        }
    }

    /// Adds an address to a pool that nobody knows: that of `former`, whose
    /// place it is to take, with its connections, or a new one. To be told
    /// ([`Local::enter`]) once the pool is known. May sleep.
    ///
    /// # Errors
    ///
    /// As [`Pool::add`].
    pub(crate) fn adopt(&self, former: Option<&Self>, addr: AnyAddr) -> Result<Arc<Local>> {
        if self.has(addr) {
            return Err(EEXIST);
        }
        let known = former.and_then(|former| {
            let rcu = ReadLock::new();
            let is_it = |local: &&Arc<Local>| local.addr == addr;
            let member = former.members(&rcu).iter().find(is_it);
            member.cloned().or_else(|| former.comes_back(addr, &rcu))
        });
        let local = match known {
            Some(local) => local,
            None => self.make(addr)?,
        };
        self.members.replace(Some(with(&self.members, &local)?));
        Ok(local)
    }

    /// Takes what `former` has and this pool, which nobody knows, has not as
    /// what leaves. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn dismiss(&self, former: &Self) -> Result {
        for list in [&former.members, &former.leaving] {
            let mut index = 0_usize;
            loop {
                let rcu = ReadLock::new();
                let all = list.read(&rcu).map_or(&[][..], |all| all);
                let Some(local) = all.get(index).cloned() else {
                    break;
                };
                drop(rcu);
                index = index.saturating_add(1);
                let stays = |other: &Arc<Local>| Arc::ptr_eq(other, &local);
                if !self.members(&ReadLock::new()).iter().any(stays) {
                    self.leaving.replace(Some(with(&self.leaving, &local)?));
                }
            }
        }
        Ok(())
    }

    /// Tells those that leave: the pool is known now.
    pub(crate) fn see_off(&self) {
        let rcu = ReadLock::new();
        for local in self.leaving(&rcu) {
            local.leave();
        }
    }

    /// An address that is leaving and may come back with its connections.
    /// Without any it would be forgotten within a second.
    fn comes_back(&self, addr: AnyAddr, rcu: &ReadLock) -> Option<Arc<Local>> {
        let mut leaving = self.leaving(rcu).iter();
        let is_it = |local: &&Arc<Local>| local.addr == addr && local.conns() != 0;
        leaving.find(is_it).cloned()
    }

    fn make(&self, addr: AnyAddr) -> Result<Arc<Local>> {
        let had = self.had.fetch_add(1, Relaxed);
        Local::new(addr, had.wrapping_add(1))
    }

    /// Forgets removed addresses without connections. May sleep; one writer at
    /// a time.
    pub(crate) fn tidy(&self) {
        let idle = |local: &Arc<Local>| local.conns() == 0;
        if self.leaving(&ReadLock::new()).iter().any(idle) {
            // No memory: another time.
            if let Ok(left) = without(&self.leaving, |local| local.conns() == 0) {
                self.leaving.replace(Some(left));
            }
        }
    }

    /// Sets the counters of all addresses to zero. May sleep.
    pub(crate) fn zero(&self) {
        let rcu = ReadLock::new();
        for local in self.members(&rcu).iter() {
            local.stats.clear();
        }
    }
}

/// The list with one more, where it belongs by its number. May sleep; one
/// writer at a time.
fn with(list: &rcu::Cell<Members>, local: &Arc<Local>) -> Result<rcu::Boxed<Members>> {
    build(list, |copy, all| {
        let place = all.iter().position(|other| other.serial > local.serial);
        let parts = place.and_then(|place| all.split_at_checked(place));
        let (earlier, later) = parts.unwrap_or((all, &[]));
        let parts = [earlier, core::slice::from_ref(local), later];
        for each in parts.into_iter().flatten() {
            copy.push_within(each.clone()).map_err(|_| ENOMEM)?;
        }
        Ok(())
    })
}

/// The list without those that `gone` says yes to. May sleep; one writer at a
/// time.
fn without(
    list: &rcu::Cell<Members>,
    gone: impl Fn(&Local) -> bool,
) -> Result<rcu::Boxed<Members>> {
    build(list, |copy, all| {
        for each in all.iter().filter(|each| !gone(each)) {
            copy.push_within(each.clone()).map_err(|_| ENOMEM)?;
        }
        Ok(())
    })
}

/// What `fill` makes of a list, at most one longer.
fn build(
    list: &rcu::Cell<Members>,
    fill: impl FnOnce(&mut Members, &[Arc<Local>]) -> Result,
) -> Result<rcu::Boxed<Members>> {
    // Memory first: a read section must not sleep.
    let len = list.read(&ReadLock::new()).map_or(0, |list| list.len());
    let mut copy = Vec::with_capacity(len.saturating_add(1), Gfp::Kernel)?;
    let rcu = ReadLock::new();
    fill(&mut copy, list.read(&rcu).map_or(&[][..], |list| list))?;
    drop(rcu);
    Ok(rcu::Boxed::new(copy, Gfp::Kernel)?)
}
