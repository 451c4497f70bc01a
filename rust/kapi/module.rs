// SPDX-License-Identifier: GPL-2.0

//! References to a module, which keep it from being unloaded.
//!
//! C header: [`include/linux/module.h`](srctree/include/linux/module.h)

use crate::bindings;
use kernel::ThisModule;

/// Keeps a module loaded.
///
/// # Invariants
///
/// A reference to the module is held.
pub struct Reference(&'static ThisModule);

impl Reference {
    /// Takes a reference; `None` when the module is being unloaded. Any
    /// context.
    pub fn take(module: &'static ThisModule) -> Option<Self> {
        // SAFETY: A `ThisModule` is the module whose code is running.
        let taken = unsafe { bindings::try_module_get(module.as_ptr()) };
        // INVARIANT: Taken above.
        taken.then_some(Self(module))
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        // SAFETY: A reference is held by the type invariant. The code that
        // runs now is called through something that keeps the module too: a
        // netlink family, a namespace's callbacks or a file's.
        unsafe { bindings::module_put(self.0.as_ptr()) };
    }
}
