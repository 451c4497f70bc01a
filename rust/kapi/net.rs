// SPDX-License-Identifier: GPL-2.0

//! Network namespaces.
//!
//! C header: [`include/net/net_namespace.h`](srctree/include/net/net_namespace.h)

use crate::bindings;
use kernel::types::Opaque;

/// A network namespace, `struct net`; only ever met behind a reference.
#[repr(transparent)]
pub struct Net(Opaque<bindings::net>);

// SAFETY: What is done through a `&Net` does its own locking.
unsafe impl Send for Net {}
// SAFETY: As above.
unsafe impl Sync for Net {}

impl Net {
    /// # Safety
    ///
    /// `net` must be a live namespace for as long as `'a`.
    #[inline]
    pub(crate) unsafe fn from_raw<'a>(net: *mut bindings::net) -> &'a Self {
        // SAFETY: By the caller's promise; the type is transparent.
        unsafe { &*net.cast() }
    }

    /// The C structure.
    #[inline]
    pub(crate) fn as_ptr(&self) -> *mut bindings::net {
        self.0.get()
    }

    /// Whether somebody still uses it: if so, what this CPU has written so far
    /// is seen when it goes away. Any context.
    pub fn is_alive(&self) -> bool {
        // SAFETY: Live behind the reference.
        unsafe { bindings::lvs_net_is_alive(self.as_ptr()) }
    }
}
