// SPDX-License-Identifier: GPL-2.0

//! Never queue: who has no active connection; if all have some, the shortest
//! expected delay.

use super::sed::Sed;
use super::{around, Candidates, Pick, Rule};

/// The cursor is the place where the search starts.
pub(super) struct Nq;

impl Rule for Nq {
    const NAME: &'static str = "nq";

    #[inline]
    fn pick(cursor: u64, candidates: &impl Candidates) -> Option<Pick> {
        let is_idle = |index: &usize| {
            let (active, _) = candidates.conns(*index);
            active == 0 && candidates.is_eligible(*index)
        };
        match around(cursor, candidates.len())?.find(is_idle) {
            Some(index) => Some(Pick::and_go_on(index)),
            None => Sed::pick(cursor, candidates),
        }
    }
}
