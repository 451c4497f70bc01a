// SPDX-License-Identifier: GPL-2.0

//! What has come of it.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How often something happened.
#[derive(Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Every count. The last five must stay zero.
#[derive(Default)]
pub(crate) struct Tally {
    /// Pairs. Each of them ends by one of the four ways that follow, and is
    /// dropped a grace period later.
    pub(crate) made: Count,
    pub(crate) removed: Count,
    pub(crate) refused: Count,
    pub(crate) expired: Count,
    pub(crate) flushed: Count,
    pub(crate) dropped: Count,

    /// Times that a pair was looked for, which had to be there unless a flush
    /// may have had it.
    pub(crate) looked: Count,
    /// Times that the table grew.
    pub(crate) grown: Count,
    /// No memory, so that a pair was not made.
    pub(crate) no_memory: Count,

    /// Not found, though it had to be there.
    pub(crate) lost: Count,
    /// Met twice by one walk along its chain.
    pub(crate) doubled: Count,
    /// Found, though it had been removed.
    pub(crate) ghosts: Count,
    /// Found, though it was due before a turn that has ended.
    pub(crate) overdue: Count,
    /// Refused, though nobody else adds that key.
    pub(crate) usurped: Count,
}
