// SPDX-License-Identifier: GPL-2.0

//! [`Rates`]: packets, bytes and connections a second, without a timer.
//!
//! One exists beside each per-CPU set of counters. Time is cut into windows of
//! two seconds. The first packet of a window notes where the counters stood;
//! the difference to the window before is that window's rate. Whoever reads
//! knows from the window's number whether the note is fresh.
//!
//! ```text
//! window     7           8           9
//! counters   |100......  |130......  |170...   now
//!            roll: start=100         roll: last=170-130, start=170
//! ```

use crate::time::{Ticks, TICKS_PER_SECOND};

/// Length of a window in seconds.
pub const WINDOW_SECONDS: u32 = 2;

const _: () = assert!(WINDOW_SECONDS == 2);

/// The number of a window of two seconds; wraps with the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window(u32);

impl Window {
    /// The window that `now` lies in.
    #[inline]
    #[must_use]
    pub const fn of(now: Ticks) -> Self {
        Self(now.get() / (WINDOW_SECONDS * TICKS_PER_SECOND))
    }

    /// Windows since an arbitrary origin.
    #[inline]
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    #[inline]
    const fn is_next_of(self, other: Self) -> bool {
        // The clock's wrap ends a window early, which costs one reading in 34 years.
        self.0 == other.0.wrapping_add(1)
    }
}

/// The rates of `N` counters, as one CPU sees them.
///
/// ```
/// # use lvs_engine::{rates::{Rates, Window}, time::Ticks};
/// let at = |seconds| Window::of(Ticks::new(0).after_seconds(seconds));
/// let mut rates = Rates::new(at(0));
/// rates.roll(at(2), &[100]);
/// assert_eq!(rates.per_second(at(3), &[130]), [50]);
/// assert_eq!(rates.per_second(at(5), &[130]), [15]);
/// assert_eq!(rates.per_second(at(6), &[130]), [0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates<const N: usize> {
    window: Window,
    start: [u64; N],
    last: [u64; N],
}

impl<const N: usize> Rates<N> {
    /// No rates, for counters that are all 0.
    #[inline]
    #[must_use]
    pub const fn new(window: Window) -> Self {
        Self {
            window,
            start: [0; N],
            last: [0; N],
        }
    }

    /// The note in parts, as they are kept: window, counters at its start,
    /// counts of the window before.
    #[inline]
    #[must_use]
    pub const fn from_parts(window: u32, start: [u64; N], last: [u64; N]) -> Self {
        Self {
            window: Window(window),
            start,
            last,
        }
    }

    /// See [`Rates::from_parts`].
    #[inline]
    #[must_use]
    pub const fn to_parts(&self) -> (u32, [u64; N], [u64; N]) {
        (self.window.0, self.start, self.last)
    }

    /// Whether a packet seen in `window` must call [`Rates::roll`] first.
    #[inline]
    #[must_use]
    pub const fn is_due(&self, window: Window) -> bool {
        self.window.0 != window.0
    }

    /// A new window has begun: `counters` are as they were before its first packet.
    #[inline]
    pub fn roll(&mut self, window: Window, counters: &[u64; N]) {
        if !self.is_due(window) {
            return;
        }
        self.last = self.ended(window, counters);
        self.start = *counters;
        self.window = window;
    }

    /// The rates to show in `window`: those of the last window that is over.
    #[inline]
    #[must_use]
    pub fn per_second(&self, window: Window, counters: &[u64; N]) -> [u64; N] {
        let whole = if self.is_due(window) {
            self.ended(window, counters)
        } else {
            self.last
        };
        whole.map(|count| count / 2)
    }

    /// The counts of the window before `window`, when no packet of `window` was seen yet.
    #[inline]
    fn ended(&self, window: Window, counters: &[u64; N]) -> [u64; N] {
        let mut counts = [0; N];
        if window.is_next_of(self.window) {
            for ((count, now), start) in counts.iter_mut().zip(counters).zip(&self.start) {
                *count = now.wrapping_sub(*start);
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_silence_of_a_whole_window_reads_as_nothing() {
        let mut rates = Rates::new(Window(5));
        rates.roll(Window(6), &[10, 1]);
        rates.roll(Window(8), &[30, 2]);
        assert_eq!(rates.per_second(Window(8), &[31, 3]), [0, 0]);
        assert_eq!(rates.per_second(Window(9), &[34, 6]), [2, 2]);
        assert_eq!(rates.per_second(Window(10), &[34, 6]), [0, 0]);
    }

    #[test]
    fn a_window_is_two_seconds() {
        let at = |ticks| Window::of(Ticks::new(ticks)).get();
        assert_eq!([at(0), at(7), at(8), at(16)], [0, 0, 1, 2]);
    }

    #[test]
    fn a_note_survives_being_kept_in_parts() {
        let mut rates = Rates::new(Window(5));
        rates.roll(Window(6), &[10, 1]);
        let (window, start, last) = rates.to_parts();
        assert_eq!((window, start, last), (6, [10, 1], [10, 1]));
        let kept = Rates::from_parts(window, start, last);
        assert!(kept.is_due(Window(7)) && !kept.is_due(Window(6)));
        assert_eq!(kept.per_second(Window(6), &[10, 1]), [5, 0]);
    }

    proptest! {
        /// Against the plain way: remember every packet.
        #[test]
        fn the_rate_is_what_the_last_whole_window_held(gaps in prop::collection::vec(0..12_u32, 1..80)) {
            let mut rates = Rates::new(Window::of(Ticks::new(0)));
            let (mut now, mut count, mut seen) = (0, 0_u64, std::vec::Vec::new());
            for gap in gaps {
                now += gap;
                let window = Window::of(Ticks::new(now));
                let expected = seen.iter().filter(|w| **w + 1 == window.get()).count() as u64;
                prop_assert_eq!(rates.per_second(window, &[count]), [expected / 2]);
                rates.roll(window, &[count]);
                count += 1;
                seen.push(window.get());
                prop_assert_eq!(rates.per_second(window, &[count]), [expected / 2]);
            }
        }
    }
}
