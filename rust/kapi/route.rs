// SPDX-License-Identifier: GPL-2.0

//! Routes, and what the routing tables say of an address.
//!
//! C headers: [`include/net/route.h`](srctree/include/net/route.h),
//! [`include/net/ip6_route.h`](srctree/include/net/ip6_route.h),
//! [`include/net/dst.h`](srctree/include/net/dst.h)

use crate::{
    bindings,
    net::Net,
    netns::{Anchor, Stake},
    rcu,
};
use core::{
    ops::Deref,
    ptr::{self, NonNull},
};
use lvs_wire::addr::{Address, Endpoint, Family};

/// A route to one address: a device and, behind it, a next hop.
///
/// It is neither `Send` nor `Sync`, and so does not outlive the call that it was
/// looked up in, nor the namespace: what IPv6 does with routes lies there.
/// [`Route::keep`] keeps one for longer.
///
/// # Invariants
///
/// The value holds a reference to a live `struct dst_entry`. The last
/// reference frees it only after a grace period.
pub struct Route {
    dst: NonNull<bindings::dst_entry>,
    /// What IPv6's tables were at when it was found.
    cookie: u32,
    next_hop: bool,
    local: bool,
    source: [u32; 4],
    /// Where it was found; only compared.
    net: *const Net,
}

/// A route that is kept. Its namespace does not go away before it is dropped.
pub struct Kept {
    // Dropped in this order.
    route: Route,
    _stake: Stake,
}

// SAFETY: `dst_entry` is counted and may be used by several CPUs; the stake keeps
// what it refers to.
unsafe impl Send for Kept {}
// SAFETY: As above.
unsafe impl Sync for Kept {}

impl Deref for Kept {
    type Target = Route;

    #[inline]
    fn deref(&self) -> &Route {
        &self.route
    }
}

/// What a route is looked up for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query<A> {
    /// Where the packet is to go.
    pub destination: A,
    /// What it has as its source, which need not be an address of this host.
    pub source: A,
    /// The mark that routing rules see.
    pub mark: u32,
    /// The packet is addressed to somebody else: the destination is its next
    /// hop.
    pub next_hop: bool,
}

impl<A: Address> Query<A> {
    /// For a packet to `destination` from whatever address of this host fits.
    #[inline]
    pub fn to(destination: A) -> Self {
        Self {
            destination,
            source: A::UNSPECIFIED,
            mark: 0,
            next_hop: false,
        }
    }
}

impl Route {
    /// Looks up a way. Any context.
    ///
    /// `None`: no route, no memory, or no IPv6 in this kernel.
    #[inline]
    pub fn find<A: Address>(net: &Net, query: Query<A>) -> Option<Self> {
        let mut found = bindings::lvs_route::default();
        // SAFETY: The namespace is live; the addresses are as long as those of
        // the family, and are read only, as `found` is written, during the call.
        let is_found = unsafe {
            bindings::lvs_route(
                net.as_ptr(),
                A::FAMILY.af(),
                raw(query.destination).as_ptr().cast(),
                raw(query.source).as_ptr().cast(),
                query.mark,
                query.next_hop,
                &mut found,
            )
        };
        // INVARIANT: The look-up returns a reference.
        let dst = NonNull::new(found.dst).filter(|_| is_found)?;
        Some(Self {
            dst,
            cookie: found.cookie,
            next_hop: query.next_hop,
            local: found.local,
            source: found.source,
            net: ptr::from_ref(net),
        })
    }

    /// Keeps it beyond the call. Whoever has it lets go of it when the namespace
    /// of `anchor` goes away (`NetState::pre_exit`), which waits for that. Any
    /// context. `None`: it goes away, or is another one than the route's.
    pub fn keep(self, anchor: &Anchor) -> Option<Kept> {
        Some(Kept {
            _stake: anchor.stake(self.net)?,
            route: self,
        })
    }

    /// Whether the route still is what a look-up would find. Any context.
    #[inline]
    pub fn is_valid(&self) -> bool {
        // SAFETY: Live by the type invariant.
        unsafe { bindings::lvs_dst_usable(self.dst.as_ptr(), self.cookie) }
    }

    /// The address that this host speaks from along it, of the family that it
    /// was looked up for; only if [`Query::source`] left that open.
    #[inline]
    pub fn source<A: Address>(&self) -> A {
        let [a, b, c, d] = self.source.map(u32::from_be);
        A::from_words(match A::FAMILY {
            Family::V4 => [0, 0, 0, a],
            Family::V6 => [a, b, c, d],
        })
    }

    /// Whether it was looked up for packets that are addressed to somebody
    /// else than its destination, see [`Query::next_hop`].
    #[inline]
    pub fn is_next_hop(&self) -> bool {
        self.next_hop
    }

    /// Whether it leads to this host itself.
    #[inline]
    pub fn is_local(&self) -> bool {
        self.local
    }

    /// The largest packet that passes, in bytes of IP.
    #[inline]
    pub fn mtu(&self) -> u32 {
        // SAFETY: Live by the type invariant.
        unsafe { bindings::lvs_dst_mtu(self.dst.as_ptr()) }
    }

    /// The C structure; it is not freed before the read section ends.
    #[inline]
    pub(crate) fn as_ptr(&self, _: &rcu::ReadLock) -> *mut bindings::dst_entry {
        self.dst.as_ptr()
    }
}

impl Drop for Route {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the reference is ours to give back.
        unsafe { bindings::lvs_dst_release(self.dst.as_ptr()) };
    }
}

/// Whether `net` has addresses of a family at all: IPv6 may have been left out
/// when the kernel was started. Any context.
pub fn has_family(net: &Net, family: Family) -> bool {
    // SAFETY: The namespace is live.
    family == Family::V4 || unsafe { bindings::lvs_ipv6_is_on(net.as_ptr()) }
}

/// Whether in `net` nothing but a packet's destination chooses its route:
/// neither rules nor, with IPv6, routes for certain sources. Any context.
#[inline]
pub fn is_by_destination<A: Address>(net: &Net) -> bool {
    // SAFETY: The namespace is live.
    unsafe { bindings::lvs_routes_by_destination(net.as_ptr(), A::FAMILY.af()) }
}

/// Whether `address` is one of this host's in `net`. Any context.
pub fn is_local<A: Address>(net: &Net, address: A) -> bool {
    let raw = raw(address);
    // SAFETY: The namespace is live, the address as long as the family's.
    unsafe { bindings::lvs_address_is_local(net.as_ptr(), A::FAMILY.af(), raw.as_ptr().cast()) }
}

/// Whether `address` is one host's, this or another, seen from `net`: no
/// broadcast, multicast or unreachable address; link-local only if it is this
/// host's. Any context.
pub fn is_unicast<A: Address>(net: &Net, address: A) -> bool {
    let raw = raw(address);
    // SAFETY: The namespace is live, the address as long as the family's.
    unsafe { bindings::lvs_address_is_unicast(net.as_ptr(), A::FAMILY.af(), raw.as_ptr().cast()) }
}

/// Whether this host has a TCP socket of its own between the two ends. Any
/// context.
pub fn has_tcp_socket<A: Address>(net: &Net, local: Endpoint<A>, remote: Endpoint<A>) -> bool {
    let (local_raw, remote_raw) = (raw(local.addr), raw(remote.addr));
    // SAFETY: The namespace is live, the addresses are as long as the family's;
    // the found socket is let go of inside.
    unsafe {
        bindings::lvs_tcp_port_is_taken(
            net.as_ptr(),
            A::FAMILY.af(),
            remote_raw.as_ptr().cast(),
            remote.port.to_be(),
            local_raw.as_ptr().cast(),
            local.port,
        )
    }
}

/// As C has it: the octets in network order, aligned for words.
#[inline]
pub(crate) fn raw<A: Address>(address: A) -> [u32; 4] {
    let [a, b, c, d] = address.to_words().map(u32::to_be);
    match A::FAMILY {
        Family::V4 => [d, 0, 0, 0],
        Family::V6 => [a, b, c, d],
    }
}
