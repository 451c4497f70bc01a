// SPDX-License-Identifier: GPL-2.0

//! Weighted least connections: who has the fewest for its weight.

use super::load::{least, Load};
use super::{Candidates, Pick, Rule};

/// The cursor is the place where the search starts.
pub(super) struct Wlc;

impl Rule for Wlc {
    const NAME: &'static str = "wlc";

    #[inline]
    fn pick(cursor: u64, candidates: &impl Candidates) -> Option<Pick> {
        least(cursor, candidates, Load::of_all)
    }
}
