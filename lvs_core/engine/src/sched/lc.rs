// SPDX-License-Identifier: GPL-2.0

//! Least connections: who has the fewest, whatever its weight above 0.

use super::load::{least, Load};
use super::{Candidates, Pick, Rule};

/// The cursor is the place where the search starts.
pub(super) struct Lc;

impl Rule for Lc {
    const NAME: &'static str = "lc";

    #[inline]
    fn pick(cursor: u64, candidates: &impl Candidates) -> Option<Pick> {
        least(cursor, candidates, |conns, _weight| Load::of_all(conns, 1))
    }
}
