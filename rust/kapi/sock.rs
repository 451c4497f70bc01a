// SPDX-License-Identifier: GPL-2.0

//! TCP sockets as seen from outside.
//!
//! C headers: [`include/net/sock.h`](srctree/include/net/sock.h),
//! [`include/net/inet_sock.h`](srctree/include/net/inet_sock.h)

use crate::{bindings, net::Net, random};
use core::net::{IpAddr, Ipv6Addr};
use kernel::types::Opaque;
use lvs_wire::addr::{AnyEndpoint, Endpoint};

/// A live TCP or MPTCP socket; only ever met behind a reference.
#[repr(transparent)]
pub struct Sock(Opaque<bindings::sock>);

impl Sock {
    /// # Safety
    ///
    /// `sk` must point to a whole inet socket (no request, no time-wait) that
    /// is live for `'a`.
    #[inline]
    pub(crate) unsafe fn from_raw<'a>(sk: *mut bindings::sock) -> &'a Self {
        // SAFETY: By the caller's promise; the type is transparent.
        unsafe { &*sk.cast() }
    }

    fn traits(&self) -> u32 {
        // SAFETY: Live by `from_raw`.
        unsafe { bindings::lvs_sock_traits(self.0.get()) }
    }

    /// Which socket this is.
    #[inline]
    pub fn id(&self) -> SockId {
        // CAST: An address as a number; never turned back.
        SockId(self.0.get() as usize)
    }

    /// The namespace that the socket is in.
    pub fn net(&self) -> &Net {
        // SAFETY: A live socket keeps what its namespace pointer points at.
        unsafe { Net::from_raw(bindings::lvs_sock_net(self.0.get())) }
    }

    /// TCP, subflows of MPTCP included, or an MPTCP connection.
    pub fn is_tcp_or_mptcp(&self) -> bool {
        self.traits() & (bindings::LVS_SOCK_TCP | bindings::LVS_SOCK_MPTCP) != 0
    }

    /// An MPTCP connection, which has its first subflow's addresses.
    pub fn is_mptcp(&self) -> bool {
        self.traits() & bindings::LVS_SOCK_MPTCP != 0
    }

    /// A TCP socket that is part of an MPTCP connection.
    pub fn is_subflow(&self) -> bool {
        self.traits() & bindings::LVS_SOCK_MPTCP_SUBFLOW != 0
    }

    /// Connected, so that getpeername would have an answer. Another answer may
    /// be true at the next moment, as the socket is not locked.
    pub fn has_peer(&self) -> bool {
        // SAFETY: Live by `from_raw`.
        unsafe { bindings::lvs_sock_has_peer(self.0.get()) }
    }

    /// Made by a SYN with a Fast Open cookie and not yet acknowledged.
    pub(crate) fn is_fastopen_child(&self) -> bool {
        self.traits() & bindings::LVS_SOCK_FASTOPEN_CHILD != 0
    }

    /// Namespace and both ends.
    pub fn flow(&self) -> Flow {
        let mut names = bindings::lvs_sock_names::default();
        // SAFETY: Live by `from_raw`.
        unsafe { bindings::lvs_sock_names(self.0.get(), &mut names) };
        // SAFETY: As above.
        let net = unsafe { bindings::lvs_sock_net(self.0.get()) };
        Flow {
            // CAST: As in `id`.
            net: net as usize,
            local: endpoint(names.local, names.local_port),
            peer: endpoint(names.peer, names.peer_port),
        }
    }
}

/// IPv4 addresses in IPv6 form become IPv4.
fn endpoint(addr: [u8; 16], port: [u8; 2]) -> AnyEndpoint {
    Endpoint::new(
        IpAddr::V6(Ipv6Addr::from(addr)).to_canonical(),
        u16::from_be_bytes(port),
    )
}

/// Tells one socket from another while both live.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SockId(usize);

impl SockId {
    /// A number that nobody outside can foresee.
    #[inline]
    pub fn hash(&self, key: &random::Key) -> u64 {
        // CAST: `usize` has at most 64 bits.
        key.hash2([self.0 as u64, 0])
    }
}

/// A namespace and the two ends of a connection in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    net: usize,
    /// The socket's own end.
    pub local: AnyEndpoint,
    /// The other end.
    pub peer: AnyEndpoint,
}

impl Flow {
    /// A number that nobody outside can foresee.
    pub fn hash(&self, key: &random::Key) -> u64 {
        // CAST: As in `SockId::hash`.
        let net = self.net as u64;
        let ports = u64::from(self.local.port) << 16 | u64::from(self.peer.port);
        key.hash4([
            net ^ ports,
            ports,
            fold(self.local.addr),
            fold(self.peer.addr),
        ])
    }
}

/// An address in one word, for hashing.
fn fold(addr: IpAddr) -> u64 {
    match addr {
        IpAddr::V4(addr) => u64::from(addr.to_bits()),
        IpAddr::V6(addr) => {
            let bits = addr.to_bits();
            // CAST: The two halves, folded.
            (bits >> 64) as u64 ^ (bits as u64).rotate_left(32)
        }
    }
}
