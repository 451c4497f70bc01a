// SPDX-License-Identifier: GPL-2.0

//! What is in the table.

use crate::tally::Tally;
use kernel::sync::Arc;
use lvs_table::{Hashes, Item, Side};

/// Found by its key from the first side, and by its complement from the second.
pub(crate) struct Pair {
    key: u32,
    /// The tick at which it ends.
    pub(crate) due: u32,
    tally: Arc<Tally>,
}

impl Item for Pair {}

impl Pair {
    pub(crate) fn new(key: u32, due: u32, tally: Arc<Tally>) -> Self {
        tally.made.add();
        Self { key, due, tally }
    }

    pub(crate) fn is(&self, key: u32) -> bool {
        self.key == key
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.tally.dropped.add();
    }
}

/// Where the pair of `key` hangs, from a side. Neighbours share chains.
pub(crate) fn hash(key: u32, side: Side) -> u32 {
    let word = match side {
        Side::First => key,
        Side::Second => !key,
    };
    (word >> 1).wrapping_mul(0x9e37_79b1)
}

pub(crate) fn hashes(key: u32) -> Hashes {
    (hash(key, Side::First), Some(hash(key, Side::Second)))
}
