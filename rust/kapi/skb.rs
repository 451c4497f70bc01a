// SPDX-License-Identifier: GPL-2.0

//! Packets.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

mod icmp;
mod rewrite;
mod translate;
mod tunnel;

pub use icmp::Answer;
pub use rewrite::{RewriteError, Rewritten, L4};
pub use tunnel::{Outer, Wrapping};

use crate::{bindings, gfp::Gfp, net::Net, rcu, route::Route};
use core::{mem::ManuallyDrop, ptr::NonNull, slice};
use lvs_wire::{addr::Address, rewrite::CsumState};

/// A packet, `struct sk_buff`, whose data begin at the network header.
///
/// Dropping it drops the packet.
///
/// # Invariants
///
/// The value owns the `sk_buff`, and `len - data_len` bytes from `data` are in
/// linear memory.
///
/// It is not `Send`: what it refers to without counting (its device, its route)
/// lasts for as long as the hook that it is met in, and so nothing keeps it for
/// longer.
pub struct Packet(NonNull<bindings::sk_buff>);

/// No memory to make a part of the packet readable or writable, or the packet
/// is shorter than that part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable;

/// Who reassembles fragments; each keeps its own queues (`ip_defrag_users`).
#[derive(Clone, Copy)]
pub enum DefragUser {
    /// On the way in, before or after routing.
    In,
    /// On the way through.
    Forward,
    /// Made by this host.
    Out,
}

/// Room for a link layer header before a packet of our own (`LL_MAX_HEADER`
/// of any device that is not a tunnel).
const HEADROOM: u32 = 128;

/// What the packet's bit fields say.
#[derive(Clone, Copy)]
pub struct Traits(u32);

impl Traits {
    fn has(self, bit: u32) -> bool {
        self.0 & bit != 0
    }

    /// The link layer addressed it to this host.
    #[inline]
    pub fn to_this_host(self) -> bool {
        self.has(bindings::LVS_SKB_TO_THIS_HOST)
    }

    /// A load balancer in this kernel has already handled it.
    #[inline]
    pub fn is_done(self) -> bool {
        self.has(bindings::LVS_SKB_IPVS_PROPERTY)
    }

    /// Its checksum is to be finished by the device that sends it.
    #[inline]
    pub fn checksum_is_partial(self) -> bool {
        self.has(bindings::LVS_SKB_CSUM_PARTIAL)
    }

    /// What the field of its checksum holds.
    #[inline]
    fn csum_state(self) -> CsumState {
        if self.checksum_is_partial() {
            CsumState::Partial
        } else {
            CsumState::Full
        }
    }

    /// It stands for several packets.
    #[inline]
    pub fn is_gso(self) -> bool {
        self.has(bindings::LVS_SKB_GSO)
    }

    /// It stands for several packets, kept as a list.
    #[inline]
    pub fn is_fraglist(self) -> bool {
        self.has(bindings::LVS_SKB_GSO_FRAGLIST)
    }
}

impl Packet {
    /// # Safety
    ///
    /// The caller must own `skb`, and passes it on.
    #[inline]
    pub(crate) unsafe fn from_raw(skb: *mut bindings::sk_buff) -> Self {
        // INVARIANT: By the caller's promise.
        // SAFETY: An owned packet's address is not null.
        Self(unsafe { NonNull::new_unchecked(skb) })
    }

    /// The C structure.
    #[inline]
    pub(crate) fn as_ptr(&self) -> *mut bindings::sk_buff {
        self.0.as_ptr()
    }

    /// Passes the ownership on.
    #[inline]
    pub(crate) fn into_raw(self) -> *mut bindings::sk_buff {
        ManuallyDrop::new(self).0.as_ptr()
    }

    /// Sends a new packet, an IP header of family `A` and what follows it, as
    /// [`Packet::send`] does. Any context.
    ///
    /// # Errors
    ///
    /// No memory.
    pub fn send_bytes<A: Address>(
        bytes: &[u8],
        net: &Net,
        rcu: &rcu::ReadLock,
        route: &Route,
    ) -> Result<(), Unavailable> {
        let len = u32::try_from(bytes.len()).map_err(|_| Unavailable)?;
        // SAFETY: No requirement.
        let skb =
            unsafe { bindings::lvs_alloc_skb(A::FAMILY.af(), HEADROOM, len, Gfp::Atomic.raw()) };
        // INVARIANT: New, hence ours.
        let mut packet = NonNull::new(skb).map(Self).ok_or(Unavailable)?;
        for (to, from) in packet.writable(len)?.iter_mut().zip(bytes) {
            *to = *from;
        }
        packet.send::<A>(net, rcu, route);
        Ok(())
    }

    /// Whether the checksum of the ICMP message at `offset` is right, or is
    /// still to be made by the sending device. Any context.
    pub fn icmp_checksum_is_right<A: Address>(&mut self, offset: usize) -> bool {
        let Ok(offset) = u32::try_from(offset) else {
            return false;
        };
        if self.traits().checksum_is_partial() {
            return true;
        }
        if offset > self.len() {
            return false;
        }
        // SAFETY: Owned; the offset is inside the packet.
        unsafe { bindings::lvs_skb_checksum_icmp(self.as_ptr(), A::FAMILY.af(), offset) == 0 }
    }

    /// Its length from the network header on, in bytes.
    #[inline]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> u32 {
        // SAFETY: Owned by the type invariant.
        unsafe { (*self.as_ptr()).len }
    }

    /// How much of it is in linear memory.
    #[inline]
    fn linear_len(&self) -> u32 {
        // SAFETY: Owned by the type invariant.
        let (len, paged) = unsafe { ((*self.as_ptr()).len, (*self.as_ptr()).data_len) };
        len.wrapping_sub(paged)
    }

    /// What the bit fields say. Any context.
    #[inline]
    pub fn traits(&self) -> Traits {
        // SAFETY: Owned by the type invariant.
        Traits(unsafe { bindings::lvs_skb_traits(self.as_ptr()) })
    }

    /// The mark that rules gave it.
    #[inline]
    pub fn mark(&self) -> u32 {
        // SAFETY: Owned by the type invariant.
        unsafe { bindings::lvs_skb_mark(self.as_ptr()) }
    }

    /// The bytes that are in linear memory already.
    #[inline]
    pub fn linear(&self) -> &[u8] {
        // SAFETY: By the type invariant; nobody writes while `self` is borrowed.
        unsafe { slice::from_raw_parts((*self.as_ptr()).data, self.linear_len() as usize) }
    }

    /// Makes the first `len` bytes linear and returns all that are. Any
    /// context.
    ///
    /// # Errors
    ///
    /// The packet is shorter, or no memory.
    #[inline]
    pub fn pull(&mut self, len: u32) -> Result<&[u8], Unavailable> {
        let linear = self.linear_len();
        if len > linear {
            if len > self.len() {
                return Err(Unavailable);
            }
            // CAST: Smaller than the packet, which is smaller than 2^31.
            let more = len.wrapping_sub(linear) as i32;
            // SAFETY: Owned; `more` bytes are there, by the check above.
            if unsafe { bindings::__pskb_pull_tail(self.as_ptr(), more) }.is_null() {
                return Err(Unavailable);
            }
        }
        Ok(self.linear())
    }

    /// Makes the first `len` bytes linear and ours alone, to be written. Any
    /// context.
    ///
    /// # Errors
    ///
    /// The packet is shorter, or no memory.
    #[inline]
    pub fn writable(&mut self, len: u32) -> Result<&mut [u8], Unavailable> {
        // SAFETY: Owned by the type invariant.
        if unsafe { bindings::skb_ensure_writable(self.as_ptr(), len) } != 0 {
            return Err(Unavailable);
        }
        // SAFETY: The bytes are linear and in no other packet, by the call;
        // `self` is borrowed for as long.
        Ok(unsafe { slice::from_raw_parts_mut((*self.as_ptr()).data, len as usize) })
    }

    /// Lets connection tracking pass the packet by. Any context.
    pub fn untrack(&mut self) {
        // SAFETY: Owned by the type invariant.
        unsafe { bindings::lvs_skb_untrack(self.as_ptr()) };
    }

    /// Lets our own hooks pass the packet by. Any context.
    #[inline]
    pub fn settle(&mut self) {
        // SAFETY: Owned by the type invariant.
        unsafe { bindings::lvs_skb_settle(self.as_ptr()) };
    }

    /// Lets our own hooks and connection tracking pass the packet by, which goes
    /// on by itself. Any context.
    #[inline]
    pub fn claim(&mut self) {
        // SAFETY: Owned by the type invariant.
        unsafe { bindings::lvs_skb_claim(self.as_ptr()) };
    }

    /// Collects the fragments of an IPv4 datagram. Any context. IPv6's are
    /// collected before any hook: one that is met nevertheless comes back.
    ///
    /// `None`: the fragment was kept (or dropped); else the whole datagram.
    pub fn defragment<A: Address>(self, net: &Net, user: DefragUser) -> Option<Self> {
        let user = match user {
            DefragUser::In => bindings::ip_defrag_users_IP_DEFRAG_VS_IN,
            DefragUser::Forward => bindings::ip_defrag_users_IP_DEFRAG_VS_FWD,
            DefragUser::Out => bindings::ip_defrag_users_IP_DEFRAG_VS_OUT,
        };
        let skb = self.into_raw();
        // SAFETY: The packet is passed on; with `true` it comes back, whole.
        if !unsafe { bindings::lvs_skb_defragment(net.as_ptr(), skb, A::FAMILY.af(), user) } {
            return None;
        }
        // SAFETY: As above.
        Some(unsafe { Self::from_raw(skb) })
    }

    /// Whether all its packets pass a link of `mtu` bytes. Any context.
    pub fn fits<A: Address>(&self, mtu: u32) -> bool {
        // SAFETY: Owned by the type invariant; the control block is IP's.
        unsafe { bindings::lvs_skb_fits(self.as_ptr(), A::FAMILY.af(), mtu) }
    }

    /// Sends the packet, of family `A`, along `route`, through the hooks of
    /// what this host sends. Our own hooks and connection tracking pass it by.
    /// Any context.
    pub fn send<A: Address>(self, net: &Net, rcu: &rcu::ReadLock, route: &Route) {
        let skb = self.into_raw();
        // SAFETY: The packet is passed on. The route outlives the read
        // section, which covers all that is done without a reference; whoever
        // keeps the packet for longer takes one (`skb_dst_force`).
        unsafe { bindings::lvs_send(net.as_ptr(), skb, A::FAMILY.af(), route.as_ptr(rcu)) };
    }
}

impl Drop for Packet {
    fn drop(&mut self) {
        // SAFETY: Owned by the type invariant.
        unsafe { bindings::lvs_skb_drop(self.as_ptr()) };
    }
}
