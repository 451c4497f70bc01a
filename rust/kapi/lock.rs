// SPDX-License-Identifier: GPL-2.0

//! Spin locks that keep softirqs off this CPU.
//!
//! C header: [`include/linux/spinlock.h`](srctree/include/linux/spinlock.h)

use crate::bindings;
use core::{
    cell::UnsafeCell,
    mem::MaybeUninit,
    ops::{Deref, DerefMut},
    pin::Pin,
};
use kernel::{prelude::*, sync::LockClassKey, types::NotThreadSafe};

/// A value that one CPU at a time works on, in process or softirq context.
///
/// The packet path runs in softirqs, which interrupt process context on the
/// same CPU: hence softirqs are off while the lock is held.
pub struct SpinLockBh<T> {
    raw: UnsafeCell<bindings::spinlock_t>,
    value: UnsafeCell<T>,
}

// SAFETY: The lock hands out its value to one CPU at a time.
unsafe impl<T: Send> Send for SpinLockBh<T> {}
// SAFETY: As above.
unsafe impl<T: Send> Sync for SpinLockBh<T> {}

impl<T> SpinLockBh<T> {
    /// Makes a lock of the class `class` (`kernel::static_lock_class!()`).
    ///
    /// The lock may be moved while nobody holds it: a `spinlock_t` without
    /// waiters holds no address of itself.
    pub fn new(value: T, name: &'static CStr, class: Pin<&'static LockClassKey>) -> Self {
        let mut raw = MaybeUninit::zeroed();
        // SAFETY: The pointers are valid; name and class live forever.
        unsafe {
            bindings::lvs_spin_lock_init(raw.as_mut_ptr(), name.as_char_ptr(), class.as_ptr())
        };
        Self {
            // SAFETY: Zeroed, then initialised.
            raw: UnsafeCell::new(unsafe { raw.assume_init() }),
            value: UnsafeCell::new(value),
        }
    }

    /// Waits for the lock. Any context but hard interrupts.
    #[inline]
    pub fn lock(&self) -> Guard<'_, T> {
        // SAFETY: Initialised in `new`.
        unsafe { bindings::lvs_spin_lock_bh(self.raw.get()) };
        // INVARIANT: Taken above.
        Guard(self, NotThreadSafe)
    }

    /// The value, when nobody else can have the lock.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

/// The lock is held.
///
/// # Invariants
///
/// This CPU holds the lock until the guard is dropped.
pub struct Guard<'a, T>(&'a SpinLockBh<T>, NotThreadSafe);

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type invariant nobody else works on the value.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: As in `deref`.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant the lock is held.
        unsafe { bindings::lvs_spin_unlock_bh(self.0.raw.get()) };
    }
}

/// A value that one task at a time works on; waiting for it may sleep.
///
/// The `kernel` crate's mutex in a box of its own, so that it can be a field
/// of anything.
pub struct Mutex<T>(Pin<KBox<kernel::sync::Mutex<T>>>);

impl<T> Mutex<T> {
    /// Makes a mutex of the class `class` (`kernel::static_lock_class!()`).
    /// May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(value: T, name: &'static CStr, class: Pin<&'static LockClassKey>) -> Result<Self> {
        KBox::pin_init(kernel::sync::Mutex::new(value, name, class), GFP_KERNEL).map(Self)
    }

    /// Waits for it. May sleep.
    pub fn lock(
        &self,
    ) -> kernel::sync::lock::Guard<'_, T, kernel::sync::lock::mutex::MutexBackend> {
        self.0.lock()
    }
}
