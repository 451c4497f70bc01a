// SPDX-License-Identifier: GPL-2.0

//! Maglev hashing: a client stays with its destination, and when destinations
//! come or go, almost all others stay with theirs.
//!
//! Each destination has an order of preference over all slots, made from its
//! address and port alone. In turns each takes the next slot of its order that
//! is still free, heavy ones several at a time (Eisenbud and others, "Maglev",
//! NSDI 2016, section 3.4). Hashes, keys, the size of the table and the order of
//! turns are those of IPVS with the kernel's defaults: directors agree without
//! talking to one another, also with IPVS.

use super::request::{key, Request};
use super::siphash::hsiphash_u32;
use super::table::{nameable, newest_first, Hashing, FREE};
use super::{Candidates, Weights};

/// Slots: a prime, the one that the kernel's `CONFIG_IP_VS_MH_TAB_INDEX=12` means.
const SLOTS: u16 = 4093;

/// Bits of the greatest number of slots in a turn, half of that 12.
const TURN_BITS: u32 = 6;

/// Key of the hash that says where an order of preference begins, and where a client's slot is.
const PLACE_KEY: u64 = 2_654_435_761;

/// Key of the hash that says how far it is to the next slot of an order.
const SKIP_KEY: u64 = 2_654_446_892;

/// What a destination wants of a table that is being filled: memory for
/// [`fill`](super::Scheduler::fill), of no use before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Preference {
    /// Its place among the candidates.
    index: u16,
    /// The slot that it wants next, below [`SLOTS`].
    slot: u16,
    /// How far the slot after that is, above 0 and below [`SLOTS`].
    skip: u16,
    /// How many slots it takes in a turn.
    share: u16,
}

impl Preference {
    /// Of the destination at `index`, with `share` slots in a turn.
    fn new(candidates: &impl Candidates, index: u16, share: u32) -> Self {
        let end = candidates.endpoint(usize::from(index));
        let key = end.map_or(0, |end| key(end.addr, end.port));
        let skip = hash_below(key, SKIP_KEY, SLOTS.saturating_sub(1));
        Self {
            index,
            slot: hash_below(key, PLACE_KEY, SLOTS),
            skip: skip.saturating_add(1),
            share: u16::try_from(share).unwrap_or(SLOTS),
        }
    }

    /// Takes the next free slot. Since the number of slots is a prime, the
    /// order of preference has every one of them.
    fn take(&mut self, table: &mut [u16]) {
        for _ in 0..SLOTS {
            match table.get_mut(usize::from(self.slot)) {
                Some(slot) if *slot == FREE => {
                    *slot = self.index;
                    return;
                }
                _ => self.slot = self.slot.wrapping_add(self.skip) % SLOTS,
            }
        }
    }
}

/// A hash of `key` below `bound`.
#[inline]
fn hash_below(key: u32, secret: u64, bound: u16) -> u16 {
    let hash = hsiphash_u32(key, [secret, secret]);
    // CAST: a rest by 16 bits has 16 bits.
    hash.checked_rem(u32::from(bound)).unwrap_or(0) as u16
}

/// The slots are taken in turns, as many in each as the weight says.
pub(super) struct Mh;

impl Hashing for Mh {
    const NAME: &'static str = "mh";
    // CAST: usize has at least 16 bits.
    const LEN: usize = SLOTS as usize;
    const HAS_FLAGS: bool = true;

    #[inline]
    fn key(request: &Request) -> u32 {
        request.client_key()
    }

    #[inline]
    fn slot(key: u32, step: usize) -> usize {
        // CAST: steps are below the number of slots.
        let key = key.wrapping_add(step as u32);
        usize::from(hash_below(key, PLACE_KEY, SLOTS))
    }

    /// The weight is the latest one above 0: a destination that is to get
    /// nothing for a while keeps its slots, and nobody else's client moves.
    fn fill(candidates: &impl Candidates, table: &mut [u16], scratch: &mut [Preference]) {
        let count = usize::from(nameable(candidates.len()));
        let Some(wants) = scratch.get_mut(..count) else {
            return;
        };
        let weights = (0..candidates.len()).map(|index| candidates.last_weight(index));
        let shares = Shares::of(Weights::of(weights));
        for (want, index) in wants.iter_mut().zip(newest_first(candidates.len())) {
            let weight = candidates.last_weight(usize::from(index));
            *want = Preference::new(candidates, index, shares.of_weight(weight));
        }
        let mut turns = 0..SLOTS;
        while wants.iter().any(|want| want.share > 0) {
            for want in wants.iter_mut() {
                for _ in 0..want.share {
                    if turns.next().is_none() {
                        return;
                    }
                    want.take(table);
                }
            }
        }
    }
}

/// How many slots in a turn a weight is.
#[derive(Clone, Copy)]
struct Shares {
    gcd: u32,
    shift: u32,
}

impl Shares {
    /// Weights are divided by what they have in common, and then halved until
    /// the greatest has no more than [`TURN_BITS`].
    fn of(weights: Weights) -> Self {
        let greatest = weights.max.checked_div(weights.gcd).unwrap_or(0);
        let bits = u32::BITS.saturating_sub(greatest.leading_zeros());
        Self {
            gcd: weights.gcd,
            shift: bits.saturating_sub(TURN_BITS),
        }
    }

    /// At least one for a weight above 0.
    fn of_weight(self, weight: u32) -> u32 {
        let share = weight.checked_div(self.gcd).unwrap_or(0);
        let halved = share.checked_shr(self.shift).unwrap_or(0);
        halved.max(weight.min(1))
    }
}
