// SPDX-License-Identifier: GPL-2.0

//! Look-up tables: which destination has which slot, for schedulers that hash.
//!
//! A table is made by [`Hashing::fill`] whenever destinations or weights have
//! changed, in the caller's memory and not on the way of a packet. A packet
//! only reads it. Its entries are places among the candidates that it was
//! made for. One made for others does no harm but to send clients elsewhere: an
//! entry that leads nowhere is a destination without weight.

use super::mh::Preference;
use super::request::Request;
use super::{around, Candidates};

/// Entry of a slot that no destination has.
pub const FREE: u16 = u16::MAX;

/// A rule that finds destinations by a table, and its name.
pub(super) trait Hashing {
    /// The name in stock tools.
    const NAME: &'static str;

    /// Slots of the table.
    const LEN: usize;

    /// Whether the flags for fallback and port mean something.
    const HAS_FLAGS: bool;

    /// What of a request is hashed.
    fn key(request: &Request) -> u32;

    /// The slot to look at for a key; with `step` above 0 another one, for
    /// when the first is of no use. Below [`Self::LEN`].
    fn slot(key: u32, step: usize) -> usize;

    /// Gives the slots to the destinations. All of `table` is [`FREE`] before.
    fn fill(candidates: &impl Candidates, table: &mut [u16], scratch: &mut [Preference]);
}

/// The destination that the table has for a request, if it takes connections.
/// If not: with fallback the next that does.
///
/// The order of the search is IPVS's, so that a director that takes over
/// from another, or from IPVS, sends clients where they went before.
#[inline]
pub(super) fn find<H: Hashing>(
    request: &Request,
    candidates: &impl Candidates,
    table: &[u16],
) -> Option<usize> {
    let table = table.get(..H::LEN)?;
    let key = H::key(request);
    let holder = |step| {
        let entry = table.get(H::slot(key, step)).copied();
        entry.filter(|entry| *entry != FREE).map(usize::from)
    };
    let own = holder(0)?;
    if candidates.is_eligible(own) {
        return Some(own);
    }
    if !(H::HAS_FLAGS && request.falls_back()) {
        return None;
    }
    // IPVS looks through the table, thousands of hashes for each packet, also
    // when nobody is left.
    if !(0..candidates.len()).any(|index| candidates.is_eligible(index)) {
        return None;
    }
    // CAST: usize has at most 64 bits.
    around(H::slot(key, 0) as u64, H::LEN)?
        .map_while(holder)
        .find(|index| candidates.is_eligible(*index))
}

/// How many of `len` candidates entries can name.
#[inline]
pub(super) fn nameable(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(FREE)
}

/// The places of `len` candidates, the last added first: the order of IPVS's
/// lists. More than entries can name are left out.
#[inline]
pub(super) fn newest_first(len: usize) -> impl Iterator<Item = u16> {
    (0..nameable(len)).rev()
}

/// Deals the slots out to the candidates, `share` in a row to each, until there are none left.
pub(super) fn deal(candidates: &impl Candidates, table: &mut [u16], share: impl Fn(usize) -> u32) {
    let mut slots = table.iter_mut();
    while !candidates.is_empty() {
        for index in newest_first(candidates.len()) {
            for _ in 0..share(usize::from(index)).max(1) {
                let Some(slot) = slots.next() else { return };
                *slot = index;
            }
        }
    }
}

/// The slot of a key among 256: the upper bits of a product with the golden
/// ratio, as the kernel's `hash_32` has it.
#[inline]
pub(super) const fn slot_of_256(key: u32) -> u8 {
    // CAST: 8 bits are left of the 32.
    (key.wrapping_mul(0x61c8_8647) >> 24) as u8
}
