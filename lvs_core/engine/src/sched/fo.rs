// SPDX-License-Identifier: GPL-2.0

//! Weighted failover: all to the heaviest that takes connections.

use super::{Candidates, Pick, Rule};

/// The cursor is left alone: of equals always the same one serves.
pub(super) struct Fo;

impl Rule for Fo {
    const NAME: &'static str = "fo";

    #[inline]
    fn pick(cursor: u64, candidates: &impl Candidates) -> Option<Pick> {
        heaviest(cursor, candidates, |_| true)
    }
}

/// The heaviest destination that takes connections and is wanted. Of equals
/// the one that was added last, the first in the lists of IPVS.
#[inline]
pub(super) fn heaviest(
    cursor: u64,
    candidates: &impl Candidates,
    is_wanted: impl Fn(usize) -> bool,
) -> Option<Pick> {
    (0..candidates.len())
        .filter(|index| candidates.is_eligible(*index) && is_wanted(*index))
        .max_by_key(|index| candidates.weight(*index))
        .map(|index| Pick { index, cursor })
}
