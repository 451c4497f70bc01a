// SPDX-License-Identifier: GPL-2.0

//! Memory that is made in place.
//!
//! C header: [`include/linux/slab.h`](srctree/include/linux/slab.h)

use crate::gfp::Gfp;
use core::mem::MaybeUninit;
use kernel::{alloc::flags::__GFP_ZERO, prelude::*};

/// `N` words, all zero, that were never on the stack. Context as `gfp` says.
/// `None`: no memory.
pub fn zeroed_words<const N: usize>(gfp: Gfp) -> Option<KBox<[u64; N]>> {
    let words: KBox<MaybeUninit<[u64; N]>> = KBox::new_uninit(gfp.flags() | __GFP_ZERO).ok()?;
    // SAFETY: The allocator has zeroed it, and zero is a value of every word.
    Some(unsafe { words.assume_init() })
}
