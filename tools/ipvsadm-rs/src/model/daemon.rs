// SPDX-License-Identifier: GPL-2.0

//! Connection synchronisation daemons.

use std::net::IpAddr;

/// Which of the two daemons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Sends connections.
    Master,
    /// Receives them.
    Backup,
}

impl Role {
    /// The number in netlink attributes.
    pub(crate) fn number(self) -> u32 {
        match self {
            Self::Master => 1,
            Self::Backup => 2,
        }
    }

    /// The word on the command line and in listings.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Backup => "backup",
        }
    }
}

/// A daemon's settings; zero and `None` mean the kernel's default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Daemon {
    /// Which one.
    pub(crate) role: Role,
    /// Interface of the multicasts.
    pub(crate) interface: String,
    /// Only messages of this id are taken.
    pub(crate) syncid: u32,
    /// Longest message.
    pub(crate) maxlen: u16,
    /// Multicast group.
    pub(crate) group: Option<IpAddr>,
    /// UDP port.
    pub(crate) port: u16,
    /// Multicast TTL.
    pub(crate) ttl: u8,
}
