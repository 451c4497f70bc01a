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

/// Nanoseconds since 1970, by the clock that machines set alike; it may be set
/// back. Any context.
#[inline]
pub fn real_ns() -> u64 {
    // SAFETY: No requirement.
    let ns = unsafe { bindings::ktime_get_with_offset(bindings::tk_offsets_TK_OFFS_REAL) };
    // CAST: Not before 1970; a negative number would be a number as well.
    ns as u64
}

/// A time in the ticks of the kernel's clock, which some of its files show.
/// Any context.
pub fn ticks(seconds: u32) -> u64 {
    // SAFETY: No requirement.
    let ticks = unsafe { bindings::__msecs_to_jiffies(1000) };
    // CAST: As wide.
    u64::from(seconds).saturating_mul(ticks as u64)
}
