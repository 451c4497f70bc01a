// SPDX-License-Identifier: GPL-2.0

//! Local addresses: what FULLNAT connections leave from.

use std::net::IpAddr;

use super::service::ServiceKey;
use super::stats::Stats;

/// A local address as the kernel lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LocalAddress {
    /// Whose it is; `None` is the namespace's default pool.
    pub(crate) service: Option<ServiceKey>,
    /// The address.
    pub(crate) addr: IpAddr,
    /// Live connections that use it.
    pub(crate) conns: u32,
    /// Ports that one real server's (address, port) may be reached from.
    pub(crate) ports: u32,
    /// How often no port was free.
    pub(crate) exhausted: u64,
    /// The machine does not use it itself: every port may be used.
    pub(crate) dedicated: bool,
    /// Removed, and kept until its last connection ends.
    pub(crate) draining: bool,
    /// Counters.
    pub(crate) stats: Stats,
}
