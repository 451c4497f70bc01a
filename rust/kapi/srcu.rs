// SPDX-License-Identifier: GPL-2.0

//! Read sections that may sleep, and waiting for those who are in one.
//!
//! The `kernel` crate has this from 7.3 on.
//!
//! C header: [`include/linux/srcu.h`](srctree/include/linux/srcu.h)

use crate::bindings;
use kernel::{
    error::to_result,
    ffi::c_int,
    prelude::*,
    types::{NotThreadSafe, Opaque},
};

/// What readers are counted in.
///
/// # Invariants
///
/// Initialised, and pinned until it is cleaned up.
#[pin_data(PinnedDrop)]
pub(crate) struct Srcu {
    #[pin]
    inner: Opaque<bindings::srcu_struct>,
}

// SAFETY: The structure is made to be used from everywhere at once.
unsafe impl Send for Srcu {}
// SAFETY: As above.
unsafe impl Sync for Srcu {}

impl Srcu {
    /// Without readers. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            // INVARIANT: The pin guarantees the place.
            inner <- Opaque::try_ffi_init(|inner| {
                // SAFETY: Points to memory for one.
                to_result(unsafe { bindings::lvs_init_srcu_struct(inner) })
            }),
        })
    }

    /// Enters a read section, which may sleep.
    pub(crate) fn read_lock(&self) -> Guard<'_> {
        // SAFETY: Initialised by the type invariant.
        let index = unsafe { bindings::lvs_srcu_read_lock(self.inner.get()) };
        // INVARIANT: Entered above.
        Guard {
            srcu: self,
            index,
            _task: NotThreadSafe,
        }
    }

    /// Waits until all sections that were entered before are left. May sleep.
    pub(crate) fn synchronize(&self) {
        // SAFETY: Initialised by the type invariant.
        unsafe { bindings::synchronize_srcu(self.inner.get()) };
    }
}

#[pinned_drop]
impl PinnedDrop for Srcu {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Initialised by the type invariant, and cleaned up once. No
        // reader is left: each borrows this. There are no callbacks.
        unsafe { bindings::cleanup_srcu_struct(self.inner.get()) };
    }
}

/// A read section.
///
/// # Invariants
///
/// `index` is what entering gave.
#[must_use = "the section is left at once"]
pub(crate) struct Guard<'a> {
    srcu: &'a Srcu,
    index: c_int,
    _task: NotThreadSafe,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        // SAFETY: Entered by the type invariant, and left once.
        unsafe { bindings::lvs_srcu_read_unlock(self.srcu.inner.get(), self.index) };
    }
}
