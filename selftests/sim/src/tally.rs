// SPDX-License-Identifier: GPL-2.0

//! [`Tally`]: how often what has happened, by name.

use std::{collections::BTreeMap, fmt};

/// Counts of things that happened in a run, or in several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<String, u64>);

impl Tally {
    pub(crate) fn add(&mut self, what: impl Into<String>) {
        *self.0.entry(what.into()).or_default() += 1;
    }

    pub(crate) fn add_many(&mut self, what: &str, times: u64) {
        *self.0.entry(what.to_string()).or_default() += times;
    }

    /// How often `what` has happened.
    #[must_use]
    pub fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    /// How often things have happened whose name begins so.
    #[must_use]
    pub fn of_all(&self, prefix: &str) -> u64 {
        let all = self.0.iter().filter(|(what, _)| what.starts_with(prefix));
        all.map(|(_, times)| times).sum()
    }

    /// Adds another run's.
    pub fn merge(&mut self, other: &Self) {
        for (what, times) in &other.0 {
            self.add_many(what, *times);
        }
    }
}

/// A table, one line each.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, times) in &self.0 {
            writeln!(f, "{times:>12}  {what}")?;
        }
        Ok(())
    }
}
