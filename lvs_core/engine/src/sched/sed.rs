// SPDX-License-Identifier: GPL-2.0

//! Shortest expected delay: who would have the fewest active connections for its
//! weight if it got this one too. So the heaviest begin, where [`super::wlc`] sees
//! equals as long as there are no connections. Connections of UDP are never
//! active: with them everything goes to the heaviest, as in IPVS.

use super::load::{least, Load};
use super::{Candidates, Pick, Rule};

/// The cursor is the place where the search starts.
pub(super) struct Sed;

impl Rule for Sed {
    const NAME: &'static str = "sed";

    #[inline]
    fn pick(cursor: u64, candidates: &impl Candidates) -> Option<Pick> {
        least(cursor, candidates, Load::of_active_and_next)
    }
}
