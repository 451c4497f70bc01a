// SPDX-License-Identifier: GPL-2.0

//! What the log's macros can print: the kernel has a trait of its own for it.

use kernel::fmt;

/// Something that shows itself the way it does elsewhere: an address, a
/// service's name.
pub(crate) struct Shown<T>(pub(crate) T);

impl<T: core::fmt::Display> fmt::Display for Shown<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        core::fmt::Display::fmt(&self.0, out)
    }
}
