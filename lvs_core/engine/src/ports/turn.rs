// SPDX-License-Identifier: GPL-2.0

//! [`Turn`]: which port is next.

use super::{Allocate, Ranges};

/// Whose turn it is: a port rests for as long as there are others.
///
/// ```
/// # use lvs_engine::ports::{PortSet, Ranges, Turn};
/// let mut set = PortSet::EMPTY;
/// let ranges = Ranges::new(65_534, 65_535)?;
/// let mut turn = Turn::new(ranges.first());
/// assert_eq!(turn.take(&mut set, &ranges), Some((65_534, false)));
/// set.free(65_534);
/// assert_eq!(turn.take(&mut set, &ranges), Some((65_535, false)));
/// assert_eq!(turn.take(&mut set, &ranges), Some((65_534, true)));
/// # Ok::<(), lvs_engine::ports::RangeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Where the search for the next port begins.
    cursor: u16,
    /// The search has gone round.
    is_again: bool,
}

impl Turn {
    /// The search begins at `cursor`.
    #[inline]
    #[must_use]
    pub const fn new(cursor: u16) -> Self {
        Self {
            cursor,
            is_again: false,
        }
    }

    /// Where the search for the next port begins: the port in use for longest,
    /// if all are.
    #[inline]
    #[must_use]
    pub const fn cursor(&self) -> u16 {
        self.cursor
    }

    /// Takes the next port, as [`Allocate::allocate`] does; returns it and
    /// whether it may have been taken before.
    #[inline]
    pub fn take(&mut self, set: &mut impl Allocate, ranges: &Ranges) -> Option<(u16, bool)> {
        let (port, next) = set.allocate(ranges, self.cursor)?;
        let is_again = self.is_again || port < self.cursor;
        self.cursor = next;
        // Behind the last port of all comes the first one: round again, and no
        // search will find a port before where it begins.
        self.is_again = is_again || next <= port;
        Some((port, is_again))
    }
}
