// SPDX-License-Identifier: GPL-2.0

//! How memory may be asked for.
//!
//! C header: [`include/linux/gfp_types.h`](srctree/include/linux/gfp_types.h)

use crate::bindings;
use kernel::alloc::{flags, Flags};

/// The context that an allocation is made in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Gfp {
    /// The caller may sleep.
    Kernel,
    /// Softirq, or a lock is held. More likely to fail.
    Atomic,
}

impl Gfp {
    /// As the `kernel` crate's flags.
    #[inline]
    pub fn flags(self) -> Flags {
        match self {
            Self::Kernel => flags::GFP_KERNEL,
            Self::Atomic => flags::GFP_ATOMIC | flags::__GFP_NOWARN,
        }
    }

    /// As C's `gfp_t`.
    #[inline]
    pub(crate) fn raw(self) -> bindings::gfp_t {
        match self {
            Self::Kernel => bindings::GFP_KERNEL,
            Self::Atomic => bindings::GFP_ATOMIC | bindings::__GFP_NOWARN,
        }
    }
}
