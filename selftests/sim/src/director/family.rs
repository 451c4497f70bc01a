// SPDX-License-Identifier: GPL-2.0

//! What the director keeps once for each address family, or for two of them.

use super::{flows::Flows, Director};
use lvs_wire::ip::Network;
use std::net::{Ipv4Addr, Ipv6Addr};

/// An address family, as the director is generic over it.
pub(crate) trait Family: Network {
    fn flows(director: &Director) -> &Flows<Self>;

    /// The connections of this family's clients with IPv4 servers.
    fn to_v4(director: &Director) -> &Flows<Self, Ipv4Addr>;

    /// The connections of IPv6 clients with this family's servers.
    fn from_v6(director: &Director) -> &Flows<Ipv6Addr, Self>;
}

impl Family for Ipv4Addr {
    fn flows(director: &Director) -> &Flows<Self> {
        &director.v4
    }

    fn to_v4(director: &Director) -> &Flows<Self> {
        &director.v4
    }

    fn from_v6(director: &Director) -> &Flows<Ipv6Addr, Self> {
        &director.v64
    }
}

impl Family for Ipv6Addr {
    fn flows(director: &Director) -> &Flows<Self> {
        &director.v6
    }

    fn to_v4(director: &Director) -> &Flows<Self, Ipv4Addr> {
        &director.v64
    }

    fn from_v6(director: &Director) -> &Flows<Self> {
        &director.v6
    }
}
