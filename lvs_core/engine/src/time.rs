// SPDX-License-Identifier: GPL-2.0

//! [`Ticks`]: a moment, counted in quarters of a second.
//!
//! A connection remembers when it was last seen with this grain, so that a
//! busy one is written four times a second and not once per packet.

/// Length of one tick in milliseconds.
pub const TICK_MS: u32 = 250;

const _: () = assert!(TICK_MS == 250);

/// Ticks in a second.
pub const TICKS_PER_SECOND: u32 = 1000 / TICK_MS;

/// A moment: 250 ms steps since an arbitrary origin, wrapping after 34 years.
///
/// ```
/// # use lvs_engine::time::Ticks;
/// let seen = Ticks::new(u32::MAX);
/// let now = seen.after_seconds(1);
/// assert!(now.is_after(seen));
/// assert_eq!(now.since(seen), 4);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticks(u32);

impl Ticks {
    /// The moment `ticks` steps after the origin.
    #[inline]
    #[must_use]
    pub const fn new(ticks: u32) -> Self {
        Self(ticks)
    }

    /// The moment a monotonic clock of milliseconds shows.
    #[inline]
    #[must_use]
    pub const fn from_millis(ms: u64) -> Self {
        // CAST: the count wraps on purpose, comparisons are modular.
        Self((ms / 250) as u32)
    }

    /// Steps since the origin.
    #[inline]
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Whether this moment is later than `other`; right for moments less than 17 years apart.
    #[inline]
    #[must_use]
    pub const fn is_after(self, other: Self) -> bool {
        // CAST: the sign of the wrapped difference is the order of the two.
        (self.0.wrapping_sub(other.0) as i32) > 0
    }

    /// Ticks from `earlier` to this moment, 0 if `earlier` lies ahead.
    #[inline]
    #[must_use]
    pub const fn since(self, earlier: Self) -> u32 {
        if self.is_after(earlier) {
            self.0.wrapping_sub(earlier.0)
        } else {
            0
        }
    }

    /// Whole seconds from `earlier` to this moment, 0 if `earlier` lies ahead.
    #[inline]
    #[must_use]
    pub const fn seconds_after(self, earlier: Self) -> u32 {
        self.since(earlier) / TICKS_PER_SECOND
    }

    /// The moment `ticks` later.
    #[inline]
    #[must_use]
    pub const fn after_ticks(self, ticks: u32) -> Self {
        Self(self.0.wrapping_add(ticks))
    }

    /// The moment `seconds` later.
    #[inline]
    #[must_use]
    pub const fn after_seconds(self, seconds: u32) -> Self {
        self.after_ticks(seconds.saturating_mul(TICKS_PER_SECOND))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_survives_the_wrap() {
        let before = Ticks::new(u32::MAX - 1);
        let after = before.after_ticks(3);
        assert_eq!(after.get(), 1);
        assert!(after.is_after(before));
        assert!(!before.is_after(after));
        assert!(!before.is_after(before));
        assert_eq!(after.since(before), 3);
        assert_eq!(before.since(after), 0);
        assert_eq!(before.after_ticks(7).seconds_after(before), 1);
        assert_eq!(before.seconds_after(after), 0);
    }

    #[test]
    fn a_clock_of_milliseconds_is_cut_into_quarters() {
        assert_eq!(Ticks::from_millis(0).get(), 0);
        assert_eq!(Ticks::from_millis(249).get(), 0);
        assert_eq!(Ticks::from_millis(250).get(), 1);
        assert_eq!(Ticks::from_millis(1000).get(), TICKS_PER_SECOND);
        assert_eq!(Ticks::from_millis(250 << 32).get(), 0);
    }
}
