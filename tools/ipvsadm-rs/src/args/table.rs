// SPDX-License-Identifier: GPL-2.0

//! Which option goes with which command.

use clap::parser::ValueSource;
use clap::ArgMatches;

use super::split::b_is_flags;
use crate::failure::{Failure, REFUSED};

/// A command and its options.
struct Row {
    /// The command's long name.
    command: &'static str,
    /// Its short letter or, where it has none, its long name again.
    letter: &'static str,
    /// Options, or groups of options, of which one must be there.
    needs: &'static [&'static str],
    /// Options and groups that may be there.
    takes: &'static [&'static str],
}

/// The service's name: one of these.
const SERVICE: &str = "service-address";
/// The forwarding method: one of these.
const FORWARD: &str = "forwarding-method";

/// Options of which only one may be given, under one name.
const GROUPS: &[(&str, &[&str])] = &[
    (
        SERVICE,
        &[
            "tcp-service",
            "udp-service",
            "sctp-service",
            "fwmark-service",
        ],
    ),
    (FORWARD, &["masquerading", "ipip", "gatewaying", "fullnat"]),
];

const SERVICE_OPTIONS: &[&str] = &[
    "ipv6",
    "scheduler",
    "persistent",
    "netmask",
    "ops",
    "pe",
    "sched-flags",
    "masq-only",
    "no-masq-only",
    "synproxy",
];
const SERVER_OPTIONS: &[&str] = &[
    "ipv6",
    FORWARD,
    "weight",
    "u-threshold",
    "l-threshold",
    "tun-type",
    "tun-port",
    "tun-nocsum",
    "tun-csum",
    "tun-remcsum",
];

const ROWS: &[Row] = &[
    Row {
        command: "add-service",
        letter: "-A",
        needs: &[SERVICE],
        takes: SERVICE_OPTIONS,
    },
    Row {
        command: "edit-service",
        letter: "-E",
        needs: &[SERVICE],
        takes: SERVICE_OPTIONS,
    },
    Row {
        command: "delete-service",
        letter: "-D",
        needs: &[SERVICE],
        takes: &["ipv6"],
    },
    Row {
        command: "clear",
        letter: "-C",
        needs: &[],
        takes: &[],
    },
    Row {
        command: "list",
        letter: "-L",
        needs: &[],
        takes: &[
            SERVICE,
            "ipv6",
            "numeric",
            "connection",
            "timeout",
            "daemon",
            "stats",
            "rate",
            "thresholds",
            "persistent-conn",
            "nosort",
            "sort",
            "exact",
            "tun-info",
            "drops",
            "conn-legs",
            "json",
            // Stock takes it here and does nothing with it.
            "syncid",
        ],
    },
    Row {
        command: "add-server",
        letter: "-a",
        needs: &[SERVICE, "real-server"],
        takes: SERVER_OPTIONS,
    },
    Row {
        command: "edit-server",
        letter: "-e",
        needs: &[SERVICE, "real-server"],
        takes: SERVER_OPTIONS,
    },
    Row {
        command: "delete-server",
        letter: "-d",
        needs: &[SERVICE, "real-server"],
        takes: &["ipv6"],
    },
    Row {
        command: "set",
        letter: "--set",
        needs: &[],
        takes: &[],
    },
    Row {
        command: "start-daemon",
        letter: "--start-daemon",
        needs: &[],
        takes: &[
            "mcast-interface",
            "syncid",
            "sync-maxlen",
            "mcast-group",
            "mcast-port",
            "mcast-ttl",
        ],
    },
    Row {
        command: "stop-daemon",
        letter: "--stop-daemon",
        needs: &[],
        takes: &["syncid"],
    },
    Row {
        command: "restore",
        letter: "-R",
        needs: &[],
        takes: &["replace"],
    },
    Row {
        command: "save",
        letter: "-S",
        needs: &[],
        takes: &["numeric", "sort"],
    },
    Row {
        command: "zero",
        letter: "-Z",
        needs: &[],
        takes: &[SERVICE, "ipv6"],
    },
    Row {
        command: "add-laddr",
        letter: "-P",
        needs: &["local-address"],
        takes: &[SERVICE, "ipv6", "dedicated"],
    },
    Row {
        command: "del-laddr",
        letter: "-Q",
        needs: &["local-address"],
        takes: &[SERVICE, "ipv6"],
    },
    Row {
        command: "get-laddr",
        letter: "-G",
        needs: &[],
        takes: &[SERVICE, "ipv6", "numeric", "exact", "json"],
    },
    Row {
        command: "help",
        letter: "-h",
        needs: &[],
        takes: &[],
    },
    Row {
        command: "version",
        letter: "-v",
        needs: &[],
        takes: &[],
    },
];

/// The one command that was given, once its options are seen to fit it.
pub(crate) fn command(matches: &ArgMatches) -> Result<&'static str, Failure> {
    let row = only_row(matches)?;
    for (group, members) in GROUPS {
        once(matches, group, members)?;
    }
    for need in row.needs {
        if !given(matches, need) {
            return Err(Failure::usage(format!(
                "You need to supply the '{need}' option for the '{}' command: {}.",
                row.command,
                example(need)
            )));
        }
    }
    match stray(matches, row) {
        Some(option) => Err(illegal(option, row)),
        None => Ok(row.command),
    }
}

fn only_row(matches: &ArgMatches) -> Result<&'static Row, Failure> {
    let mut rows = ROWS.iter().filter(|row| was_given(matches, row.command));
    let row = rows.next().ok_or_else(|| Failure {
        status: REFUSED,
        text: "No command given: say what to do with -A, -E, -D, -a, -e, -d, -L, -C, -Z, -S, -R, -P, -Q or -G; `-h` explains them.".to_string(),
    })?;
    match rows.next() {
        Some(other) => Err(Failure::usage(format!(
            "multiple commands specified: {} and {}; give one at a time.",
            row.letter, other.letter
        ))),
        None => Ok(row),
    }
}

fn once(matches: &ArgMatches, group: &str, members: &[&str]) -> Result<(), Failure> {
    if members.iter().filter(|m| was_given(matches, m)).count() > 1 {
        return Err(Failure::usage(format!(
            "multiple '{group}' options specified: give one of --{}.",
            members.join(", --")
        )));
    }
    Ok(())
}

/// The first option that has no business with the command.
fn stray(matches: &ArgMatches, row: &Row) -> Option<&'static str> {
    let options = ROWS
        .iter()
        .flat_map(|other| other.needs.iter().chain(other.takes))
        .copied();
    let mut strays = options.filter(|option| {
        !row.needs.contains(option) && !row.takes.contains(option) && given(matches, option)
    });
    strays.next()
}

fn illegal(option: &'static str, row: &Row) -> Failure {
    if option == "sched-flags" {
        return b_is_flags();
    }
    let owners: Vec<&str> = ROWS
        .iter()
        .filter(|other| other.needs.contains(&option) || other.takes.contains(&option))
        .map(|other| other.letter)
        .collect();
    Failure::usage(format!(
        "Illegal '{option}' option with the '{}' command: it goes with {}.",
        row.command,
        owners.join(", ")
    ))
}

fn example(need: &str) -> &'static str {
    match need {
        SERVICE => "-t ADDRESS:PORT, -u ADDRESS:PORT, --sctp-service ADDRESS:PORT or -f MARK",
        "real-server" => "-r ADDRESS[:PORT]",
        _ => "-z ADDRESS, one of this machine's addresses",
    }
}

fn given(matches: &ArgMatches, name: &str) -> bool {
    match GROUPS.iter().find(|(group, _)| *group == name) {
        Some((_, members)) => members.iter().any(|m| was_given(matches, m)),
        None => was_given(matches, name),
    }
}

/// Whether the user typed it: flags always have a value, false by default.
fn was_given(matches: &ArgMatches, name: &str) -> bool {
    matches.value_source(name) == Some(ValueSource::CommandLine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_belongs_to_some_command() {
        for name in super::super::options::names() {
            let known = ROWS.iter().any(|row| {
                row.command == name
                    || row.needs.iter().chain(row.takes).any(|o| {
                        *o == name
                            || GROUPS
                                .iter()
                                .any(|(g, members)| g == o && members.contains(&name))
                    })
            });
            assert!(known, "{name}");
        }
    }
}
