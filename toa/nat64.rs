// SPDX-License-Identifier: GPL-2.0

//! The IPv6 client of a connection that comes over IPv4 (NAT64), for who asks
//! with `getsockopt(fd, IPPROTO_IP, 4096, ...)`.
//!
//! An IPv4 socket's peer has no room for such a client. The option and its
//! answer are those of DPVS's module, which patched servers know. C programs
//! ask for all of the structure; others tend to ask for the bytes that mean
//! something, so these are enough.

use crate::{capture::Clients, counters::Counter, namespace};
use core::net::IpAddr;
use kapi::{
    errno::{enoprotoopt, enotconn},
    sock::Sock,
    sockopt::{Buffer, SocketOption, Written},
};
use kernel::prelude::*;
use lvs_kapi as kapi;
use lvs_wire::{addr::Endpoint, toa::Nat64Peer};

/// The number of the option, DPVS's `TOA_SO_GET_LOOKUP`.
pub(crate) const NUMBER: u16 = 4096;

impl SocketOption for Clients {
    fn get(&self, socket: &Sock, out: Buffer<'_>) -> Result<Written> {
        if !socket.is_tcp_or_mptcp() {
            // As without the module.
            return Err(enoprotoopt());
        }
        if out.room() < Nat64Peer::MEANT {
            return Err(EINVAL);
        }
        if !socket.has_peer() {
            return Err(enotconn());
        }
        let client = self.nat64(socket)?;
        // As for getpeername, see `capture.rs`.
        let source = socket.flow().peer.addr;
        if namespace::of(socket, |ns| ns.trusts(source)) == Some(false) {
            namespace::of(socket, |ns| ns.count(Counter::Untrusted));
            return Err(ENOENT);
        }
        let written = out.write(&client.to_bytes())?;
        namespace::of(socket, |ns| ns.count(Counter::Nat64));
        Ok(written)
    }
}

impl Clients {
    /// The client, when it is IPv6 and the connection is not. Nothing is
    /// counted of other connections: servers ask about each.
    fn nat64(&self, socket: &Sock) -> Result<Nat64Peer> {
        let known = self.known(socket).ok_or(ENOENT)?;
        let peer = socket.flow().peer;
        match known.client.addr {
            IpAddr::V6(client) if known.peer == peer && peer.addr.is_ipv4() => {
                Ok(Nat64Peer(Endpoint::new(client, known.client.port)))
            }
            _ => Err(ENOENT),
        }
    }
}
