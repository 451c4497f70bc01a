// SPDX-License-Identifier: GPL-2.0

//! [`Queue`]: what is to happen, and the virtual clock, which stands at what
//! happened last.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

/// What is to happen when; of two things at one moment, first what was planned
/// first.
pub(crate) struct Queue<E> {
    order: BinaryHeap<Reverse<(u64, u64)>>,
    events: BTreeMap<u64, E>,
    planned: u64,
    now_us: u64,
}

impl<E> Queue<E> {
    pub(crate) fn new() -> Self {
        Self {
            order: BinaryHeap::new(),
            events: BTreeMap::new(),
            planned: 0,
            now_us: 0,
        }
    }

    /// Microseconds since the start of the run.
    pub(crate) fn now_us(&self) -> u64 {
        self.now_us
    }

    /// Plans `event` in `delay_us` microseconds.
    pub(crate) fn after(&mut self, delay_us: u64, event: E) {
        self.planned += 1;
        self.order
            .push(Reverse((self.now_us + delay_us, self.planned)));
        self.events.insert(self.planned, event);
    }

    /// The next event; the clock goes on to it.
    pub(crate) fn next(&mut self) -> Option<E> {
        let Reverse((at, number)) = self.order.pop()?;
        self.now_us = at;
        self.events.remove(&number)
    }
}
