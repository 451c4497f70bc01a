// SPDX-License-Identifier: GPL-2.0

//! One reader's share of the churn.
//!
//! It alone adds and removes the pairs of its own keys, and so knows which of
//! them must be there: those that are not due yet, unless there was a flush.
//! Keys that all share are added and removed by whoever is faster.

use crate::{
    pair::{hash, hashes, Pair},
    Stress,
};
use core::{cell::Cell, sync::atomic::Ordering};
use lvs_kapi::random;
use lvs_table::{InsertError, ReadLock, Ref, Side};

/// Things that are done in one go.
const STEPS: u32 = 20_000;
/// Keys of one's own.
const OWN: usize = 128;
/// Keys that are everybody's; the number of an owner is above them.
const SHARED: u32 = 16;
/// No clock comes so far.
const NEVER: u32 = 1 << 30;

/// What is known of a pair of one's own.
#[derive(Clone, Copy)]
struct Known {
    due: u32,
    /// Flushes that had begun or ended before it was added.
    flush: u32,
    /// The tick after it was added: the next turn would meet it.
    added: u32,
}

/// Does it.
pub(crate) fn churn(stress: &Stress) {
    let owner = stress.owners.fetch_add(1, Ordering::Relaxed);
    let mut known = [None; OWN];
    let mut random = random::u64() | 1;
    for _ in 0..STEPS {
        // xorshift: whatever is cheap.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        // CAST: Any bits will do.
        let (word, choice) = (random as u32, (random >> 32) as u32);
        // CAST: Widening.
        let index = word as usize % OWN;
        // CAST: Less than OWN.
        let key = SHARED.wrapping_add(owner.wrapping_mul(OWN as u32).wrapping_add(index as u32));
        let Some(known) = known.get_mut(index) else {
            continue;
        };
        match (*known, choice % 8) {
            (_, 0) => shared(stress, word % SHARED, choice),
            (None, _) => *known = add(stress, key, choice),
            (Some(pair), choice) => {
                let there = match choice {
                    1 | 2 => remove(stress, key, &pair),
                    _ => look(stress, key, &pair),
                };
                if !there {
                    *known = None;
                }
            }
        }
    }
}

fn now(stress: &Stress) -> u32 {
    stress.tick.load(Ordering::Acquire)
}

/// Adds a pair, unless there is one with its key.
fn insert(stress: &Stress, rcu: &ReadLock, key: u32, due: u32) -> Result<(), Refused> {
    let pair = Pair::new(key, due, stress.tally.clone());
    match stress
        .table
        .insert(rcu, pair, hashes(key), due, |other| other.is(key))
    {
        Ok(_) => Ok(()),
        Err(InsertError::Exists { removed, .. }) => {
            if removed {
                stress.tally.refused.add();
            }
            Err(Refused::Exists)
        }
        Err(InsertError::NoMemory) => {
            stress.tally.refused.add();
            stress.tally.no_memory.add();
            Err(Refused::NoMemory)
        }
    }
}

/// Why a pair was not added.
enum Refused {
    Exists,
    NoMemory,
}

/// Every fourth is due soon.
fn add(stress: &Stress, key: u32, choice: u32) -> Option<Known> {
    let flush = stress.flushes.load(Ordering::Acquire);
    let due = match choice % 32 {
        0..8 => now(stress).wrapping_add(choice % 5).wrapping_add(1),
        _ => NEVER,
    };
    match insert(stress, &ReadLock::new(), key, due) {
        Ok(()) => Some(Known {
            due,
            flush,
            added: now(stress),
        }),
        Err(Refused::Exists) => {
            stress.tally.usurped.add();
            None
        }
        Err(Refused::NoMemory) => None,
    }
}

/// The pair of `key`, and how often the walk from a side has met it.
fn find<'r>(
    stress: &'r Stress,
    rcu: &'r ReadLock,
    key: u32,
    side: Side,
) -> (Option<Ref<'r, Pair>>, u32) {
    let met = Cell::new(0u32);
    let counted = |pair: &Pair, from: Side| {
        if from == side && pair.is(key) {
            met.set(met.get().wrapping_add(1));
        }
        false
    };
    stress.table.find(rcu, hash(key, side), counted);
    let met = met.get();
    if met > 1 {
        stress.tally.doubled.add();
    }
    let one = |pair: &Pair, from: Side| from == side && pair.is(key);
    let found = stress.table.find(rcu, hash(key, side), one);
    (found.map(|(pair, _)| pair), met)
}

/// Whether a pair may have gone by now without its owner.
fn may_be_gone(stress: &Stress, pair: &Known) -> bool {
    // A flush takes what it comes upon, also what is added while it runs.
    let in_a_flush = pair.flush % 2 == 1;
    in_a_flush || stress.flushes.load(Ordering::Acquire) != pair.flush || now(stress) >= pair.due
}

/// Whether it is there, from one side at least: what somebody else takes out
/// goes from one and then from the other.
fn look(stress: &Stress, key: u32, pair: &Known) -> bool {
    let turned = stress.turned.load(Ordering::Acquire);
    let rcu = ReadLock::new();
    stress.tally.looked.add();
    let mut there = false;
    for side in [Side::First, Side::Second] {
        let (found, met) = find(stress, &rcu, key, side);
        there |= found.is_some();
        if found.is_none() || met == 0 {
            if !may_be_gone(stress, pair) {
                stress.tally.lost.add();
            }
        } else if turned > pair.due && turned > pair.added.wrapping_add(1) {
            stress.tally.overdue.add();
        }
    }
    there
}

/// Takes it out, unless somebody else does; whether it may still be there.
fn remove(stress: &Stress, key: u32, pair: &Known) -> bool {
    let rcu = ReadLock::new();
    // From either side, by turns.
    let side = match key % 2 {
        0 => Side::First,
        _ => Side::Second,
    };
    let Some(found) = find(stress, &rcu, key, side).0 else {
        return look(stress, key, pair);
    };
    if !stress.table.remove(found) {
        return true;
    }
    stress.tally.removed.add();
    for side in [Side::First, Side::Second] {
        if find(stress, &rcu, key, side).0.is_some() {
            stress.tally.ghosts.add();
        }
    }
    false
}

/// Adds the pair of a key that is everybody's, or takes it out.
fn shared(stress: &Stress, key: u32, choice: u32) {
    let rcu = ReadLock::new();
    if choice & 8 == 0 {
        // It may be there, or come meanwhile.
        drop(insert(stress, &rcu, key, NEVER));
        return;
    }
    let first = |pair: &Pair, from: Side| from == Side::First && pair.is(key);
    if let Some((found, _)) = stress.table.find(&rcu, hash(key, Side::First), first) {
        if stress.table.remove(found) {
            stress.tally.removed.add();
        }
    }
}
