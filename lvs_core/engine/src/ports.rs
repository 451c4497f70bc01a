// SPDX-License-Identifier: GPL-2.0

//! [`PortSet`]: which ports of one local address are in use towards one server.
//!
//! One exists for each (protocol, local address, server, server port) with
//! connections. Two levels of bits: one a port, and above it one for each 64
//! ports that says "all taken", so that finding a free port costs the same in
//! an empty and in a nearly full set.
//!
//! ```text
//! words    0 ..  1007   a bit a port, 1024 first; 1 = taken       8064 bytes
//! words 1008 ..  1023   a bit a word of the above; 1 = full        128 bytes
//!                       its last 16 bits have no word: they count the ports taken
//! ```

mod few;
mod turn;

pub use few::Few;
pub use turn::Turn;

use core::borrow::BorrowMut;

/// The first port that is ever handed out; those below belong to root.
pub const FIRST: u16 = 1024;

/// The last port that is ever handed out.
pub const LAST: u16 = u16::MAX;

const WORDS: usize = 1024;
const PORT_WORDS: usize = 1008;
/// Bits of the last summary word that stand for a word.
const LAST_SUMMARY_BITS: u32 = 48;

/// No port is left in the ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeError {
    /// The first port lies after the last.
    Empty,
    /// A port below [`FIRST`].
    Privileged,
}

/// The ports that may be handed out: one or two ascending ranges.
///
/// ```
/// # use lvs_engine::ports::Ranges;
/// assert_eq!(Ranges::DEFAULT.count(), 31744 + 4536);
/// assert_eq!(Ranges::new(5000, 5009)?.count(), 10);
/// # Ok::<(), lvs_engine::ports::RangeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ranges {
    // INVARIANT: each pair is (first, last), FIRST <= first <= last; the second
    // pair equals the first or lies after it.
    low: (u16, u16),
    high: (u16, u16),
}

impl Ranges {
    /// All that lies outside the host's default `ip_local_port_range`, so that
    /// the host's own connections never meet ours.
    pub const DEFAULT: Self = Self {
        low: (FIRST, 32_767),
        high: (61_000, LAST),
    };

    /// Every port, for a local address that the host itself does not use.
    pub const DEDICATED: Self = Self {
        low: (FIRST, LAST),
        high: (FIRST, LAST),
    };

    /// The ports `first..=last`.
    ///
    /// # Errors
    ///
    /// [`RangeError::Privileged`] if `first` is below 1024, [`RangeError::Empty`] if `last` is below `first`.
    pub const fn new(first: u16, last: u16) -> Result<Self, RangeError> {
        if first < FIRST {
            return Err(RangeError::Privileged);
        }
        if last < first {
            return Err(RangeError::Empty);
        }
        Ok(Self {
            low: (first, last),
            high: (first, last),
        })
    }

    /// How many ports there are.
    #[must_use]
    pub const fn count(&self) -> u32 {
        let low = span(self.low);
        if self.is_single() {
            low
        } else {
            low.wrapping_add(span(self.high))
        }
    }

    /// Whether `port` is one of them.
    #[inline]
    #[must_use]
    pub const fn contains(&self, port: u16) -> bool {
        (port >= self.low.0 && port <= self.low.1) || (port >= self.high.0 && port <= self.high.1)
    }

    /// The first port; a set's search may start anywhere.
    #[inline]
    #[must_use]
    pub const fn first(&self) -> u16 {
        self.low.0
    }

    /// The port at place `random % count`, to start a search where no other director starts.
    #[inline]
    #[must_use]
    pub const fn nth(&self, random: u32) -> u16 {
        let Some(place) = random.checked_rem(self.count()) else {
            return self.low.0;
        };
        let low = span(self.low);
        // CAST: the place lies inside its range, which has at most 65,536 ports.
        if place < low {
            self.low.0.wrapping_add(place as u16)
        } else {
            self.high.0.wrapping_add(place.wrapping_sub(low) as u16)
        }
    }

    /// All ports once, from `cursor` on and round at the end: in the order in
    /// which [`PortSet::allocate`] gives them out, so the one in use for longest
    /// comes first.
    ///
    /// ```
    /// # use lvs_engine::ports::Ranges;
    /// let ranges = Ranges::new(2000, 2002)?;
    /// assert!(ranges.round_from(2002).eq([2002, 2000, 2001]));
    /// assert!(ranges.round_from(9).eq([2000, 2001, 2002]));
    /// assert_eq!(Ranges::DEFAULT.round_from(40_000).next(), Some(61_000));
    /// # Ok::<(), lvs_engine::ports::RangeError>(())
    /// ```
    pub fn round_from(&self, cursor: u16) -> impl Iterator<Item = u16> {
        let ranges = *self;
        let count = ranges.count();
        let start = ranges.place_at_or_after(cursor);
        (0..count).map(move |step| ranges.nth(start.wrapping_add(step)))
    }

    /// Which of the ports in order is the first at or after `port`; the first
    /// of all if there is none.
    const fn place_at_or_after(&self, port: u16) -> u32 {
        let low = span(self.low);
        if port <= self.low.1 {
            (port as u32).saturating_sub(self.low.0 as u32)
        } else if self.is_single() || port > self.high.1 {
            0
        } else {
            low.wrapping_add((port as u32).saturating_sub(self.high.0 as u32))
        }
    }

    const fn is_single(&self) -> bool {
        self.low.0 == self.high.0
    }
}

const fn span(range: (u16, u16)) -> u32 {
    (range.1 as u32)
        .wrapping_sub(range.0 as u32)
        .wrapping_add(1)
}

/// A set that ports can be taken out of.
pub trait Allocate {
    /// Takes the first free port at or after `cursor`, going round at the end of
    /// the ranges; returns it with the cursor for the next call. `None` if every
    /// port of the ranges is taken.
    fn allocate(&mut self, ranges: &Ranges, cursor: u16) -> Option<(u16, u16)>;
}

/// Where the search begins after `port` was taken.
#[inline]
const fn after(port: u16) -> u16 {
    match port.checked_add(1) {
        Some(next) => next,
        None => FIRST,
    }
}

/// A set of ports, 8 KiB. All bits 0 is the empty set.
///
/// The bits may be borrowed (`PortSet<&mut [u64; 1024]>`), so that whoever has
/// memory of its own for them needs no 8 KiB on the stack.
///
/// ```
/// # use lvs_engine::ports::{PortSet, Ranges};
/// let mut set = PortSet::EMPTY;
/// let (first, cursor) = set.allocate(&Ranges::DEFAULT, 2000).unwrap();
/// let (second, _) = set.allocate(&Ranges::DEFAULT, cursor).unwrap();
/// assert_eq!((first, second), (2000, 2001));
/// assert!(set.free(first) && !set.free(first));
/// assert_eq!(set.used(), 1);
/// ```
#[derive(Debug)]
pub struct PortSet<W = [u64; WORDS]> {
    /// The bits. Any content is a set, though one with a wrong count if it was
    /// not made here.
    pub words: W,
}

const _: () = assert!(core::mem::size_of::<PortSet>() == 8192);

impl PortSet {
    /// The set without ports.
    pub const EMPTY: Self = Self { words: [0; WORDS] };
}

impl<W: BorrowMut<[u64; WORDS]>> PortSet<W> {
    #[inline]
    fn words(&self) -> &[u64; WORDS] {
        self.words.borrow()
    }

    #[inline]
    fn words_mut(&mut self) -> &mut [u64; WORDS] {
        self.words.borrow_mut()
    }

    /// Takes the first free port at or after `cursor`, going round at the end of the
    /// ranges; returns it with the cursor for the next call.
    ///
    /// Going round means that a freed port is used again as late as possible.
    /// `None` if every port of the ranges is taken.
    #[inline]
    pub fn allocate(&mut self, ranges: &Ranges, cursor: u16) -> Option<(u16, u16)> {
        let port = self.search(ranges, cursor, &mut 0)?;
        self.take(port);
        Some((port, after(port)))
    }

    /// Takes exactly `port`; false if it is taken already or below [`FIRST`].
    #[inline]
    #[must_use]
    pub fn reserve(&mut self, port: u16) -> bool {
        port >= FIRST && !self.is_taken(port) && {
            self.take(port);
            true
        }
    }

    /// Gives `port` back; false if it was not taken.
    #[inline]
    pub fn free(&mut self, port: u16) -> bool {
        let (index, mask) = place(port);
        let Some(word) = self.words_mut().get_mut(index) else {
            return false;
        };
        if index >= PORT_WORDS || *word & mask == 0 {
            return false;
        }
        *word &= !mask;
        let (summary, bit) = summary_place(index);
        if let Some(word) = self.words_mut().get_mut(summary) {
            *word &= !bit;
        }
        self.count(|used| used.saturating_sub(1));
        true
    }

    /// Whether `port` is taken.
    #[inline]
    #[must_use]
    pub fn is_taken(&self, port: u16) -> bool {
        let (index, mask) = place(port);
        index < PORT_WORDS && self.words().get(index).is_some_and(|word| word & mask != 0)
    }

    /// Whether no port is taken.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.used() == 0
    }

    /// How many ports are taken.
    #[inline]
    #[must_use]
    pub fn used(&self) -> u32 {
        let last = self.words().last().copied().unwrap_or(0);
        // CAST: 16 bits are left.
        (last >> LAST_SUMMARY_BITS) as u32
    }

    fn count(&mut self, step: impl FnOnce(u64) -> u64) {
        if let Some(word) = self.words_mut().last_mut() {
            let used = step(*word >> LAST_SUMMARY_BITS) << LAST_SUMMARY_BITS;
            *word = (*word & SUMMARY_MASK) | used;
        }
    }

    #[inline]
    fn take(&mut self, port: u16) {
        let (index, mask) = place(port);
        if index >= PORT_WORDS {
            return;
        }
        let Some(word) = self.words_mut().get_mut(index) else {
            return;
        };
        *word |= mask;
        if *word == u64::MAX {
            let (summary, bit) = summary_place(index);
            if let Some(word) = self.words_mut().get_mut(summary) {
                *word |= bit;
            }
        }
        self.count(|used| used.wrapping_add(1));
    }

    /// The first free port of `ranges` at or after `cursor`, going round. Adds the words looked at to `visited`.
    #[inline]
    fn search(&self, ranges: &Ranges, cursor: u16, visited: &mut u32) -> Option<u16> {
        let (low, high) = (ranges.low, ranges.high);
        // The pieces in the order of the search: from the cursor to the end,
        // then from the start; what the cursor lies in is searched twice at
        // most, in one word.
        if cursor > low.1 && !ranges.is_single() {
            self.search_piece(cursor.max(high.0), high.1, visited)
                .or_else(|| self.search_piece(low.0, low.1, visited))
                .or_else(|| self.search_piece(high.0, high.1, visited))
        } else {
            self.search_piece(cursor.max(low.0), low.1, visited)
                .or_else(|| {
                    if ranges.is_single() {
                        None
                    } else {
                        self.search_piece(high.0, high.1, visited)
                    }
                })
                .or_else(|| self.search_piece(low.0, low.1, visited))
        }
    }

    /// The first free port in `first..=last`; `None` too if that is no range.
    #[inline]
    fn search_piece(&self, first: u16, last: u16, visited: &mut u32) -> Option<u16> {
        if first > last {
            return None;
        }
        let (first_word, first_bit) = place(first);
        *visited = visited.wrapping_add(1);
        // Bits at and above the first one.
        let word = self.words().get(first_word)? | first_bit.wrapping_sub(1);
        let index = if word == u64::MAX {
            self.next_word(first_word.wrapping_add(1), visited)?
        } else {
            first_word
        };
        let word = if index == first_word {
            word
        } else {
            *visited = visited.wrapping_add(1);
            *self.words().get(index)?
        };
        let port = port_at(index, word.trailing_ones())?;
        (port <= last).then_some(port)
    }

    /// The first word at or after `from` with a free port.
    #[inline]
    fn next_word(&self, from: usize, visited: &mut u32) -> Option<usize> {
        let (mut index, start_bit) = summary_place(from);
        let mut below = start_bit.wrapping_sub(1);
        while let Some(word) = self.words().get(index) {
            *visited = visited.wrapping_add(1);
            let mut full = *word | below;
            if index == WORDS - 1 {
                full |= !SUMMARY_MASK;
            }
            if full != u64::MAX {
                let group = index.checked_sub(PORT_WORDS)?;
                // CAST: at most 63.
                return Some((group << 6) | full.trailing_ones() as usize);
            }
            below = 0;
            index = index.wrapping_add(1);
        }
        None
    }
}

impl<W: BorrowMut<[u64; WORDS]>> Allocate for PortSet<W> {
    #[inline]
    fn allocate(&mut self, ranges: &Ranges, cursor: u16) -> Option<(u16, u16)> {
        PortSet::allocate(self, ranges, cursor)
    }
}

const SUMMARY_MASK: u64 = (1 << LAST_SUMMARY_BITS) - 1;

/// Word and bit of a port. A port below [`FIRST`] wraps to a word that is no port's.
#[inline]
const fn place(port: u16) -> (usize, u64) {
    let bit = port.wrapping_sub(FIRST);
    ((bit >> 6) as usize, 1 << (bit & 63))
}

/// Word and bit of the summary of a word of ports.
#[inline]
const fn summary_place(index: usize) -> (usize, u64) {
    (PORT_WORDS.saturating_add(index >> 6), 1 << (index & 63))
}

/// The port of a bit of a word.
#[inline]
fn port_at(index: usize, bit: u32) -> Option<u16> {
    // CAST: at most 64.
    let offset = u16::try_from((index << 6).wrapping_add(bit as usize)).ok()?;
    FIRST.checked_add(offset)
}

const _: () = assert!((WORDS - PORT_WORDS) * 64 - 16 == PORT_WORDS);

#[cfg(test)]
mod tests;
