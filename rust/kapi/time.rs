// SPDX-License-Identifier: GPL-2.0

//! Clocks.
//!
//! C header: [`include/linux/timekeeping.h`](srctree/include/linux/timekeeping.h)

use crate::bindings;

/// Milliseconds since an arbitrary point, by the timer tick: cheap, and as
/// coarse as the tick. Any context.
#[inline]
pub fn coarse_ms() -> u64 {
    // SAFETY: No requirement.
    unsafe { bindings::lvs_coarse_ms() }
}

/// Nanoseconds of the monotonic clock. Any context.
#[inline]
pub fn monotonic_ns() -> u64 {
    // SAFETY: No requirement.
    let ns = unsafe { bindings::ktime_get() };
    // CAST: The monotonic clock is never negative.
    ns as u64
}
