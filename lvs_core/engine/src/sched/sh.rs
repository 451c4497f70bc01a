// SPDX-License-Identifier: GPL-2.0

//! Source hashing: a client stays with its destination as long as the
//! destinations and their weights stay.
//!
//! The table is IPVS's to the slot, with its odd sides: a destination of weight
//! 0 has a slot a round, whose clients get nobody unless there is fallback; and
//! where weights add up to more than the 256 slots, the oldest destinations
//! get fewer than their share, or none. Small weights with the same ratio help.

use super::mh::Preference;
use super::request::Request;
use super::table::{deal, slot_of_256, Hashing};
use super::Candidates;

/// The slots are dealt out in rounds, in each as many to a destination as its weight.
pub(super) struct Sh;

impl Hashing for Sh {
    const NAME: &'static str = "sh";
    const LEN: usize = 256;
    const HAS_FLAGS: bool = true;

    #[inline]
    fn key(request: &Request) -> u32 {
        request.client_key()
    }

    #[inline]
    fn slot(key: u32, step: usize) -> usize {
        // CAST: the 256 slots are a ring.
        usize::from(slot_of_256(key).wrapping_add(step as u8))
    }

    fn fill(candidates: &impl Candidates, table: &mut [u16], _: &mut [Preference]) {
        deal(candidates, table, |index| candidates.weight(index));
    }
}
