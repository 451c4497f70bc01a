// SPDX-License-Identifier: GPL-2.0

//! Read-copy-update: sections, and values that are freed after a grace period.
//!
//! C header: [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h)

use crate::{bindings, gfp::Gfp, module};
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::{Deref, DerefMut},
    ptr::{self, NonNull},
    sync::atomic::{AtomicPtr, AtomicUsize, Ordering},
};
use kernel::{alloc::AllocError, prelude::*, types::NotThreadSafe};

/// Evidence that this CPU is inside an RCU read section.
///
/// What sleeps in a section is a bug that the kernel reports (`DEBUG_ATOMIC_SLEEP`,
/// lockdep). Where RCU sections can be preempted (`PREEMPT_RCU`, as in Debian's
/// kernels) it is no more than that; elsewhere the section would have ended.
///
/// # Invariants
///
/// The RCU read lock is held for as long as a value of this type exists.
pub struct ReadLock(NotThreadSafe);

impl ReadLock {
    /// Enters a read section. Any context.
    pub fn new() -> Self {
        // SAFETY: Entering a read section is allowed anywhere.
        unsafe { bindings::rcu_read_lock() };
        // INVARIANT: The lock was taken above and is released in `Drop`.
        Self(NotThreadSafe)
    }

    /// Evidence of a read section that somebody else entered and will leave.
    ///
    /// # Safety
    ///
    /// The caller must be in a read section that lasts longer than the value.
    pub(crate) unsafe fn assume() -> ManuallyDrop<Self> {
        // INVARIANT: By the caller's promise; the value is never dropped, so
        // the section is left once, by whoever entered it.
        ManuallyDrop::new(Self(NotThreadSafe))
    }
}

impl Default for ReadLock {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for ReadLock {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the lock is held; values made by
        // `assume` are never dropped.
        unsafe { bindings::rcu_read_unlock() };
    }
}

/// Waits until every read section that exists now has ended. May sleep; must
/// not be called in a section, which it would wait for.
pub fn synchronize() {
    // SAFETY: There is no requirement but that the caller may sleep: see
    // `ReadLock`.
    unsafe { bindings::synchronize_rcu() };
}

/// Waits until every callback queued so far has run. May sleep.
///
/// A module that has queued callbacks must do this before its text goes:
/// [`crate::module::Parts`] does.
pub fn barrier() {
    // SAFETY: As for `synchronize`.
    unsafe { bindings::rcu_barrier() };
}

/// How many values of [`Boxed`] wait to be freed.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// Waits until every value that was let go of is freed. May sleep.
pub(crate) fn drain() {
    // A callback may drop a value that queues another.
    // ORDERING: Nothing is read that the callbacks have written.
    while WAITING.load(Ordering::Relaxed) != 0 {
        barrier();
    }
    // The last one has been counted off, and may not have returned.
    barrier();
}

/// The place in an object that the queue of what waits for a grace period
/// uses.
pub type Head = bindings::callback_head;

/// Calls `callback` with `head` after a grace period. Any context.
///
/// # Safety
///
/// `head` must be in memory that nobody else uses until the callback has run,
/// and the caller must wait for the callback ([`barrier`]) before its text is
/// unloaded.
pub unsafe fn call(head: *mut Head, callback: unsafe extern "C" fn(*mut Head)) {
    // SAFETY: By the caller's promise.
    unsafe { bindings::call_rcu(head, Some(callback)) };
}

#[repr(C)]
struct Node<T> {
    head: UnsafeCell<bindings::callback_head>,
    value: T,
}

/// A value on the heap that is freed after a grace period.
///
/// Dropping it queues the release; readers that found it through a [`Cell`]
/// before may still be looking at it. The value is dropped in softirq: what
/// sleeps when it is dropped must not be in it.
///
/// # Invariants
///
/// The pointer is to a live node that this value owns.
pub struct Boxed<T: Send + Sync + 'static>(NonNull<Node<T>>);

// SAFETY: `Boxed` owns its value, which may be sent and shared.
unsafe impl<T: Send + Sync> Send for Boxed<T> {}
// SAFETY: As above.
unsafe impl<T: Send + Sync> Sync for Boxed<T> {}

impl<T: Send + Sync> Boxed<T> {
    /// Allocates. Context as `gfp` says. Nothing is given while the module's
    /// [`Parts`](crate::module::Parts) do not stand: nobody would wait until it
    /// is freed.
    pub fn new(value: T, gfp: Gfp) -> Result<Self, AllocError> {
        if !module::stands() {
            return Err(AllocError);
        }
        let node = KBox::new(
            Node {
                head: UnsafeCell::new(bindings::callback_head::default()),
                value,
            },
            gfp.flags(),
        )?;
        // INVARIANT: The node is live and owned by nothing else.
        // SAFETY: A box's pointer is never null.
        Ok(Self(unsafe {
            NonNull::new_unchecked(KBox::into_raw(node))
        }))
    }

    fn into_raw(self) -> *mut Node<T> {
        ManuallyDrop::new(self).0.as_ptr()
    }

    /// Called by RCU with the head of a node whose last reader is gone.
    ///
    /// # Safety
    ///
    /// For RCU, with a node that came out of a `KBox` and is owned by nobody.
    unsafe extern "C" fn release(head: *mut bindings::callback_head) {
        // `head` is the first field of a `#[repr(C)]` node.
        // SAFETY: By the caller's promise; a grace period has passed, so nobody
        // refers to it.
        drop(unsafe { KBox::from_raw(head.cast::<Node<T>>()) });
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<T: Send + Sync> Deref for Boxed<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type invariant.
        unsafe { &self.0.as_ref().value }
    }
}

impl<T: Send + Sync> DerefMut for Boxed<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: By the type invariant; nobody else refers to it before it is
        // published, which takes the box.
        unsafe { &mut self.0.as_mut().value }
    }
}

impl<T: Send + Sync> Drop for Boxed<T> {
    fn drop(&mut self) {
        let head = UnsafeCell::raw_get(
            // SAFETY: The node is live by the type invariant.
            unsafe { ptr::addr_of!((*self.0.as_ptr()).head) },
        );
        if !module::stands() {
            // What outlived the module's parts: the exit function or the one
            // that undoes a failed init, which may sleep.
            synchronize();
            // SAFETY: As in `release`, after a grace period of our own.
            drop(unsafe { KBox::from_raw(self.0.as_ptr()) });
            return;
        }
        WAITING.fetch_add(1, Ordering::Relaxed);
        // SAFETY: The head is in a live node that is queued once, here, and
        // freed by the callback; it is counted, and so waited for (`drain`).
        unsafe { call(head, Self::release) };
    }
}

/// A place that readers look at without a lock and a writer replaces.
///
/// Writers are ordered among themselves by an atomic exchange; who replaces a
/// value gets rid of it, once.
///
/// # Invariants
///
/// The pointer is null or came out of a [`Boxed`], which the cell owns.
pub struct Cell<T: Send + Sync + 'static>(AtomicPtr<Node<T>>, PhantomData<Boxed<T>>);

impl<T: Send + Sync> Cell<T> {
    /// An empty cell.
    pub const fn empty() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()), PhantomData)
    }

    /// A cell that holds `value`.
    pub fn new(value: Boxed<T>) -> Self {
        // INVARIANT: The cell owns what the box owned.
        Self(AtomicPtr::new(value.into_raw()), PhantomData)
    }

    /// The value now, for as long as the read section lasts. Any context.
    #[inline]
    pub fn read<'r>(&'r self, _: &'r ReadLock) -> Option<&'r T> {
        // ORDERING: Pairs with the release in `replace`.
        let node = NonNull::new(self.0.load(Ordering::Acquire))?;
        // SAFETY: The node was published by `replace` or `new`; whoever takes
        // it out frees it after a grace period, and the section that `'r`
        // lies in began before that.
        Some(unsafe { &node.as_ref().value })
    }

    /// Publishes `new`; what was there is freed after a grace period. Any
    /// context.
    pub fn replace(&self, new: Option<Boxed<T>>) {
        let new = new.map_or(ptr::null_mut(), Boxed::into_raw);
        // ORDERING: Release publishes the value; acquire sees the old one whole.
        let old = self.0.swap(new, Ordering::AcqRel);
        if let Some(old) = NonNull::new(old) {
            // INVARIANT: The cell owned it and no longer holds it.
            drop(Boxed(old));
        }
    }
}

/// A [`Cell`] that is never empty.
///
/// # Invariants
///
/// The cell holds a value.
pub struct Always<T: Send + Sync + 'static>(Cell<T>);

impl<T: Send + Sync> Always<T> {
    /// A place that holds `value`.
    pub fn new(value: Boxed<T>) -> Self {
        // INVARIANT: It holds a value from the start, and `replace` has
        // another one for it.
        Self(Cell::new(value))
    }

    /// As [`Cell::read`].
    #[inline]
    pub fn read<'r>(&'r self, rcu: &'r ReadLock) -> &'r T {
        // SAFETY: By the type invariant.
        unsafe { self.0.read(rcu).unwrap_unchecked() }
    }

    /// As [`Cell::replace`].
    pub fn replace(&self, new: Boxed<T>) {
        self.0.replace(Some(new));
    }
}

impl<T: Send + Sync> Drop for Cell<T> {
    fn drop(&mut self) {
        self.replace(None);
    }
}
