// SPDX-License-Identifier: GPL-2.0

//! The executor of plans between a client and a server of different families.
//! What the header bytes become is [`lvs_wire::rewrite::translate`]'s.

use super::{rewrite::shift, Packet, RewriteError, Rewritten, Traits, Unavailable, L4};
use crate::bindings;
use lvs_wire::{
    addr::Family,
    csum::Sum,
    ip::Network,
    rewrite::{
        self,
        icmp::ErrorPlan,
        translate::{self, icmp, Extra},
        Place, Plan, Transport,
    },
    udp,
};

impl Packet {
    /// Makes the packet, of family `Old`, what `plan` says, of family `New`.
    /// Any context.
    ///
    /// `traits` are the packet's own, `mtu` that of the link it will leave by:
    /// the segments of a GSO packet that grow beyond it become smaller. `id` is
    /// for an IPv4 header that needs one, a fresh one each time. Unless its
    /// header says `dont_fragment`, an IPv4 packet leaves in fragments that
    /// every link of IPv6 takes (RFC 7915 section 4).
    ///
    /// A list of packets (`rx-gro-list`) becomes an ordinary GSO packet: the
    /// kernel, told that its segments are not to be trusted, cuts it anew, and
    /// makes every checksum.
    ///
    /// # Errors
    ///
    /// The packet is to be dropped then: it may have been changed in part.
    pub fn translate<Old: Network, New: Network>(
        &mut self,
        traits: Traits,
        l4: L4,
        plan: &Plan<New>,
        mtu: u32,
        id: u16,
        dont_fragment: bool,
    ) -> Result<Rewritten, RewriteError> {
        let place = Place {
            l4_offset: l4.offset,
            transport: l4.transport,
            csum: traits.csum_state(),
        };
        let end = self.header_end(l4)?;
        let edit = plan.tcp.as_ref().filter(|edit| edit.changes_options());
        let (options, done, grow) = match edit {
            None => (None, Rewritten::PLAIN, 0),
            Some(edit) => {
                let (options, grow) = self.plan_options(place, end, edit)?;
                (Some(options), Rewritten::of(&options), grow)
            }
        };
        // CAST: 20 at most, and 40.
        let room = translate::room::<Old, New>() as u32;
        // What may be fragmented is: its sender may not heed the path MTU of
        // IPv6, where no router does it, and cannot count a fragment header.
        // A GSO packet's segments are cut by the kernel where they have to be.
        let came_whole = self.came_whole::<Old>();
        let stays_whole = traits.is_gso() || (dont_fragment && came_whole);
        let fragment = match New::FAMILY {
            Family::V6 if !stays_whole => New::MIN_MTU,
            _ => 0,
        };
        let (wider, narrower) = (grow.max(0) as u32, grow.min(0).unsigned_abs());
        let front = room.wrapping_add(wider);
        self.own_info()?;
        let headers = self.widen(end, front)?;
        // The headers go behind the room alone: what they grow by is behind them.
        shift(headers, front as usize, room as usize)?;
        let extra = Extra {
            id,
            aggregate: traits.is_gso(),
            fragmented: !came_whole,
        };
        let new = translate::translate::<Old, New>(headers, place, plan, options.as_ref(), extra)
            .map_err(RewriteError::Translation)?;
        // What they shrink by is behind them too: they move over it.
        shift(headers, 0, narrower as usize)?;
        // CAST: Inside the headers.
        let start = (new.start as u32).wrapping_add(narrower);
        // SAFETY: Owned; that many bytes are linear.
        unsafe { bindings::skb_pull(self.as_ptr(), start) };
        if traits.checksum_is_partial() {
            // SAFETY: Owned; the checksum starts at the transport header, which
            // has moved by what it has grown.
            unsafe {
                bindings::lvs_skb_move_checksum_start(self.as_ptr(), grow.wrapping_neg());
            }
        }
        self.is_of_family::<New>(fragment);
        if new.needs_udp_checksum {
            self.finish_udp(plan)?;
        }
        let longer = i32::from(New::HEADER_LEN as i16)
            .wrapping_sub(i32::try_from(l4.offset).unwrap_or(0))
            .wrapping_add(grow);
        // Datagrams are as long as they are: the kernel fragments those.
        if longer > 0 && matches!(l4.transport, Transport::Tcp) {
            let place = Place {
                l4_offset: New::HEADER_LEN,
                ..place
            };
            // CAST: At most 60.
            self.shrink_segments::<New>(place, longer as u16, mtu)?;
        }
        Ok(done)
    }

    /// Makes the ICMP error at `offset`, of family `Old`, what `plan` says, of
    /// family `New`. Any context.
    ///
    /// # Errors
    ///
    /// As [`Packet::translate`].
    pub fn translate_error<Old: Network, New: Network>(
        &mut self,
        offset: usize,
        plan: &ErrorPlan<New>,
        id: u16,
    ) -> Result<(), RewriteError> {
        /// As much as an error of either family may be long.
        const MOST: u32 = 1280;
        // CAST: 40 at most.
        let room = icmp::room::<Old, New>() as u32;
        let len = self.len().min(MOST);
        let message = self.widen(len, room)?;
        let new = icmp::translate_error::<Old, New>(message, offset, plan, id)
            .map_err(RewriteError::Translation)?;
        // CAST: Inside the message.
        // SAFETY: Owned; that many bytes are linear, and the rest is longer.
        let whole = unsafe {
            bindings::skb_pull(self.as_ptr(), new.start as u32);
            bindings::lvs_skb_cut(self.as_ptr(), new.len as u32)
        };
        if !whole {
            return Err(RewriteError::Unavailable);
        }
        self.is_of_family::<New>(0);
        Ok(())
    }

    /// Puts `by` bytes in front of the packet; they and the first `len` bytes
    /// behind them are ours to write.
    fn widen(&mut self, len: u32, by: u32) -> Result<&mut [u8], RewriteError> {
        self.writable(len)?;
        // SAFETY: Owned by the type invariant.
        if unsafe { bindings::lvs_skb_cow_head(self.as_ptr(), by) } != 0 {
            return Err(RewriteError::Unavailable);
        }
        // SAFETY: The head room is there, and the head is ours alone.
        unsafe { bindings::skb_push(self.as_ptr(), by) };
        Ok(self.writable(len.wrapping_add(by))?)
    }

    /// The IP header is one of `A` now; fragments are no larger than
    /// `fragment`, if that is not 0.
    fn is_of_family<A: Network>(&mut self, fragment: u16) {
        // CAST: 40 at most.
        // SAFETY: Owned by the type invariant, data at the IP header.
        unsafe {
            bindings::lvs_skb_family_changed(self.as_ptr(), A::FAMILY.af(), fragment);
            bindings::lvs_skb_rewritten(self.as_ptr(), A::HEADER_LEN as u32);
        }
    }

    /// Whether the packet has not been collected from fragments.
    fn came_whole<A: Network>(&self) -> bool {
        // SAFETY: Owned by the type invariant; the control block is IP's.
        let largest = unsafe { bindings::lvs_skb_largest_fragment(self.as_ptr(), A::FAMILY.af()) };
        largest == 0
    }

    /// Makes the checksum that a datagram never had.
    fn finish_udp<A: Network>(&mut self, plan: &Plan<A>) -> Result<(), RewriteError> {
        // CAST: 40 at most.
        let (l4, payload) = (A::HEADER_LEN as u32, A::HEADER_LEN as u32 + 8);
        let rest = self.len().checked_sub(payload).ok_or(Unavailable)?;
        let header = self.pull(payload)?.get(l4 as usize..);
        let header = udp::Header::parse(header.ok_or(Unavailable)?);
        let stated = header.map_err(|_| rewrite::Error::Truncated)?.len();
        // What is behind the end that it states (RFC 9868) is not covered.
        let len = u32::from(stated).saturating_sub(8).min(rest);
        // SAFETY: Owned; offset and length are inside the packet.
        let sum = unsafe { bindings::lvs_skb_sum(self.as_ptr(), payload, len) };
        // CAST: It is folded.
        let sum = Sum::ZERO.add_u16(sum as u16);
        let header = self.writable(payload)?.get_mut(l4 as usize..);
        Ok(translate::finish_udp(
            header.ok_or(Unavailable)?,
            plan,
            sum,
        )?)
    }
}
