// SPDX-License-Identifier: GPL-2.0

//! This module: what stands while it is loaded, and what keeps it from being
//! unloaded.
//!
//! A module's text goes when its exit function returns. Nothing may be called
//! after that, by a registration that was forgotten or by RCU: [`Parts`] waits
//! until nothing can be.
//!
//! C header: [`include/linux/module.h`](srctree/include/linux/module.h)

use crate::{bindings, rcu};
use core::{
    borrow::Borrow,
    marker::PhantomPinned,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};
use kernel::{
    prelude::*,
    time::{delay::fsleep, Delta},
};
use pin_init::pin_init_from_closure;

/// Whether [`Parts`] stand: callbacks that are queued are waited for.
static STAND: AtomicBool = AtomicBool::new(false);

/// How many [`Entrance`]s there are.
static ENTRANCES: AtomicUsize = AtomicUsize::new(0);

/// What a module is made of: the one field of the type that `module!` gets.
///
/// Once `P` is dropped, or could not be made, it waits until all values that
/// were let go of by [`rcu::Boxed`] are freed, and nothing is registered any
/// more: what was leaked (`mem::forget`) keeps the module from going, with a
/// word in the log, since the kernel would call what is no longer there.
/// Without it neither is given out.
///
/// Not to be put into what forgets its content (`MaybeUninit`, `Opaque` and
/// the other `pin_init::Wrapper`s): no type prevents that.
pub struct Parts<P> {
    // Dropped in this order.
    _parts: P,
    _last: Last,
}

impl<P> Parts<P> {
    /// What `make` makes, in its place. May sleep, as `make` may and dropping it
    /// will.
    ///
    /// # Errors
    ///
    /// What `make` says; `EINVAL` when the place is not in the module's own
    /// memory, of which the kernel lets go after its exit function alone;
    /// `EBUSY` for a second one.
    pub fn new(make: impl FnOnce() -> Result<P>) -> impl PinInit<Self, Error> {
        let init = move |slot: *mut Self| {
            // SAFETY: No requirement.
            if !unsafe { bindings::lvs_is_in_this_module(slot.cast()) } {
                return Err(EINVAL);
            }
            let _last = Last::new()?;
            let _parts = make()?;
            // SAFETY: The slot is memory for one, by the contract of `PinInit`.
            unsafe { slot.write(Self { _parts, _last }) };
            Ok(())
        };
        // SAFETY: The slot is whole when the closure says so; it is not touched
        // otherwise. What is in it does not depend on its place.
        unsafe { pin_init_from_closure(init) }
    }
}

/// Whether what waits for a grace period is waited for.
#[inline]
pub(crate) fn stands() -> bool {
    // ORDERING: Who can call this was called by something that was made after
    // the value was written, and is gone before it is taken back.
    STAND.load(Ordering::Relaxed)
}

/// The last that is dropped. Pinned: who could move it out could forget it.
struct Last(PhantomPinned);

impl Last {
    fn new() -> Result<Self> {
        match STAND.swap(true, Ordering::Relaxed) {
            true => Err(EBUSY),
            false => Ok(Self(PhantomPinned)),
        }
    }
}

impl Drop for Last {
    fn drop(&mut self) {
        let mut tries = 0u32;
        while is_called() {
            // Whoever is on the way out is soon.
            if tries == PATIENCE {
                pr_emerg!("a part of this module was leaked and can still be called, or is in use: it cannot go\n");
            }
            tries = tries.saturating_add(1);
            fsleep(Delta::from_millis(10));
        }
        rcu::drain();
        STAND.store(false, Ordering::Relaxed);
    }
}

/// How often it is looked, for a second in all, before somebody is told.
const PATIENCE: u32 = 100;

/// Whether the kernel still can come into this module.
fn is_called() -> bool {
    // When its init fails nobody asks how often the module is used. One is the
    // init's own; on its way out it has none.
    // SAFETY: It is the module whose code is running.
    let uses = unsafe { bindings::module_refcount(this()) };
    // ORDERING: Acquire sees what those have done who left (`Entrance`).
    uses > 1 || ENTRANCES.load(Ordering::Acquire) != 0
}

/// Never returns: what cannot be undone is for ever. Only after a fault of the
/// kernel's own. May sleep.
pub(crate) fn stay(why: &'static str) -> ! {
    pr_emerg!("{}: this module cannot go\n", why);
    loop {
        fsleep(Delta::from_secs(60));
    }
}

/// A way by which the kernel comes into this module: kept by whatever is
/// registered, and dropped when it no longer is and no call is under way.
pub(crate) struct Entrance(());

impl Entrance {
    /// To be opened before the kernel can use it.
    ///
    /// # Errors
    ///
    /// `EPERM` while the module's [`Parts`] do not stand: nobody would wait
    /// until it is closed.
    pub(crate) fn open() -> Result<Self> {
        if !stands() {
            return Err(EPERM);
        }
        ENTRANCES.fetch_add(1, Ordering::Relaxed);
        Ok(Self(()))
    }
}

impl Drop for Entrance {
    fn drop(&mut self) {
        // ORDERING: Pairs with `is_called`.
        ENTRANCES.fetch_sub(1, Ordering::Release);
    }
}

/// Keeps this module loaded.
///
/// # Invariants
///
/// A reference to the module is held.
pub struct Reference(());

impl Reference {
    /// Takes a reference; `None` when the module is being unloaded. Any
    /// context.
    pub fn take() -> Option<Self> {
        // SAFETY: It is the module whose code is running.
        let taken = unsafe { bindings::try_module_get(this()) };
        // INVARIANT: Taken above.
        taken.then_some(Self(()))
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        // SAFETY: A reference is held by the type invariant. The code that
        // runs now is called through something that keeps the module too: a
        // netlink family, a namespace's callbacks or a file's.
        unsafe { bindings::module_put(this()) };
    }
}

/// The module that this is linked into.
pub(crate) fn this() -> *mut bindings::module {
    // SAFETY: No requirement.
    unsafe { bindings::lvs_this_module() }
}

/// What `value()` of a module's parameter says: a reference in 7.2, a copy in
/// 7.3.
pub fn parameter<T: Copy>(value: impl Borrow<T>) -> T {
    *value.borrow()
}
