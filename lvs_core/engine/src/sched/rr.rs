// SPDX-License-Identifier: GPL-2.0

//! Round robin: each destination in turn, whatever its weight above 0.

use super::{Candidates, Pick, Rule};

/// The cursor is the place where the search starts.
pub(super) struct Rr;

impl Rule for Rr {
    const NAME: &'static str = "rr";

    #[inline]
    fn pick(cursor: u64, candidates: &impl Candidates) -> Option<Pick> {
        let len = candidates.len();
        // CAST: usize is 64 bits on every machine the kernel part runs on, and
        // elsewhere any start will do.
        let start = (cursor as usize).checked_rem(len)?;
        let index = (start..len)
            .chain(0..start)
            .find(|index| candidates.is_eligible(*index))?;
        Some(Pick {
            index,
            // CAST: usize has at most 64 bits.
            cursor: (index as u64).wrapping_add(1),
        })
    }
}
