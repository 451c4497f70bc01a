// SPDX-License-Identifier: GPL-2.0

//! [`Request`]: who asks for a connection. Only schedulers that hash look at it.

use lvs_wire::addr::{Address, AnyAddr, AnyEndpoint};
use lvs_wire::netlink::ipvs::svc_flags;

/// The packet that is to open a connection, and its service's flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Who sent it; port 0 if the protocol has none.
    pub client: AnyEndpoint,
    /// What it was addressed to.
    pub virt: AnyAddr,
    /// The service's flags, see [`svc_flags`]; those that the scheduler does
    /// not know are ignored.
    pub flags: u32,
}

impl Request {
    /// What clients are told apart by: their address, and their port if the
    /// service says so.
    #[inline]
    pub(super) fn client_key(&self) -> u32 {
        let has_port = self.flags & svc_flags::SCHED2 != 0;
        let port = if has_port { self.client.port } else { 0 };
        key(self.client.addr, port)
    }

    /// Whether another destination may serve if the one hashed to does not take connections.
    #[inline]
    pub(super) const fn falls_back(&self) -> bool {
        self.flags & svc_flags::SCHED1 != 0
    }
}

/// An address and a port in 32 bits, as IPVS adds them up before it hashes.
///
/// IPVS folds a destination's address by its service's family: of an IPv6
/// destination of an IPv4 service (a tunnel) it takes the first four octets.
#[inline]
pub(super) fn key(addr: AnyAddr, port: u16) -> u32 {
    let words = match addr {
        AnyAddr::V4(addr) => addr.to_words(),
        AnyAddr::V6(addr) => addr.to_words(),
    };
    let folded = words.iter().fold(0, |folded, word| folded ^ word);
    folded.wrapping_add(u32::from(port))
}
