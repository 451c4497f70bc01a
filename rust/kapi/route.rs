// SPDX-License-Identifier: GPL-2.0

//! Routes.
//!
//! C headers: [`include/net/route.h`](srctree/include/net/route.h),
//! [`include/net/dst.h`](srctree/include/net/dst.h)

use crate::{bindings, net::Net, rcu};
use core::{net::Ipv4Addr, ptr::NonNull};

/// A route to one address: a device and, behind it, a next hop.
///
/// # Invariants
///
/// The value holds a reference to a live `struct dst_entry`. The last
/// reference frees it only after a grace period.
pub struct Route(NonNull<bindings::dst_entry>);

// SAFETY: `dst_entry` is counted and may be used by several CPUs.
unsafe impl Send for Route {}
// SAFETY: As above.
unsafe impl Sync for Route {}

impl Route {
    /// Looks up the way from `source` to `destination`. `source` need not be
    /// an address of this host. Any context.
    ///
    /// `None`: no route, or no memory.
    pub fn ip4(
        net: &Net,
        destination: Ipv4Addr,
        source: Ipv4Addr,
        mark: u32,
        tos: u8,
    ) -> Option<Self> {
        // SAFETY: The namespace is live; the addresses are plain numbers.
        let dst = unsafe {
            bindings::lvs_ip4_route(net.as_ptr(), be32(destination), be32(source), mark, tos)
        };
        // INVARIANT: The look-up returns a reference.
        NonNull::new(dst).map(Self)
    }

    /// Whether the route still is what a look-up would find. Any context.
    #[inline]
    pub fn is_valid(&self) -> bool {
        // SAFETY: Live by the type invariant.
        unsafe { bindings::lvs_dst_usable(self.0.as_ptr()) }
    }

    /// Whether it leads to this host itself.
    #[inline]
    pub fn is_local(&self) -> bool {
        // SAFETY: Live by the type invariant.
        unsafe { bindings::lvs_dst_is_local(self.0.as_ptr()) }
    }

    /// The largest packet that passes, in bytes of IP.
    #[inline]
    pub fn mtu(&self) -> u32 {
        // SAFETY: Live by the type invariant.
        unsafe { bindings::lvs_dst_mtu(self.0.as_ptr()) }
    }

    /// The C structure; it is not freed before the read section ends.
    #[inline]
    pub(crate) fn as_ptr(&self, _: &rcu::ReadLock) -> *mut bindings::dst_entry {
        self.0.as_ptr()
    }
}

impl Drop for Route {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the reference is ours to give back.
        unsafe { bindings::lvs_dst_release(self.0.as_ptr()) };
    }
}

/// Whether `address` is one of this host's in `net`. Any context.
pub fn is_local_ip4(net: &Net, address: Ipv4Addr) -> bool {
    // SAFETY: The namespace is live.
    unsafe { bindings::lvs_ip4_address_is_local(net.as_ptr(), be32(address)) }
}

/// Whether `address` is one host's, this or another, seen from `net`: no
/// broadcast, multicast or unreachable address. Any context.
pub fn is_unicast_ip4(net: &Net, address: Ipv4Addr) -> bool {
    // SAFETY: The namespace is live.
    unsafe { bindings::lvs_ip4_address_is_unicast(net.as_ptr(), be32(address)) }
}

/// Whether this host has a TCP socket of its own between the two ends. Any
/// context.
pub fn has_tcp4_socket(net: &Net, local: (Ipv4Addr, u16), remote: (Ipv4Addr, u16)) -> bool {
    // SAFETY: The namespace is live; the found socket is let go of inside.
    unsafe {
        bindings::lvs_tcp4_port_is_taken(
            net.as_ptr(),
            be32(remote.0),
            remote.1.to_be(),
            be32(local.0),
            local.1,
        )
    }
}

/// As C has it: the bytes in the order of the network.
#[inline]
pub(crate) fn be32(address: Ipv4Addr) -> u32 {
    u32::from_ne_bytes(address.octets())
}
