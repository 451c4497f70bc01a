// SPDX-License-Identifier: GPL-2.0

//! [`Config`]: what a run is, as far as its seed does not decide it.

use crate::planted::Planted;

/// How long a run is, and what is in it.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Events until no more conversations begin; those that have, end after.
    pub events: u64,
    /// What is wrong with the directors.
    pub planted: Option<Planted>,
}

impl Config {
    /// All there is, in 10,000 events.
    pub const FULL: Self = Self {
        events: 10_000,
        planted: None,
    };
}
