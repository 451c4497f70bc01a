// SPDX-License-Identifier: GPL-2.0

//! A table of pairs, as small as the models of it need.

use lvs_table::{Cache, Due, InsertError, Item, ReadLock, Ref, Side, Table};
use std::sync::{
    atomic::{AtomicU32, Ordering::Relaxed},
    Arc,
};

/// Keys of one chain of two, and of the other.
pub const ONE: [u32; 4] = [0, 2, 4, 6];
/// As [`ONE`].
pub const OTHER: [u32; 4] = [1, 3, 5, 7];

/// What is in the table: found as `left` from the first side and as `right`
/// from the second, both of which are their own hashes.
pub struct Pair {
    pub left: u32,
    pub right: u32,
    /// What the wheel is told.
    pub due: AtomicU32,
    drops: Arc<AtomicU32>,
}

impl Item for Pair {}

impl Drop for Pair {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Relaxed);
    }
}

/// The table, and how many pairs have gone into it and out of it. The counts
/// are not part of the model: they order nothing.
pub struct Pairs {
    table: Table<Pair>,
    made: AtomicU32,
    ended: AtomicU32,
    drops: Arc<AtomicU32>,
}

impl Pairs {
    /// Two chains, at tick 0.
    pub fn new() -> Self {
        let cache = Arc::new(Cache::default());
        Self {
            table: Table::new(1, 0, cache).expect("memory"),
            made: AtomicU32::new(0),
            ended: AtomicU32::new(0),
            drops: Arc::default(),
        }
    }

    /// Adds a pair that is due at `due`; whether it was the first with `left`.
    /// One that was refused has ended, and is counted by whoever took it out.
    pub fn add(&self, left: u32, right: u32, due: u32) -> bool {
        let rcu = ReadLock::new();
        self.add_in(&rcu, left, right, due).is_ok()
    }

    /// As [`Pairs::add`]; the pair, or the one that was there.
    pub fn add_in<'r>(
        &'r self,
        rcu: &'r ReadLock,
        left: u32,
        right: u32,
        due: u32,
    ) -> Result<Ref<'r, Pair>, Ref<'r, Pair>> {
        self.made.fetch_add(1, Relaxed);
        let pair = Pair {
            left,
            right,
            due: AtomicU32::new(due),
            drops: self.drops.clone(),
        };
        let same = |other: &Pair| other.left == left;
        match self.table.insert(rcu, pair, (left, Some(right)), due, same) {
            Ok(entry) => Ok(entry),
            Err(InsertError::Exists { other, removed }) => {
                assert_eq!(other.left, left);
                self.ended.fetch_add(u32::from(removed), Relaxed);
                Err(other)
            }
            Err(InsertError::NoMemory) => unreachable!("a model has memory"),
        }
    }

    /// The pair that is found from a side.
    pub fn find_in<'r>(&'r self, rcu: &'r ReadLock, side: Side, key: u32) -> Option<Ref<'r, Pair>> {
        let (found, from) = self.table.find(rcu, key, |pair, from| {
            let hash = match side {
                Side::First => pair.left,
                Side::Second => pair.right,
            };
            from == side && hash == key
        })?;
        assert_eq!(from, side);
        Some(found)
    }

    /// Whether a pair is found.
    pub fn has(&self, side: Side, key: u32) -> bool {
        self.find_in(&ReadLock::new(), side, key).is_some()
    }

    /// In how many places of its chain a pair is met by one walk.
    pub fn places(&self, left: u32) -> u32 {
        let met = AtomicU32::new(0);
        self.table.find(&ReadLock::new(), left, |pair, from| {
            met.fetch_add(u32::from(from == Side::First && pair.left == left), Relaxed);
            false
        });
        met.into_inner()
    }

    /// Takes a pair out that is found from a side; whether it was this call.
    pub fn remove(&self, side: Side, key: u32) -> bool {
        let rcu = ReadLock::new();
        let Some(pair) = self.find_in(&rcu, side, key) else {
            return false;
        };
        let ours = self.table.remove(pair);
        self.ended.fetch_add(u32::from(ours), Relaxed);
        ours
    }

    /// Makes a pair due at `due`, which is earlier.
    pub fn hasten(&self, left: u32, due: u32) {
        let rcu = ReadLock::new();
        if let Some(pair) = self.find_in(&rcu, Side::First, left) {
            pair.due.store(due, Relaxed);
            self.table.hasten(pair, due);
        }
    }

    /// Ends what is due at `now`; how many there were.
    pub fn expire(&self, now: u32) -> u32 {
        let mut count = 0;
        let due = |pair: &Pair| match pair.due.load(Relaxed) {
            due if due > now => Due::At(due),
            _ => Due::Now,
        };
        self.table.expire(now, due, |_| count += 1);
        self.ended.fetch_add(count, Relaxed);
        count
    }

    /// Takes all out; how many there were.
    pub fn clear(&self) -> u32 {
        let mut count = 0;
        self.table.clear(|_| count += 1);
        self.ended.fetch_add(count, Relaxed);
        count
    }

    /// Grows to `2^-load` chains for each link.
    pub fn grow(&self, load: i32) {
        self.table.grow(load).expect("memory");
    }

    /// How many chains there are.
    pub fn size(&self) -> usize {
        self.table.size(&ReadLock::new())
    }

    /// At the end, with nobody else at it: `left` are in it, each once, and all
    /// others have ended once and are gone.
    pub fn holds(&self, left: &[u32]) {
        let mut met = Vec::new();
        self.table.for_each(|_, pair| met.push(pair.left));
        met.sort_unstable();
        assert_eq!(met, left);
        assert_eq!(self.table.len(), left.len());
        for key in left {
            assert!(self.has(Side::First, *key));
        }
        let (made, ended) = (self.made.load(Relaxed), self.ended.load(Relaxed));
        assert_eq!(made, ended + left.len() as u32, "each ends once");
        assert_eq!(self.drops.load(Relaxed), ended, "what has ended is dropped");
    }
}
