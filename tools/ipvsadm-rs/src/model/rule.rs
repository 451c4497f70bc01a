// SPDX-License-Identifier: GPL-2.0

//! What a set of services consists of.

use std::net::IpAddr;

use super::dest::{DestKey, DestSettings};
use super::service::{ServiceKey, Settings};

/// Something that a set has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SetRule<'a> {
    /// A service, and whether its NAT destinations stay NAT.
    Service(&'a ServiceKey, &'a Settings, bool),
    /// A destination of a service that comes before it.
    Dest(&'a ServiceKey, &'a DestKey, &'a DestSettings),
    /// A local address of a service or of the default pool, and whether the
    /// machine itself leaves it alone.
    Local(Option<&'a ServiceKey>, IpAddr, bool),
}
