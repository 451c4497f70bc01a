// SPDX-License-Identifier: GPL-2.0

//! What hangs in the chains.

use crate::{
    sync::{self, AtomicBool, AtomicPtr, Cache, Ordering, ReadLock, UnsafeCell},
    NoMemory,
};
use core::{marker::PhantomData, ops::Deref, ptr::NonNull};

/// A value that the table keeps.
pub trait Item: Send + Sync + 'static {}

/// Hashes of an entry's keys on the two sides; one without a second key has
/// none there.
pub type Hashes = (u32, Option<u32>);

/// From which side an entry was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The first key.
    First,
    /// The second.
    Second,
}

/// Of two things the one for this side; no index can be wrong.
#[inline]
pub(crate) fn of<T>(pair: &[T; 2], side: Side) -> &T {
    let [first, second] = pair;
    match side {
        Side::First => first,
        Side::Second => second,
    }
}

/// Which of two bucket arrays, the one in use and the one before or after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Generation {
    Even,
    Odd,
}

impl Generation {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Even => Self::Odd,
            Self::Odd => Self::Even,
        }
    }
}

/// A place in a chain: the next entry and the side of it that hangs here, in
/// the pointer's lowest bit. By generation of the bucket array.
pub(crate) struct Link<T: Item> {
    next: [AtomicPtr<Entry<T>>; 2],
}

impl<T: Item> Link<T> {
    #[inline]
    pub(crate) fn next(&self, generation: Generation) -> &AtomicPtr<Entry<T>> {
        let [even, odd] = &self.next;
        match generation {
            Generation::Even => even,
            Generation::Odd => odd,
        }
    }
}

/// A place in a wheel's slot; guarded by the wheel's lock.
pub(crate) struct Timer<T: Item> {
    pub(crate) prev: *mut Entry<T>,
    pub(crate) next: *mut Entry<T>,
}

impl<T: Item> Clone for Timer<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Item> Copy for Timer<T> {}

/// An entry has a place in the wheel or, when it is out, a place in the queue
/// of what waits for a grace period.
pub(crate) union Place<T: Item> {
    pub(crate) timer: Timer<T>,
    pub(crate) retired: sync::Head,
}

#[repr(C, align(32))]
pub(crate) struct Entry<T: Item> {
    links: [Link<T>; 2],
    pub(crate) place: UnsafeCell<Place<T>>,
    hashes: [u32; 2],
    /// Which slot of the wheel; guarded by the wheel's lock.
    pub(crate) slot: UnsafeCell<u16>,
    second: bool,
    /// Somebody is taking it out.
    dead: AtomicBool,
    /// The number of its table.
    pub(crate) table: u32,
    pub(crate) value: T,
}

/// Not in the wheel.
pub(crate) const NO_SLOT: u16 = u16::MAX;

impl<T: Item> Entry<T> {
    pub(crate) fn allocate(
        cache: &Cache<T>,
        value: T,
        (first, second): Hashes,
        table: u32,
    ) -> Result<NonNull<Self>, NoMemory> {
        let null = core::ptr::null_mut;
        cache.allocate(Self {
            links: core::array::from_fn(|_| Link {
                next: core::array::from_fn(|_| AtomicPtr::new(null())),
            }),
            place: UnsafeCell::new(Place {
                timer: Timer {
                    prev: null(),
                    next: null(),
                },
            }),
            hashes: [first, second.unwrap_or(0)],
            slot: UnsafeCell::new(NO_SLOT),
            second: second.is_some(),
            dead: AtomicBool::new(false),
            table,
            value,
        })
    }

    #[inline]
    pub(crate) fn link(&self, side: Side) -> &Link<T> {
        of(&self.links, side)
    }

    #[inline]
    pub(crate) fn hash(&self, side: Side) -> u32 {
        *of(&self.hashes, side)
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Acquire)
    }
}

/// An entry, for as long as the read section lasts that it was found in.
///
/// # Invariants
///
/// The entry is live: it is freed only after the read section.
pub struct Ref<'r, T: Item>(NonNull<Entry<T>>, PhantomData<&'r Entry<T>>);

impl<T: Item> Clone for Ref<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Item> Copy for Ref<'_, T> {}

impl<T: Item + core::fmt::Debug> core::fmt::Debug for Ref<'_, T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        (**self).fmt(f)
    }
}

impl<'r, T: Item> Ref<'r, T> {
    /// The entry is live until a grace period after it is retired, and the
    /// read section `_rcu` is older than that.
    #[inline]
    pub(crate) fn new(entry: NonNull<Entry<T>>, _rcu: &'r ReadLock) -> Self {
        Self(entry, PhantomData)
    }

    /// # Safety
    ///
    /// The entry must stay live for `'r` by other means than a read section.
    #[inline]
    pub(crate) unsafe fn assume(entry: NonNull<Entry<T>>) -> Self {
        Self(entry, PhantomData)
    }

    #[inline]
    pub(crate) fn as_ptr(self) -> *mut Entry<T> {
        self.0.as_ptr()
    }

    #[inline]
    pub(crate) fn entry(self) -> &'r Entry<T> {
        // SAFETY: Live by the type invariant.
        unsafe { sync::deref(self.0) }
    }

    pub(crate) fn has_second_side(&self) -> bool {
        self.entry().second
    }

    /// Whether the caller is the one who takes the entry out.
    pub(crate) fn claim(&self) -> bool {
        // ORDERING: Release, so that who links a side sees it under the lock;
        // acquire, so that the winner sees the value whole.
        !self.entry().dead.swap(true, Ordering::AcqRel)
    }

    /// Drops the value and frees the memory after a grace period. The entry is
    /// in no chain and in no slot, and the caller has claimed it.
    pub(crate) fn retire(self) {
        // SAFETY: Claimed once, hence retired once; reachable no more, so that
        // a grace period is all that has to pass; and the place is unused.
        unsafe { sync::retire(self.as_ptr()) };
    }

    /// The value, for as long as the read section.
    #[inline]
    pub fn get(self) -> &'r T {
        &self.entry().value
    }
}

impl<T: Item> Deref for Ref<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.entry().value
    }
}
