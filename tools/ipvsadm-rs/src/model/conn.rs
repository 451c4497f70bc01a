// SPDX-License-Identifier: GPL-2.0

//! Connections.

use std::net::IpAddr;

use super::dest::Method;
use super::service::Protocol;

/// An address and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// The address.
    pub(crate) addr: IpAddr,
    /// The port.
    pub(crate) port: u16,
}

/// A connection with both its legs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conn {
    /// TCP or UDP.
    pub(crate) protocol: Protocol,
    /// The client.
    pub(crate) client: Endpoint,
    /// The virtual service.
    pub(crate) virt: Endpoint,
    /// The director's address towards the server; FULLNAT only.
    pub(crate) local: Option<Endpoint>,
    /// The real server.
    pub(crate) dest: Endpoint,
    /// State's name, as in /proc/net/ip_vs_conn.
    pub(crate) state: String,
    /// Seconds until it expires.
    pub(crate) expires: u32,
    /// How its packets are forwarded, when the kernel told.
    pub(crate) method: Option<Method>,
    /// Bits: 0 TOA is being inserted, 1 the server acknowledged, 2 inactive.
    pub(crate) flags: u32,
}

/// A line of /proc/net/ip_vs_conn, all that stock ip_vs tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProcConn {
    /// The protocol's name as printed there.
    pub(crate) protocol: String,
    /// The client.
    pub(crate) client: Endpoint,
    /// The virtual service.
    pub(crate) virt: Endpoint,
    /// The real server.
    pub(crate) dest: Endpoint,
    /// State's name.
    pub(crate) state: String,
    /// Seconds until it expires.
    pub(crate) expires: u32,
    /// Persistence engine's name and data.
    pub(crate) engine: Option<(String, String)>,
}
