// SPDX-License-Identifier: GPL-2.0

//! How often each command was taken, and how often refused and with what.

use std::{collections::BTreeMap, fmt};

use lvs_wire::netlink::ipvs::cmd;
use nix::errno::Errno;

use crate::family::Family;

/// Counts by outcome: 0, or an error number.
type Outcomes = BTreeMap<i32, u64>;

/// The counts.
#[derive(Default)]
pub(crate) struct Tally {
    commands: BTreeMap<(Family, u8), Outcomes>,
    /// Of messages that reached no command that there is.
    others: BTreeMap<&'static str, Outcomes>,
}

/// There are no sync daemons.
const NEVER_TAKEN: [u8; 2] = [cmd::NEW_DAEMON, cmd::DEL_DAEMON];

impl Tally {
    /// A message that reached a family, or none.
    pub(crate) fn count(&mut self, command: Option<(Family, u8)>, errno: i32) {
        let known = command.filter(|(family, number)| family.command(*number).is_some());
        let outcomes = match (known, command) {
            (Some(known), _) => self.commands.entry(known).or_default(),
            (None, Some((family, _))) => self.others.entry(family.name()).or_default(),
            (None, None) => self.others.entry("no family").or_default(),
        };
        *outcomes.entry(errno).or_default() += 1;
    }

    /// Something else that was tried.
    pub(crate) fn count_other(&mut self, what: &'static str, errno: i32) {
        *self
            .others
            .entry(what)
            .or_default()
            .entry(errno)
            .or_default() += 1;
    }

    /// What the run left out: commands that never succeeded, or that never were refused.
    pub(crate) fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for family in Family::ALL {
            for command in family.commands() {
                let empty = Outcomes::new();
                let outcomes = self
                    .commands
                    .get(&(family, command.number))
                    .unwrap_or(&empty);
                let never = family == Family::Ipvs && NEVER_TAKEN.contains(&command.number);
                let taken = outcomes.contains_key(&0);
                if taken == never {
                    missing.push(format!(
                        "{} {} {} taken",
                        family.name(),
                        command.name,
                        if never { "was" } else { "was never" }
                    ));
                }
                if !outcomes.keys().any(|errno| *errno != 0) {
                    missing.push(format!(
                        "{} {} was never refused",
                        family.name(),
                        command.name
                    ));
                }
            }
        }
        missing
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((family, number), outcomes) in &self.commands {
            writeln!(
                f,
                "{:<5}{:<13}{}",
                family.name(),
                family.command_name(*number),
                shown(outcomes)
            )?;
        }
        for (what, outcomes) in &self.others {
            writeln!(f, "{what:<18}{}", shown(outcomes))?;
        }
        Ok(())
    }
}

fn shown(outcomes: &Outcomes) -> String {
    let each = outcomes
        .iter()
        .map(|(errno, count)| format!("{} {count}", errno_name(*errno)));
    each.collect::<Vec<_>>().join(", ")
}

/// The C name of an error number.
pub(crate) fn errno_name(errno: i32) -> String {
    match (errno, Errno::from_raw(errno)) {
        (0, _) => "ok".to_string(),
        (_, Errno::UnknownErrno) => format!("error {errno}"),
        (_, name) => format!("{name:?}"),
    }
}
