// SPDX-License-Identifier: GPL-2.0

//! The three families: their commands, and what the kernel lets through.

use lvs_wire::netlink::{ipvs, lvs, toa};

use crate::attrs::{Policy, Strictness};

/// A generic netlink family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    /// Stock's.
    Ipvs,
    /// What stock's has no room for.
    Lvs,
    /// toa.ko's.
    Toa,
}

/// A command: its number, its name, and what it may be asked for.
pub(crate) struct Command {
    pub(crate) number: u8,
    pub(crate) name: &'static str,
    pub(crate) does: bool,
    pub(crate) dumps: bool,
    pub(crate) writes: bool,
}

const fn command(number: u8, name: &'static str, what: &[u8]) -> Command {
    let (mut does, mut dumps, mut writes, mut at) = (false, false, false, 0);
    while at < what.len() {
        match what[at] {
            b'd' => does = true,
            b'l' => dumps = true,
            b'w' => (does, writes) = (true, true),
            _ => panic!("no such word"),
        }
        at += 1;
    }
    Command {
        number,
        name,
        does,
        dumps,
        writes,
    }
}

/// What can be asked of `IPVS`; `d` does, `l` lists, `w` writes.
const IPVS: [Command; 16] = [
    command(ipvs::cmd::NEW_SERVICE, "NEW_SERVICE", b"w"),
    command(ipvs::cmd::SET_SERVICE, "SET_SERVICE", b"w"),
    command(ipvs::cmd::DEL_SERVICE, "DEL_SERVICE", b"w"),
    command(ipvs::cmd::GET_SERVICE, "GET_SERVICE", b"dl"),
    command(ipvs::cmd::NEW_DEST, "NEW_DEST", b"w"),
    command(ipvs::cmd::SET_DEST, "SET_DEST", b"w"),
    command(ipvs::cmd::DEL_DEST, "DEL_DEST", b"w"),
    command(ipvs::cmd::GET_DEST, "GET_DEST", b"l"),
    command(ipvs::cmd::NEW_DAEMON, "NEW_DAEMON", b"w"),
    command(ipvs::cmd::DEL_DAEMON, "DEL_DAEMON", b"w"),
    command(ipvs::cmd::GET_DAEMON, "GET_DAEMON", b"l"),
    command(ipvs::cmd::SET_CONFIG, "SET_CONFIG", b"w"),
    command(ipvs::cmd::GET_CONFIG, "GET_CONFIG", b"d"),
    command(ipvs::cmd::GET_INFO, "GET_INFO", b"d"),
    command(ipvs::cmd::ZERO, "ZERO", b"w"),
    command(ipvs::cmd::FLUSH, "FLUSH", b"w"),
];

/// What can be asked of `LVS`.
const LVS: [Command; 11] = [
    command(lvs::cmd::GET_INFO, "GET_INFO", b"d"),
    command(lvs::cmd::GET_SERVICE, "GET_SERVICE", b"dl"),
    command(lvs::cmd::SET_SERVICE, "SET_SERVICE", b"w"),
    command(lvs::cmd::GET_DEST, "GET_DEST", b"l"),
    command(lvs::cmd::NEW_LADDR, "NEW_LADDR", b"w"),
    command(lvs::cmd::DEL_LADDR, "DEL_LADDR", b"w"),
    command(lvs::cmd::GET_LADDR, "GET_LADDR", b"l"),
    command(lvs::cmd::GET_CONN, "GET_CONN", b"l"),
    command(lvs::cmd::GET_DROPS, "GET_DROPS", b"d"),
    command(lvs::cmd::GET_EVENTS, "GET_EVENTS", b"d"),
    command(lvs::cmd::REPLACE, "REPLACE", b"w"),
];

/// What can be asked of `TOA`.
const TOA: [Command; 3] = [
    command(toa::cmd::GET_STATS, "GET_STATS", b"d"),
    command(toa::cmd::GET_CONFIG, "GET_CONFIG", b"d"),
    command(toa::cmd::SET_CONFIG, "SET_CONFIG", b"w"),
];

/// The timeouts of `IPVS`: TCP's, its FIN's, UDP's.
pub(crate) const TIMEOUTS: [u16; 3] = [
    ipvs::attr::TIMEOUT_TCP,
    ipvs::attr::TIMEOUT_TCP_FIN,
    ipvs::attr::TIMEOUT_UDP,
];

impl Family {
    /// Every one.
    pub(crate) const ALL: [Self; 3] = [Self::Ipvs, Self::Lvs, Self::Toa];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ipvs => ipvs::NAME,
            Self::Lvs => lvs::NAME,
            Self::Toa => toa::NAME,
        }
    }

    pub(crate) fn version(self) -> u8 {
        match self {
            Self::Ipvs => ipvs::VERSION,
            Self::Lvs => lvs::VERSION,
            Self::Toa => toa::VERSION,
        }
    }

    pub(crate) fn commands(self) -> &'static [Command] {
        match self {
            Self::Ipvs => &IPVS,
            Self::Lvs => &LVS,
            Self::Toa => &TOA,
        }
    }

    /// The command of that number, if there is one.
    pub(crate) fn command(self, number: u8) -> Option<&'static Command> {
        self.commands()
            .iter()
            .find(|command| command.number == number)
    }

    /// What a person calls a command.
    pub(crate) fn command_name(self, number: u8) -> String {
        self.command(number).map_or_else(
            || format!("command {number}"),
            |command| command.name.to_string(),
        )
    }

    /// First command whose header the core checks (`resv_start_op`).
    pub(crate) fn strict_from(self) -> u8 {
        match self {
            Self::Ipvs => ipvs::cmd::FLUSH + 1,
            Self::Lvs | Self::Toa => 0,
        }
    }

    pub(crate) fn strictness(self) -> Strictness {
        match self {
            Self::Ipvs => Strictness::Lenient,
            Self::Lvs | Self::Toa => Strictness::Strict,
        }
    }

    /// What requests may have at the top.
    pub(crate) fn policy(self) -> &'static [Policy] {
        use Policy::{Binary, Flag, Nest, None, Number};
        match self {
            Self::Ipvs => &[None, Nest, Nest, Nest, Number(4), Number(4), Number(4)],
            Self::Lvs => &[None, Nest, None, Nest, None, None, None, Nest, Nest],
            Self::Toa => &[None, None, Binary(4), Nest, None, Flag],
        }
    }
}
