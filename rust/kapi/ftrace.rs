// SPDX-License-Identifier: GPL-2.0

//! Being called when the kernel enters some of its functions.
//!
//! One [`Entry`] watches two functions through an `ftrace_ops` of its own. That
//! needs no shadow stack and no allocation per task, cannot be reached twice
//! on the way into one call, and leaves no call out: the ops are marked
//! permanent, so that `kernel.ftrace_enabled=0` is refused (`EBUSY`) while one
//! exists. The kernel itself changes the five bytes that it keeps for this at
//! the head of the function.
//!
//! What is watched, and with which prototype, is decided in this crate only
//! (`accept.rs`, `getname.rs`).
//!
//! C header: [`include/linux/ftrace.h`](srctree/include/linux/ftrace.h)

use crate::{
    bindings,
    module::{self, Entrance},
};
use core::mem::ManuallyDrop;
use kernel::{
    error::to_result,
    ffi::{c_int, c_uint, c_ulong, c_void},
    prelude::*,
    types::Opaque, //
};

/// What ftrace calls: address of the function, return address, ops, registers.
pub(crate) type Callback =
    unsafe extern "C" fn(c_ulong, c_ulong, *mut bindings::ftrace_ops, *mut bindings::ftrace_regs);

/// What a callback may do to the call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Look at the arguments.
    Watch,
    /// Also send the call to another function ([`redirect`]). One at a time
    /// may do so (`EBUSY`); live patches are of that sort too.
    Redirect,
}

/// The address of a function of the kernel, exported or not. May sleep.
///
/// # Errors
///
/// `ENOENT` when there is none of that name.
pub(crate) fn address_of(name: &'static CStr) -> Result<c_ulong> {
    // SAFETY: The name ends with a NUL.
    match unsafe { bindings::lvs_function_address(name.as_char_ptr()) } {
        0 => Err(ENOENT),
        address => Ok(address),
    }
}

/// Whether the call site `ip`, as a callback gets it, is that of the function
/// at `address`: the site is the first instruction, or the second where the
/// first is `endbr64`.
#[inline]
pub(crate) fn is_in(ip: c_ulong, address: c_ulong) -> bool {
    // Functions are aligned to 16 bytes.
    ip.wrapping_sub(address) < 16
}

/// Argument number `n`, counted from 0, of the call that is being entered.
///
/// # Safety
///
/// `regs` must be what the callback was given.
#[inline]
pub(crate) unsafe fn argument(regs: *mut bindings::ftrace_regs, n: c_uint) -> c_ulong {
    // SAFETY: By the caller's promise.
    unsafe { bindings::lvs_ftrace_argument(regs, n) }
}

/// Lets the call go to the function at `ip`.
///
/// # Safety
///
/// `regs` must be what a callback of [`Purpose::Redirect`] was given, and at
/// `ip` must be a function of the same prototype that stays there until all
/// calls have returned from it.
#[inline]
pub(crate) unsafe fn redirect(regs: *mut bindings::ftrace_regs, ip: c_ulong) {
    // SAFETY: By the caller's promise.
    unsafe { bindings::lvs_ftrace_redirect(regs, ip) };
}

/// What the entry was made with.
///
/// # Safety
///
/// `ops` must be what the callback was given.
#[inline]
pub(crate) unsafe fn private(ops: *mut bindings::ftrace_ops) -> *mut c_void {
    // SAFETY: The ops are live during the callback.
    unsafe { (*ops).private }
}

/// Waits until no task is between two points where it may sleep: whoever was
/// preempted in code that has been made unreachable has left it. May sleep.
pub(crate) fn synchronize_tasks() {
    // SAFETY: No requirement but that the caller may sleep.
    unsafe { bindings::synchronize_rcu_tasks() };
}

/// Functions are watched for as long as this lives.
///
/// # Invariants
///
/// The ops are registered, and do not move.
pub(crate) struct Entry(ManuallyDrop<Ops>);

type Ops = (KBox<Opaque<bindings::ftrace_ops>>, Entrance);

// SAFETY: The ops are the core's, which has its own lock; this only keeps them.
unsafe impl Send for Entry {}
// SAFETY: As above.
unsafe impl Sync for Entry {}

impl Entry {
    /// Watches the functions at `addresses`. They share one entry because
    /// removing one waits for several grace periods. May sleep.
    ///
    /// # Errors
    ///
    /// `EINVAL` or `ENOENT` when ftrace does not know one of them, `EBUSY`
    /// when tracing is switched off (`kernel.ftrace_enabled=0`) or somebody
    /// else redirects one, `ENOMEM`.
    ///
    /// # Safety
    ///
    /// `callback` must be sound, with this `private` and the functions'
    /// prototypes in mind, from now until the entry has been dropped.
    pub(crate) unsafe fn new(
        mut addresses: [c_ulong; 2],
        purpose: Purpose,
        callback: Callback,
        private: *mut c_void,
    ) -> Result<Self> {
        let redirects = match purpose {
            Purpose::Watch => 0,
            Purpose::Redirect => bindings::FTRACE_OPS_FL_IPMODIFY,
        };
        let flags =
            bindings::FTRACE_OPS_FL_PERMANENT | bindings::FTRACE_OPS_FL_SAVE_ARGS | redirects;
        let ops = bindings::ftrace_ops {
            func: Some(callback),
            // CAST: 20 bits.
            flags: flags as c_ulong,
            private,
            ..Default::default()
        };
        let ops = KBox::new(Opaque::new(ops), GFP_KERNEL)?;
        let count = addresses.len() as c_uint; // CAST: 2.
                                               // SAFETY: The ops are on the heap and not yet registered; the array
                                               // has that many addresses.
        to_result(unsafe {
            bindings::ftrace_set_filter_ips(ops.get(), addresses.as_mut_ptr(), count, 0, 0)
        })
        .inspect_err(|_| {
            // One of the addresses may be in the filter.
            // SAFETY: Not registered.
            unsafe { bindings::ftrace_free_filter(ops.get()) };
        })?;
        let entrance = Entrance::open()?;
        // SAFETY: The filter is not empty, which would mean all functions; for the callback the caller
        // has promised. The box is not moved out of before it is unregistered.
        if let Err(error) = to_result(unsafe { bindings::register_ftrace_function(ops.get()) }) {
            // SAFETY: Not registered; the filter was set above.
            unsafe { bindings::ftrace_free_filter(ops.get()) };
            return Err(error);
        }
        // INVARIANT: Registered above.
        Ok(Self(ManuallyDrop::new((ops, entrance))))
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // Ops in a module's memory are "dynamic": the call waits for callbacks
        // and trampolines (`ftrace_shutdown`: `synchronize_rcu_tasks_rude`,
        // `synchronize_rcu_tasks`).
        // SAFETY: Registered by the type invariant.
        let result: c_int = unsafe { bindings::unregister_ftrace_function(self.0 .0.get()) };
        if result != 0 {
            // Only after ftrace has shut itself down over a fault of its own,
            // with a warning: what it still refers to must stay.
            module::stay("ftrace has shut itself down and does not let go of a function");
        }
        // SAFETY: Not registered any more; the filter was set in `new`.
        unsafe { bindings::ftrace_free_filter(self.0 .0.get()) };
        // SAFETY: Dropped once, here; nothing refers to the ops any more.
        unsafe { ManuallyDrop::drop(&mut self.0) };
    }
}
