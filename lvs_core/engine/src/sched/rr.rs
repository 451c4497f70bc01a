// SPDX-License-Identifier: GPL-2.0

//! Round robin: each destination in turn, whatever its weight above 0.

use super::{around, Candidates, Pick, Rule};

/// The cursor is the place where the search starts.
pub(super) struct Rr;

impl Rule for Rr {
    const NAME: &'static str = "rr";

    #[inline]
    fn pick(cursor: u64, candidates: &impl Candidates) -> Option<Pick> {
        around(cursor, candidates.len())?
            .find(|index| candidates.is_eligible(*index))
            .map(Pick::and_go_on)
    }
}
