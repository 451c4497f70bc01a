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
    ptr,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};
use kernel::{
    error::to_result,
    ffi::{c_int, c_ulong, c_void},
    prelude::*,
    time::{delay::fsleep, Delta},
    types::Opaque,
};

/// Whether [`Parts`] stand: callbacks that are queued are waited for.
static STAND: AtomicBool = AtomicBool::new(false);

/// How many [`Entrance`]s there are.
static ENTRANCES: AtomicUsize = AtomicUsize::new(0);

/// What a module is made of: the one field of the type that `module!` gets.
///
/// Once `P` is dropped, or could not be made, it waits until all values that
/// were let go of by [`rcu::Boxed`] are freed, and nothing is registered any
/// more: what was leaked (`mem::forget`) keeps the module from going, with a
/// word in the log, since the kernel would call what is no longer there. So
/// does a value of this type that was leaked. Without it neither is given out.
pub struct Parts<P> {
    // Dropped in this order.
    _parts: P,
    _last: Last,
}

impl<P> Parts<P> {
    /// What `make` makes. May sleep, as `make` may and dropping it will.
    ///
    /// # Errors
    ///
    /// What `make` says; `EBUSY` for a second one.
    pub fn new(make: impl FnOnce() -> Result<P>) -> Result<Self> {
        let _last = Last::new()?;
        let _parts = make()?;
        Ok(Self { _parts, _last })
    }
}

/// Whether what waits for a grace period is waited for.
#[inline]
pub(crate) fn stands() -> bool {
    // ORDERING: Who can call this was called by something that was made after
    // the value was written, and is gone before it is taken back.
    STAND.load(Ordering::Relaxed)
}

/// The last that is dropped. While it lives, the kernel tells of this module's
/// end, and that is then not let happen.
struct Last(());

impl Last {
    fn new() -> Result<Self> {
        if STAND.swap(true, Ordering::Relaxed) {
            return Err(EBUSY);
        }
        // SAFETY: The block is static, and in no chain: the flag was not set.
        to_result(unsafe { bindings::register_module_notifier(WATCH.0.get()) })
            .inspect_err(|_| STAND.store(false, Ordering::Relaxed))?;
        Ok(Self(()))
    }
}

struct Watch(Opaque<bindings::notifier_block>);

// SAFETY: The chain's lock guards it.
unsafe impl Sync for Watch {}

static WATCH: Watch = Watch(Opaque::new(bindings::notifier_block {
    notifier_call: Some(on_module),
    next: ptr::null_mut(),
    priority: 0,
}));

/// A module comes or goes; if it is this one, its exit function has returned,
/// or its init has failed, and [`Last`] was not dropped.
///
/// # Safety
///
/// For the chain of modules.
unsafe extern "C" fn on_module(
    _: *mut bindings::notifier_block,
    event: c_ulong,
    module: *mut c_void,
) -> c_int {
    // CAST: Small.
    if event == bindings::module_state_MODULE_STATE_GOING as c_ulong && module == this().cast() {
        stay("its parts were leaked, and can still be called");
    }
    // CAST: Zero.
    bindings::NOTIFY_DONE as c_int
}

impl Drop for Last {
    fn drop(&mut self) {
        // Whoever is on the way out is soon.
        wait_until(
            || !is_called(),
            PATIENCE,
            "a part of this module was leaked and can still be called, or is in use: it cannot go",
        );
        rcu::drain();
        // SAFETY: Registered in `new`, once. It waits for calls.
        unsafe { bindings::unregister_module_notifier(WATCH.0.get()) };
        STAND.store(false, Ordering::Relaxed);
    }
}

/// How often it is looked, for a second in all, before somebody is told.
const PATIENCE: u32 = 100;

/// Waits until `is_over`; says `why` it may be for ever when it was asked
/// `patience` times. All but the first times are 10 ms apart. May sleep.
pub(crate) fn wait_until(mut is_over: impl FnMut() -> bool, patience: u32, why: &'static str) {
    let mut tries = 0u32;
    while !is_over() {
        if tries == patience {
            pr_emerg!("{}\n", why);
        }
        if tries > 1 {
            fsleep(Delta::from_millis(10));
        }
        tries = tries.saturating_add(1);
    }
}

/// Whether the kernel still can come into this module.
fn is_called() -> bool {
    // When its init fails nobody asks how often the module is used. One is the
    // init's own; on its way out it has none.
    // SAFETY: It is the module whose code is running.
    let uses = unsafe { bindings::module_refcount(this()) };
    // ORDERING: Acquire sees what those have done who left (`Entrance`).
    uses > 1 || ENTRANCES.load(Ordering::Acquire) != 0
}

/// Never returns: the kernel may come into this module for ever. May sleep.
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
