// SPDX-License-Identifier: GPL-2.0

//! The kernel's side of a [`Pernet`](super::Pernet): operations, and callbacks
//! that find out what they are about.

use super::{Handler, NetCell};
use crate::{bindings, net::Net};
use core::{
    cell::UnsafeCell,
    ffi::{c_int, c_uint},
    mem::size_of,
    ptr, //
};
use kernel::{
    error::{from_result, to_result},
    prelude::*,
    sync::atomic::{Acquire, Atomic, Release},
    types::Opaque,
};

/// How many kinds of state a module may register.
pub const SLOTS: usize = 2;

/// The kernel's callbacks get a namespace and nothing else, so each slot has
/// functions of its own that know which slot they belong to.
static SLOT: [Slot; SLOTS] = [Slot::new::<0>(), Slot::new::<1>()];

pub(super) struct Slot {
    /// 1 while it serves a [`Pernet`].
    taken: Atomic<u32>,
    ops: Opaque<bindings::pernet_operations>,
    /// Written by the kernel when the operations are registered.
    id: UnsafeCell<c_uint>,
    /// Changed only while the slot is taken and not registered.
    handler: UnsafeCell<Option<&'static dyn Handler>>,
}

// SAFETY: `taken` hands the rest to one registration at a time; see the fields.
unsafe impl Sync for Slot {}

impl Slot {
    const fn new<const INDEX: usize>() -> Self {
        let ops = bindings::pernet_operations {
            list: bindings::list_head {
                next: ptr::null_mut(),
                prev: ptr::null_mut(),
            },
            init: Some(init::<INDEX>),
            pre_exit: Some(pre_exit::<INDEX>),
            exit: Some(exit::<INDEX>),
            exit_batch: None,
            exit_rtnl: None,
            // Filled in by `register`.
            id: ptr::null_mut(),
            size: size_of::<NetCell>(),
        };
        Self {
            taken: Atomic::new(0),
            ops: Opaque::new(ops),
            id: UnsafeCell::new(0),
            handler: UnsafeCell::new(None),
        }
    }

    /// Registers the operations, for `handler`, whose callbacks then make the
    /// state of every namespace. May sleep.
    ///
    /// # Safety
    ///
    /// The slot must come from [`claim`] and not be registered.
    pub(super) unsafe fn register(&self, handler: &'static dyn Handler) -> Result {
        // SAFETY: By the caller's promise the slot is ours alone, and no
        // callback runs before it is registered.
        unsafe { *self.handler.get() = Some(handler) };
        // SAFETY: As above.
        unsafe { (*self.ops.get()).id = self.id.get() };
        // SAFETY: The operations are a static that is unregistered before it
        // is used again; its id and size describe `NetCell`.
        to_result(unsafe { bindings::register_pernet_subsys(self.ops.get()) })
    }

    /// Removes the state of every namespace; returns when all callbacks have.
    /// May sleep.
    ///
    /// # Safety
    ///
    /// The slot must be registered.
    pub(super) unsafe fn unregister(&self) {
        // SAFETY: By the caller's promise.
        unsafe { bindings::unregister_pernet_subsys(self.ops.get()) };
    }

    /// What the namespace `net` holds for the slot.
    ///
    /// # Safety
    ///
    /// The slot must be registered, and stay so for as long as the cell is
    /// looked at.
    pub(super) unsafe fn cell<'a>(&self, net: &Net) -> Option<&'a NetCell> {
        // SAFETY: Written by registering and not changed while registered.
        let id = unsafe { *self.id.get() };
        // SAFETY: The id is registered, and the namespace live.
        let cell = unsafe { bindings::lvs_net_generic(net.as_ptr(), id) };
        // SAFETY: What the namespace holds under this id is null or the
        // memory of a `NetCell`, zeroed when it was allocated.
        unsafe { cell.cast::<NetCell>().as_ref() }
    }

    /// Gives the slot back; it must not be registered.
    pub(super) fn release(&self) {
        // SAFETY: By the caller no callback runs, and the slot is still ours.
        unsafe { *self.handler.get() = None };
        // ORDERING: Pairs with the exchange in `claim`.
        self.taken.store(0, Release);
    }
}

/// The slot of that index.
pub(super) fn at(index: usize) -> Option<&'static Slot> {
    SLOT.get(index)
}

/// A free slot, now taken, and its index.
pub(super) fn claim() -> Option<(usize, &'static Slot)> {
    SLOT.iter()
        .enumerate()
        // ORDERING: Acquire sees what `release` wrote.
        .find(|(_, slot)| slot.taken.cmpxchg(0, 1, Acquire).is_ok())
}

/// The namespace, the handler and the cell that a callback of slot `INDEX` is
/// about.
///
/// # Safety
///
/// Only for a callback of that slot, which `net` is the argument of.
unsafe fn called<'a, const INDEX: usize>(
    net: *mut bindings::net,
) -> Option<(&'a Net, &'static dyn Handler, &'a NetCell)> {
    let slot = SLOT.get(INDEX)?;
    // SAFETY: Constant while the slot is registered, which it is in a callback.
    let handler = unsafe { *slot.handler.get() }?;
    // SAFETY: The namespace lasts longer than the call.
    let net = unsafe { Net::from_raw(net) };
    // SAFETY: The kernel has allocated the cell, and frees it after the last
    // callback.
    let cell = unsafe { slot.cell(net) }?;
    Some((net, handler, cell))
}

/// Called when a namespace is made.
///
/// # Safety
///
/// For the kernel, as an operation of slot `INDEX`.
unsafe extern "C" fn init<const INDEX: usize>(net: *mut bindings::net) -> c_int {
    from_result(|| {
        // SAFETY: This is the callback.
        let (net, handler, cell) = unsafe { called::<INDEX>(net) }.ok_or(EINVAL)?;
        handler.init(net, cell)?;
        Ok(0)
    })
}

/// Called when a namespace goes away, before a grace period.
///
/// # Safety
///
/// For the kernel, as an operation of slot `INDEX`.
unsafe extern "C" fn pre_exit<const INDEX: usize>(net: *mut bindings::net) {
    // SAFETY: This is the callback.
    if let Some((net, handler, cell)) = unsafe { called::<INDEX>(net) } {
        handler.pre_exit(net, cell);
    }
}

/// Called when a namespace goes away, after the grace period.
///
/// # Safety
///
/// For the kernel, as an operation of slot `INDEX`.
unsafe extern "C" fn exit<const INDEX: usize>(net: *mut bindings::net) {
    // SAFETY: This is the callback.
    if let Some((net, handler, cell)) = unsafe { called::<INDEX>(net) } {
        // SAFETY: The kernel calls this once, after `pre_exit` and a grace
        // period (`ops_undo_list`).
        unsafe { handler.exit(net, cell) };
    }
}
