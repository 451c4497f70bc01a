// SPDX-License-Identifier: GPL-2.0

//! Overflow: all to the heaviest, until it has more active connections than
//! its weight says; then to the next. Connections of UDP are never active: with
//! them nothing overflows.

use super::fo::heaviest;
use super::{Candidates, Pick, Rule};

/// The cursor is left alone, as in [`super::fo`].
pub(super) struct Ovf;

impl Rule for Ovf {
    const NAME: &'static str = "ovf";

    #[inline]
    fn pick(cursor: u64, candidates: &impl Candidates) -> Option<Pick> {
        heaviest(cursor, candidates, |index| {
            let (active, _) = candidates.conns(index);
            active <= candidates.weight(index)
        })
    }
}
