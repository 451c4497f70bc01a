// SPDX-License-Identifier: GPL-2.0

//! Destination hashing: what is sent to one address goes to one destination.
//! For services that have many addresses, as those by a firewall mark.

use super::mh::Preference;
use super::request::{key, Request};
use super::table::{deal, slot_of_256, Hashing};
use super::Candidates;

/// The slots are dealt out one by one, whatever the weights.
pub(super) struct Dh;

impl Hashing for Dh {
    const NAME: &'static str = "dh";
    const LEN: usize = 256;
    const HAS_FLAGS: bool = false;

    #[inline]
    fn key(request: &Request) -> u32 {
        key(request.virt, 0)
    }

    #[inline]
    fn slot(key: u32, _: usize) -> usize {
        usize::from(slot_of_256(key))
    }

    fn fill(candidates: &impl Candidates, table: &mut [u16], _: &mut [Preference]) {
        deal(candidates, table, |_| 1);
    }
}
