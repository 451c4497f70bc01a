// SPDX-License-Identifier: GPL-2.0

//! The chains: who finds an entry, and from where.

use crate::{
    entry::{Entry, Generation, Item, Ref, Side},
    sync::{
        self,
        sizes::{LOCKS, MAX_BITS},
        AtomicPtr, Lock, Ordering, ReadLock,
    },
    NoMemory,
};
use core::ptr::{self, NonNull};

const MIN_BITS: u32 = LOCKS.trailing_zeros();

/// An array of chains.
struct Buckets<T: Item> {
    heads: sync::Array<AtomicPtr<Entry<T>>>,
    /// Which of a link's two `next` these chains are made of.
    generation: Generation,
}

impl<T: Item> Buckets<T> {
    fn new(bits: u32, generation: Generation) -> Result<Self, NoMemory> {
        let heads = sync::array(1 << bits.clamp(MIN_BITS, MAX_BITS), || {
            AtomicPtr::new(ptr::null_mut())
        })?;
        Ok(Self { heads, generation })
    }

    fn head(&self, hash: u32) -> &AtomicPtr<Entry<T>> {
        // CAST: Widening. The number of heads is a power of two, at least 256.
        let index = hash as usize & self.heads.len().wrapping_sub(1);
        // SAFETY: Masked to the length.
        unsafe { self.heads.get_unchecked(index) }
    }
}

/// The arrays that a chain's lock guards updates of.
struct Arrays<T: Item> {
    current: NonNull<Buckets<T>>,
    /// The larger array that is to follow, once this lock's chains are in it.
    filling: Option<NonNull<Buckets<T>>>,
}

// SAFETY: The pointers are to shared arrays of atomics.
unsafe impl<T: Item> Send for Arrays<T> {}

pub(crate) struct Chains<T: Item> {
    /// What readers use.
    current: AtomicPtr<Buckets<T>>,
    locks: sync::Array<Lock<Arrays<T>>>,
}

// SAFETY: The arrays are shared by readers and updated under the locks; the
// values may be shared and sent (`Item`).
unsafe impl<T: Item> Send for Chains<T> {}
// SAFETY: As above.
unsafe impl<T: Item> Sync for Chains<T> {}

/// The entry and side that a chain goes on with.
fn untag<T: Item>(link: *mut Entry<T>) -> Option<(NonNull<Entry<T>>, Side)> {
    let side = if link.addr() & 1 == 0 {
        Side::First
    } else {
        Side::Second
    };
    NonNull::new(link.map_addr(|a| a & !1)).map(|entry| (entry, side))
}

fn tag<T: Item>(entry: *mut Entry<T>, side: Side) -> *mut Entry<T> {
    match side {
        Side::First => entry,
        Side::Second => entry.map_addr(|a| a | 1),
    }
}

impl<T: Item> Chains<T> {
    pub(crate) fn new(bits: u32) -> Result<Self, NoMemory> {
        let first = sync::boxed(Buckets::new(bits, Generation::Even)?)?;
        let locks = sync::array(LOCKS, || {
            sync::lock(Arrays {
                current: first,
                filling: None,
            })
        });
        match locks {
            Ok(locks) => Ok(Self {
                current: AtomicPtr::new(first.as_ptr()),
                locks,
            }),
            Err(NoMemory) => {
                // SAFETY: Made above, and nobody has it.
                unsafe { sync::unbox(first) };
                Err(NoMemory)
            }
        }
    }

    fn buckets<'r>(&'r self, _: &'r ReadLock) -> &'r Buckets<T> {
        // ORDERING: Pairs with the release in `grow_for`.
        let current = self.current.load(Ordering::Acquire);
        // SAFETY: Never null; an array is freed a grace period after another
        // one took its place.
        unsafe { sync::deref(NonNull::new_unchecked(current)) }
    }

    pub(crate) fn size(&self, rcu: &ReadLock) -> usize {
        self.buckets(rcu).heads.len()
    }

    #[inline]
    pub(crate) fn find<'r>(
        &'r self,
        rcu: &'r ReadLock,
        hash: u32,
        matches: impl Fn(&T, Side) -> bool,
    ) -> Option<(Ref<'r, T>, Side)> {
        let buckets = self.buckets(rcu);
        // ORDERING: Pairs with the release in `push`.
        let mut at = buckets.head(hash).load(Ordering::Acquire);
        while let Some((entry, side)) = untag(at) {
            let found = Ref::new(entry, rcu);
            let entry = found.entry();
            if entry.hash(side) == hash && matches(&entry.value, side) {
                return Some((found, side));
            }
            at = entry
                .link(side)
                .next(buckets.generation)
                .load(Ordering::Acquire);
        }
        None
    }

    pub(crate) fn for_each_in<'r>(
        &'r self,
        rcu: &'r ReadLock,
        index: usize,
        mut each: impl FnMut(Ref<'r, T>),
    ) -> bool {
        let buckets = self.buckets(rcu);
        let Some(head) = buckets.heads.get(index) else {
            return false;
        };
        let mut at = head.load(Ordering::Acquire);
        while let Some((entry, side)) = untag(at) {
            let entry = Ref::new(entry, rcu);
            if side == Side::First {
                each(entry);
            }
            at = entry
                .entry()
                .link(side)
                .next(buckets.generation)
                .load(Ordering::Acquire);
        }
        true
    }

    pub(crate) fn links_in(&self, rcu: &ReadLock, index: usize, most: usize) -> Option<usize> {
        let buckets = self.buckets(rcu);
        let mut at = buckets.heads.get(index)?.load(Ordering::Acquire);
        let mut links = 0usize;
        while let Some((entry, side)) = untag(at).filter(|_| links < most) {
            links = links.wrapping_add(1);
            at = Ref::new(entry, rcu)
                .entry()
                .link(side)
                .next(buckets.generation)
                .load(Ordering::Acquire);
        }
        Some(links)
    }

    fn arrays(&self, hash: u32) -> &Lock<Arrays<T>> {
        // SAFETY: Masked to the number of locks.
        unsafe { self.locks.get_unchecked(hash as usize & (LOCKS - 1)) }
    }

    /// Hangs one side of an entry into its chain.
    pub(crate) fn link(&self, entry: Ref<'_, T>, side: Side) {
        let arrays = self.arrays(entry.entry().hash(side)).lock();
        arrays.push(entry, side);
    }

    /// Hangs the first side in, unless an entry is there for which `same` says
    /// yes: that one is the answer then.
    pub(crate) fn link_unless<'r>(
        &'r self,
        entry: Ref<'r, T>,
        same: impl Fn(&T) -> bool,
    ) -> Option<Ref<'r, T>> {
        let hash = entry.entry().hash(Side::First);
        let arrays = self.arrays(hash).lock();
        // SAFETY: The lock keeps the array.
        let buckets = unsafe { sync::deref(arrays.current) };
        let mut at = buckets.head(hash).load(Ordering::Relaxed);
        while let Some((other, side)) = untag(at) {
            // SAFETY: Linked, hence not retired; retiring would need this lock
            // first, and a grace period after it: the caller of `insert` is in
            // a read section, of which `'r` is a part.
            let other = unsafe { Ref::assume(other) };
            let found = other.entry();
            if side == Side::First && found.hash(Side::First) == hash && same(&found.value) {
                return Some(other);
            }
            at = found
                .link(side)
                .next(buckets.generation)
                .load(Ordering::Relaxed);
        }
        arrays.push(entry, Side::First);
        None
    }

    pub(crate) fn unlink(&self, entry: Ref<'_, T>, side: Side) {
        let arrays = self.arrays(entry.entry().hash(side)).lock();
        arrays.pull(entry, side);
    }

    /// Makes room for `links` links. One caller at a time.
    pub(crate) fn grow_for(&self, links: usize) -> Result<(), NoMemory> {
        let old = NonNull::new(self.current.load(Ordering::Relaxed)).ok_or(NoMemory)?;
        // SAFETY: Only this function frees arrays, and it has one caller.
        let buckets = unsafe { sync::deref(old) };
        let (size, generation) = (buckets.heads.len(), buckets.generation);
        if links <= size || size >= 1 << MAX_BITS {
            return Ok(());
        }
        let bits = links
            .checked_next_power_of_two()
            .map_or(MAX_BITS, usize::trailing_zeros);
        let new = sync::boxed(Buckets::new(bits, generation.other())?)?;

        // 1. Lock by lock, the chains go into the new array too, and from then
        // on what this lock guards is updated in both.
        for (index, lock) in self.locks.iter().enumerate() {
            let mut arrays = lock.lock();
            arrays.fill(index, new);
            arrays.filling = Some(new);
        }
        // 2. Readers go over. Those who are still in the old array find
        // everything there.
        // ORDERING: Pairs with the acquire in `buckets`.
        self.current.store(new.as_ptr(), Ordering::Release);
        // 3. The old array need not be kept up to date any longer: who is in
        // it came before what changes from now on.
        for lock in self.locks.iter() {
            let mut arrays = lock.lock();
            arrays.current = new;
            arrays.filling = None;
        }
        // 4. Nobody is in it any more.
        sync::synchronize();
        // SAFETY: No lock and no reader knows of it, by 2 to 4.
        unsafe { sync::unbox(old) };
        Ok(())
    }
}

impl<T: Item> Arrays<T> {
    /// Puts a side first in its chain, in every array; not if it is being
    /// taken out already: that has been here, or will wait for the lock.
    fn push(&self, entry: Ref<'_, T>, side: Side) {
        if entry.entry().is_dead() {
            return;
        }
        // The array that readers go over to comes first: who has found it in
        // the old one finds it again.
        if let Some(filling) = self.filling {
            self.push_into(filling, entry, side);
        }
        self.push_into(self.current, entry, side);
    }

    fn push_into(&self, buckets: NonNull<Buckets<T>>, entry: Ref<'_, T>, side: Side) {
        // SAFETY: The lock keeps the array.
        let buckets = unsafe { sync::deref(buckets) };
        let head = buckets.head(entry.entry().hash(side));
        let next = head.load(Ordering::Relaxed);
        entry
            .entry()
            .link(side)
            .next(buckets.generation)
            .store(next, Ordering::Relaxed);
        // ORDERING: Publishes the entry; pairs with the acquire in `find`.
        head.store(tag(entry.as_ptr(), side), Ordering::Release);
    }

    /// Takes a side out of its chain, in every array. The entry's own `next`
    /// stays: a reader may stand on it.
    fn pull(&self, entry: Ref<'_, T>, side: Side) {
        // As in `push`: who has missed it in the old one misses it again.
        if let Some(filling) = self.filling {
            self.pull_from(filling, entry, side);
        }
        self.pull_from(self.current, entry, side);
    }

    fn pull_from(&self, buckets: NonNull<Buckets<T>>, entry: Ref<'_, T>, side: Side) {
        // SAFETY: The lock keeps the array.
        let buckets = unsafe { sync::deref(buckets) };
        let wanted = tag(entry.as_ptr(), side);
        let mut place = buckets.head(entry.entry().hash(side));
        loop {
            let at = place.load(Ordering::Relaxed);
            let Some((next, next_side)) = untag(at) else {
                // It was never linked on this side.
                return;
            };
            // SAFETY: Linked, and the lock is held: live.
            let next = unsafe { sync::deref(next) };
            let link = next.link(next_side).next(buckets.generation);
            if at == wanted {
                // ORDERING: What follows was published before.
                place.store(link.load(Ordering::Relaxed), Ordering::Release);
                return;
            }
            place = link;
        }
    }

    /// Puts all that lock `index` guards into `new` too.
    fn fill(&self, index: usize, new: NonNull<Buckets<T>>) {
        // SAFETY: The lock keeps the array.
        let old = unsafe { sync::deref(self.current) };
        for head in old.heads.iter().skip(index).step_by(LOCKS) {
            let mut at = head.load(Ordering::Relaxed);
            while let Some((entry, side)) = untag(at) {
                // SAFETY: Linked, and the lock is held: live.
                let entry = unsafe { Ref::assume(entry) };
                self.push_into(new, entry, side);
                at = entry
                    .entry()
                    .link(side)
                    .next(old.generation)
                    .load(Ordering::Relaxed);
            }
        }
    }
}

impl<T: Item> Drop for Chains<T> {
    fn drop(&mut self) {
        if let Some(buckets) = NonNull::new(self.current.load(Ordering::Relaxed)) {
            // Readers of the table are gone with the reference to it; the
            // entries are, by the table's own drop.
            // SAFETY: Ours alone.
            unsafe { sync::unbox(buckets) };
        }
    }
}
