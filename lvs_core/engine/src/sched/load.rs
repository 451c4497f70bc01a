// SPDX-License-Identifier: GPL-2.0

//! [`Load`]: how busy a destination is for its weight, and who is least busy.

use super::{around, Candidates, Pick};

/// Connections, counted as the rule says, per weight.
#[derive(Clone, Copy)]
pub(super) struct Load {
    /// Below 2^41, so that nothing here overflows.
    conns: u64,
    weight: u32,
}

impl Load {
    /// An active connection is as much work as 257 others: IPVS's estimate.
    #[inline]
    pub(super) fn of_all((active, inactive): (u32, u32), weight: u32) -> Self {
        let active = u64::from(active).wrapping_mul(257);
        Self {
            conns: active.wrapping_add(u64::from(inactive)),
            weight,
        }
    }

    /// The active connections and the one to come.
    #[inline]
    pub(super) fn of_active_and_next((active, _): (u32, u32), weight: u32) -> Self {
        Self {
            conns: u64::from(active).wrapping_add(1),
            weight,
        }
    }

    /// Whether `self` is less busy than `other`. Multiplied crosswise, as there
    /// are no fractions in a kernel; in 128 bits, since a weight has 32 and
    /// connections have 41. IPVS's 32 bits overflow at 8 million connections.
    #[inline]
    pub(super) fn is_less(self, other: Self) -> bool {
        product(self.conns, other.weight) < product(other.conns, self.weight)
    }
}

#[inline]
fn product(conns: u64, weight: u32) -> u128 {
    u128::from(conns).wrapping_mul(u128::from(weight))
}

/// The least busy of the destinations that take connections.
///
/// IPVS takes the first of equals. So all directors that start together, with
/// no connection yet, would send their clients to the same server, and each
/// burst would begin there; here the search starts at the cursor, and equals
/// come in turn.
#[inline]
pub(super) fn least(
    cursor: u64,
    candidates: &impl Candidates,
    load: impl Fn((u32, u32), u32) -> Load,
) -> Option<Pick> {
    let mut best: Option<(usize, Load)> = None;
    for index in around(cursor, candidates.len())? {
        if !candidates.is_eligible(index) {
            continue;
        }
        let load = load(candidates.conns(index), candidates.weight(index));
        if best.is_none_or(|(_, least)| load.is_less(least)) {
            best = Some((index, load));
        }
    }
    best.map(|(index, _)| Pick::and_go_on(index))
}
