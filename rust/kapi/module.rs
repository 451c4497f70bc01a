// SPDX-License-Identifier: GPL-2.0

//! References to this module, which keep it from being unloaded.
//!
//! C header: [`include/linux/module.h`](srctree/include/linux/module.h)

use crate::bindings;
use core::borrow::Borrow;

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
