// SPDX-License-Identifier: GPL-2.0

//! The table of connections: a hash table that is read without locks, grows
//! while it is in use, and forgets what has timed out.
//!
//! An entry is found from two sides (the client's addresses and the server's),
//! so it hangs in two chains. It also stands in one slot of a timer wheel.
//!
//! ```text
//!            bucket array                     entry
//!   hash ──▶ [ head ]────▶ links[0].next[generation] ──▶ …
//!   hash ──▶ [ head ]────▶ links[1].next[generation] ──▶ …
//!            wheel slot ─▶ timer.prev/next (later: the RCU head)
//! ```
//!
//! Each link has two `next` pointers. While the table grows, one set makes up
//! the chains of the old array and the other those of the new one, so that a
//! reader of either finds every entry.
//!
//! # Locks
//!
//! A chain's lock (by the low bits of the hash) and a wheel's lock. Neither is
//! taken while another of either kind is held.

#![cfg_attr(not(CONFIG_RUST), no_std)]

#[cfg(not(CONFIG_RUST))]
extern crate std;

mod chains;
mod entry;
mod sync;
#[cfg(all(test, not(loom)))]
mod tests;
mod wheel;

pub use entry::{Hashes, Item, Ref, Side};
#[cfg(loom)]
pub use sync::model;
pub use sync::{Cache, ReadLock};
pub use wheel::Due;

use chains::Chains;
use entry::Entry;
use sync::{AtomicBool, AtomicUsize, Ordering};
use wheel::Wheels;

/// No memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMemory;

/// Why an entry was not added.
#[derive(Debug)]
pub enum InsertError<'r, T: Item> {
    /// There is one with the same first key.
    Exists {
        /// Here it is.
        other: Ref<'r, T>,
        /// The refused one was taken out by this call. Otherwise somebody has
        /// found it by its second side, and [`Table::remove`] was theirs.
        removed: bool,
    },
    /// No memory.
    NoMemory,
}

/// The table. One for each namespace.
pub struct Table<T: Item> {
    chains: Chains<T>,
    wheels: Wheels<T>,
    len: AtomicUsize,
    growing: AtomicBool,
    /// What its entries know it by.
    number: u32,
    cache: sync::Shared<Cache<T>>,
}

/// How many tables there have been.
static TABLES: core::sync::atomic::AtomicU32 = core::sync::atomic::AtomicU32::new(0);

impl<T: Item> Table<T> {
    /// An empty table of `2^bits` chains, whose entries come from `cache`, at
    /// tick `now`. May sleep.
    pub fn new(bits: u32, now: u32, cache: sync::Shared<Cache<T>>) -> Result<Self, NoMemory> {
        Ok(Self {
            chains: Chains::new(bits)?,
            wheels: Wheels::new(now)?,
            len: AtomicUsize::new(0),
            growing: AtomicBool::new(false),
            number: TABLES.fetch_add(1, core::sync::atomic::Ordering::Relaxed),
            cache,
        })
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many chains there are.
    pub fn size(&self, rcu: &ReadLock) -> usize {
        self.chains.size(rcu)
    }

    /// Finds the entry for which `matches` says yes, among those with `hash`
    /// on the side that is passed to it. Any context.
    #[inline]
    pub fn find<'r>(
        &'r self,
        rcu: &'r ReadLock,
        hash: u32,
        matches: impl Fn(&T, Side) -> bool,
    ) -> Option<(Ref<'r, T>, Side)> {
        self.chains.find(rcu, hash, matches)
    }

    /// Adds `value`, found by `hashes` and due at `tick`, unless an entry is there for which `same`
    /// says yes on the first side; it is asked with the chain's lock held. Any
    /// context.
    ///
    /// Two CPUs that add the same key at once: one wins, and the other is told
    /// of the winner's entry. `value` is dropped then.
    pub fn insert<'r>(
        &'r self,
        rcu: &'r ReadLock,
        value: T,
        hashes: Hashes,
        tick: u32,
        same: impl Fn(&T) -> bool,
    ) -> Result<Ref<'r, T>, InsertError<'r, T>> {
        let entry = Entry::allocate(&self.cache, value, hashes, self.number)
            .map_err(|NoMemory| InsertError::NoMemory)?;
        let entry = Ref::new(entry, rcu);
        self.len.fetch_add(1, Ordering::Relaxed);
        // The second side first: a reply cannot come before the request has
        // been sent, and what finds the entry from the first side finds all.
        if entry.has_second_side() {
            self.chains.link(entry, Side::Second);
        }
        match self.chains.link_unless(entry, same) {
            None => {
                // Last: what is in the wheel may end at once.
                self.wheels.arm(entry, tick);
                Ok(entry)
            }
            Some(other) => {
                let removed = self.remove(entry);
                Err(InsertError::Exists { other, removed })
            }
        }
    }

    /// Takes `entry` out; its value is dropped after a grace period. Any
    /// context.
    ///
    /// Whether it was this call that took it out: of several at once, one; and
    /// none for an entry of another table.
    pub fn remove(&self, entry: Ref<'_, T>) -> bool {
        if entry.entry().table != self.number || !entry.claim() {
            return false;
        }
        self.wheels.disarm(entry);
        self.unlink(entry);
        true
    }

    /// Out of the chains and, after a grace period, gone.
    fn unlink(&self, entry: Ref<'_, T>) {
        self.chains.unlink(entry, Side::First);
        if entry.has_second_side() {
            self.chains.unlink(entry, Side::Second);
        }
        self.len.fetch_sub(1, Ordering::Relaxed);
        entry.retire();
    }

    /// Makes `entry` due at `tick`, which is earlier than before. Any context.
    ///
    /// A later time needs no call: [`Table::expire`] asks again. Nothing for an
    /// entry of another table.
    pub fn hasten(&self, entry: Ref<'_, T>, tick: u32) {
        if entry.entry().table == self.number {
            self.wheels.rearm(entry, tick);
        }
    }

    /// Looks at what is due up to `now`: `due` says whether it has really
    /// ended or when to ask again, with the wheel's lock held; `ended` sees each
    /// entry that is taken out. May sleep; one caller at a time.
    pub fn expire(&self, now: u32, mut due: impl FnMut(&T) -> Due, mut ended: impl FnMut(&T)) {
        self.wheels.turn(now, &mut due, &mut |entry: Ref<'_, T>| {
            ended(&entry);
            self.unlink(entry);
        });
    }

    /// Takes everything out. May sleep; one caller at a time, and none of
    /// [`Table::expire`].
    pub fn clear(&self, mut ended: impl FnMut(&T)) {
        self.wheels.drain(&mut |entry: Ref<'_, T>| {
            ended(&entry);
            self.unlink(entry);
        });
    }

    /// Calls `each` for the entries of chain `index`, first sides only.
    /// `false`: there is no such chain. While the table grows, entries may be
    /// met twice or not at all by a walk over several chains.
    pub fn for_each_in<'r>(
        &'r self,
        rcu: &'r ReadLock,
        index: usize,
        each: impl FnMut(Ref<'r, T>),
    ) -> bool {
        self.chains.for_each_in(rcu, index, each)
    }

    /// Calls `each` for every entry; for those that come or go meanwhile, or
    /// while the table grows, perhaps. May sleep.
    pub fn for_each(&self, mut each: impl FnMut(&ReadLock, Ref<'_, T>)) {
        in_turn(|rcu, index| self.for_each_in(rcu, index, |entry| each(rcu, entry)));
    }

    /// Calls `each` with the number of links in every chain, of both sides,
    /// `most` at most. May sleep.
    pub fn for_each_chain(&self, most: usize, mut each: impl FnMut(usize)) {
        in_turn(|rcu, index| {
            let links = self.chains.links_in(rcu, index, most);
            links.map(&mut each).is_some()
        });
    }

    /// Grows when there are more than 2^`load` links to a chain, two for each
    /// entry; does nothing while another caller does. May sleep.
    pub fn grow(&self, load: i32) -> Result<(), NoMemory> {
        if self.growing.swap(true, Ordering::Acquire) {
            return Ok(());
        }
        let links = self.len().saturating_mul(2);
        let result = self.chains.grow_for(chains_for(links, load));
        self.growing.store(false, Ordering::Release);
        result
    }
}

/// Calls `chain` with 0, 1, 2, … until there is no such chain.
fn in_turn(mut chain: impl FnMut(&ReadLock, usize) -> bool) {
    let mut index = 0usize;
    // A section for each: a long walk must not hold up others.
    while chain(&ReadLock::new(), index) {
        index = index.wrapping_add(1);
    }
}

/// How many chains hold `links` links, 2^`load` each.
fn chains_for(links: usize, load: i32) -> usize {
    let by = load.unsigned_abs();
    if load < 0 {
        links.saturating_mul(1usize.checked_shl(by).unwrap_or(usize::MAX))
    } else {
        links.checked_shr(by).unwrap_or(0)
    }
}

impl<T: Item> Drop for Table<T> {
    fn drop(&mut self) {
        self.clear(|_| ());
    }
}
