// SPDX-License-Identifier: GPL-2.0

//! [`Rng`]: all chance of a run. One seed, one sequence of numbers, on every
//! machine: ChaCha is specified, and nothing else is asked for randomness.

use rand_chacha::{
    rand_core::{RngCore, SeedableRng},
    ChaCha8Rng,
};

/// A generator of random numbers.
pub(crate) struct Rng(ChaCha8Rng);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A generator of its own for another part of the world, so that what one
    /// part asks for does not change what another one gets.
    pub(crate) fn fork(&mut self) -> Self {
        Self::new(self.u64())
    }

    pub(crate) fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    pub(crate) fn u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn range(&mut self, low: u64, high: u64) -> u64 {
        assert!(low <= high);
        low + self.u64() % (high - low + 1)
    }

    pub(crate) fn index(&mut self, len: usize) -> usize {
        self.range(0, len as u64 - 1) as usize
    }

    /// True `of_ten_thousand` times in 10,000.
    pub(crate) fn chance(&mut self, of_ten_thousand: u32) -> bool {
        self.u32() % 10_000 < of_ten_thousand
    }

    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.index(of.len())]
    }
}
