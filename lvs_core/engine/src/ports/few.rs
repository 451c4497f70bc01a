// SPDX-License-Identifier: GPL-2.0

//! [`Few`]: the ports in use towards a server that has few connections.

use super::{after, Allocate, Ranges};

/// A set of at most [`Few::MAX`] ports, 16 bytes.
///
/// Whoever opens a connection to each port of an address would cost a
/// [`PortSet`](super::PortSet) of 8 KiB for each: so a set begins as one of
/// these, and only one that is full becomes the other.
///
/// ```
/// # use lvs_engine::ports::{Allocate, Few, Ranges};
/// let mut few = Few::EMPTY;
/// assert_eq!(few.allocate(&Ranges::DEFAULT, 2000), Some((2000, 2001)));
/// assert_eq!(few.allocate(&Ranges::DEFAULT, 2000), Some((2001, 2002)));
/// assert!(few.free(2000) && !few.free(2000));
/// assert!(few.iter().eq([2001]));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Few {
    // INVARIANT: each port once; 0, which is no port that is taken, where there is none.
    ports: [u16; Few::MAX],
}

impl Few {
    /// Ports that it holds at most.
    pub const MAX: usize = 8;

    /// The set without ports.
    pub const EMPTY: Self = Self {
        ports: [0; Self::MAX],
    };

    /// Gives `port` back; false if it was not taken.
    #[inline]
    pub fn free(&mut self, port: u16) -> bool {
        let taken = self.ports.iter_mut().find(|slot| **slot == port);
        match taken {
            Some(slot) if port != 0 => {
                *slot = 0;
                true
            }
            _ => false,
        }
    }

    /// Whether no more fits in, whatever the ranges.
    #[inline]
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.ports.iter().all(|port| *port != 0)
    }

    /// Whether no port is taken.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ports.iter().all(|port| *port == 0)
    }

    /// The ports that are taken.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.ports.iter().copied().filter(|port| *port != 0)
    }
}

impl Allocate for Few {
    /// As for any set; `None` too if it is full.
    #[inline]
    fn allocate(&mut self, ranges: &Ranges, cursor: u16) -> Option<(u16, u16)> {
        // One of so many that follow is free, if any is.
        for port in ranges.round_from(cursor).take(Self::MAX) {
            if !self.ports.contains(&port) {
                let slot = self.ports.iter_mut().find(|slot| **slot == 0)?;
                *slot = port;
                return Some((port, after(port)));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::PortSet;
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn ranges() -> impl Strategy<Value = Ranges> {
        prop_oneof![
            Just(Ranges::DEFAULT),
            Just(Ranges::DEDICATED),
            (1024..=u16::MAX, 0..12_u16).prop_map(|(first, more)| Ranges::new(
                first,
                first.saturating_add(more)
            )
            .unwrap()),
        ]
    }

    proptest! {
        /// It gives out what a set of bits would, until it is full.
        #[test]
        fn it_is_a_small_set(
            ranges in ranges(),
            steps in prop::collection::vec((any::<bool>(), any::<u16>(), 0..Few::MAX), 1..60),
        ) {
            let (mut few, mut set) = (Few::EMPTY, PortSet::EMPTY);
            for (takes, cursor, which) in steps {
                if takes && !few.is_full() {
                    prop_assert_eq!(few.allocate(&ranges, cursor), set.allocate(&ranges, cursor));
                } else {
                    let taken: Vec<u16> = few.iter().collect();
                    let port = taken.get(which).copied().unwrap_or(cursor);
                    prop_assert_eq!(few.free(port), set.free(port));
                }
                let taken: Vec<u16> = few.iter().collect();
                prop_assert_eq!(u32::try_from(taken.len()).unwrap(), set.used());
                prop_assert!(taken.iter().all(|port| set.is_taken(*port)));
                prop_assert_eq!(few.is_empty(), set.is_empty());
                prop_assert_eq!(few.is_full(), taken.len() == Few::MAX);
            }
        }
    }

    #[test]
    fn a_full_one_takes_no_more() {
        let mut few = Few::EMPTY;
        for port in 2000..2008 {
            assert_eq!(few.allocate(&Ranges::DEFAULT, 2000), Some((port, port + 1)));
        }
        assert!(few.is_full());
        assert_eq!(few.allocate(&Ranges::DEFAULT, 2000), None);
        assert!(!few.free(0) && few.is_full());
    }
}
