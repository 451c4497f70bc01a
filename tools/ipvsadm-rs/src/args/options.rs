// SPDX-License-Identifier: GPL-2.0

//! Every option, for clap.

use clap::{Arg, ArgAction, Command};

/// A flag: long name, short letter.
const FLAGS: &[(&str, Option<char>)] = &[
    ("add-service", Some('A')),
    ("edit-service", Some('E')),
    ("delete-service", Some('D')),
    ("clear", Some('C')),
    ("zero", Some('Z')),
    ("add-server", Some('a')),
    ("edit-server", Some('e')),
    ("delete-server", Some('d')),
    ("restore", Some('R')),
    ("replace", None),
    ("save", Some('S')),
    ("set", None),
    ("add-laddr", Some('P')),
    ("del-laddr", Some('Q')),
    ("get-laddr", Some('G')),
    ("help", Some('h')),
    ("version", Some('v')),
    ("masquerading", Some('m')),
    ("ipip", Some('i')),
    ("gatewaying", Some('g')),
    ("fullnat", None),
    ("numeric", Some('n')),
    ("connection", Some('c')),
    ("timeout", None),
    ("daemon", None),
    ("stats", None),
    ("rate", None),
    ("thresholds", None),
    ("persistent-conn", None),
    ("nosort", None),
    ("exact", Some('X')),
    ("ipv6", Some('6')),
    ("ops", Some('o')),
    ("tun-info", None),
    ("tun-nocsum", None),
    ("tun-csum", None),
    ("tun-remcsum", None),
    ("masq-only", None),
    ("no-masq-only", None),
    ("dedicated", None),
    ("drops", None),
    ("conn-legs", None),
    ("json", None),
];

/// An option with a value: long name, short letter, the value's name.
const VALUES: &[(&str, Option<char>, &str)] = &[
    ("tcp-service", Some('t'), "ADDRESS:PORT"),
    ("udp-service", Some('u'), "ADDRESS:PORT"),
    ("sctp-service", None, "ADDRESS:PORT"),
    ("fwmark-service", Some('f'), "MARK"),
    ("scheduler", Some('s'), "NAME"),
    ("netmask", Some('M'), "MASK"),
    ("real-server", Some('r'), "ADDRESS[:PORT]"),
    ("weight", Some('w'), "NUMBER"),
    ("u-threshold", Some('x'), "NUMBER"),
    ("l-threshold", Some('y'), "NUMBER"),
    ("start-daemon", None, "master|backup"),
    ("stop-daemon", None, "master|backup"),
    ("mcast-interface", None, "INTERFACE"),
    ("mcast-group", None, "ADDRESS"),
    ("mcast-port", None, "PORT"),
    ("mcast-ttl", None, "NUMBER"),
    ("syncid", None, "NUMBER"),
    ("sync-maxlen", None, "NUMBER"),
    ("pe", None, "ENGINE"),
    ("sched-flags", Some('b'), "FLAGS"),
    ("tun-type", None, "ipip|gue|gre"),
    ("tun-port", None, "PORT"),
    ("local-address", Some('z'), "ADDRESS"),
    ("synproxy", Some('j'), "enable|disable"),
];

/// The id of the words that belong to no option: the numbers of `--set`.
pub(crate) const WORDS: &str = "words";

/// The parser.
pub(crate) fn command() -> Command {
    Command::new("ipvsadm-rs")
        .no_binary_name(true)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args(FLAGS.iter().map(|(name, short)| flag(name, *short)))
        .args(
            VALUES
                .iter()
                .map(|(name, short, value)| valued(name, *short, value)),
        )
        .arg(flag("list", Some('L')).short_alias('l'))
        // Sorting is what happens anyway; stock takes it any number of times.
        .arg(Arg::new("sort").long("sort").action(ArgAction::Count))
        .arg(persistent())
        .arg(Arg::new(WORDS).num_args(0..).action(ArgAction::Append))
}

/// The long names of all options, for tests and suggestions.
#[cfg(test)]
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    FLAGS
        .iter()
        .map(|(name, _)| *name)
        .chain(VALUES.iter().map(|(name, _, _)| *name))
        .chain(["list", "persistent"])
}

fn flag(name: &'static str, short: Option<char>) -> Arg {
    with_short(Arg::new(name).long(name).action(ArgAction::SetTrue), short)
}

/// A value may begin with a hyphen: the sentence about `-w -1` is ours.
fn valued(name: &'static str, short: Option<char>, value: &'static str) -> Arg {
    let arg = Arg::new(name)
        .long(name)
        .value_name(value)
        .allow_hyphen_values(true)
        .action(ArgAction::Set);
    with_short(arg, short)
}

fn with_short(arg: Arg, short: Option<char>) -> Arg {
    match short {
        Some(letter) => arg.short(letter),
        None => arg,
    }
}

/// `-p [timeout]`: takes the next word unless that is an option.
fn persistent() -> Arg {
    Arg::new("persistent")
        .long("persistent")
        .short('p')
        .value_name("SECONDS")
        .num_args(0..=1)
        .default_missing_value("360")
        .action(ArgAction::Set)
}
