// SPDX-License-Identifier: GPL-2.0

//! The one executor of [`Plan`]s: room, checksum states and GSO, whichever
//! hook asked. What the header bytes become is [`lvs_wire::rewrite`]'s.

use super::{Packet, Traits, Unavailable};
use crate::bindings;
use lvs_wire::{
    ip::Network,
    rewrite::{
        self,
        icmp::{apply_error, ErrorPlan},
        options::{self, OptionsOut, ToaOutcome},
        CsumState, Place, Plan, TcpEdit, Transport,
    },
    tcp,
};

/// Why a packet could not be rewritten. It is not to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RewriteError {
    /// No memory, or the headers are not all there.
    Unavailable,
    /// The headers do not allow it.
    Header(rewrite::Error),
    /// What it says cannot be said in the other family.
    Translation(rewrite::translate::Error),
}

impl From<Unavailable> for RewriteError {
    fn from(Unavailable: Unavailable) -> Self {
        Self::Unavailable
    }
}

impl From<rewrite::Error> for RewriteError {
    fn from(error: rewrite::Error) -> Self {
        Self::Header(error)
    }
}

/// What was done about options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// What became of the client's address.
    pub toa: ToaOutcome,
    /// How many options of the sender's own were taken out.
    pub removed: u8,
    /// The timestamps of a SYN were taken out.
    pub timestamps_stripped: bool,
    /// Fast Open was taken out of a SYN.
    pub fast_open_stripped: bool,
    /// A malformed option was taken out with all that was behind it.
    pub cut: bool,
}

impl Rewritten {
    /// What was done by writing these.
    pub(super) fn of(options: &OptionsOut) -> Self {
        Self {
            toa: options.outcome,
            removed: options.removed,
            timestamps_stripped: options.timestamps_stripped,
            fast_open_stripped: options.fast_open_stripped,
            cut: options.cut,
        }
    }

    /// Nothing.
    pub const PLAIN: Self = Self {
        toa: ToaOutcome::None,
        removed: 0,
        timestamps_stripped: false,
        fast_open_stripped: false,
        cut: false,
    };
}

/// Where the transport header is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct L4 {
    /// Bytes from the start of the IP header.
    pub offset: usize,
    /// Which header it is.
    pub transport: Transport,
}

/// The longest IP packet whose length fits its header.
const MAX_LEN: u32 = 65_535;

impl Packet {
    /// Makes the packet what `plan` says. Any context.
    ///
    /// `traits` are the packet's own, `mtu` that of the link it will leave by:
    /// the segments of a GSO packet that grow beyond it become smaller.
    ///
    /// # Errors
    ///
    /// The packet is to be dropped then: it may have been changed in part.
    #[inline]
    pub fn rewrite<A: Network>(
        &mut self,
        traits: Traits,
        l4: L4,
        plan: &Plan<A>,
        mtu: u32,
    ) -> Result<Rewritten, RewriteError> {
        let place = Place {
            l4_offset: l4.offset,
            transport: l4.transport,
            csum: traits.csum_state(),
        };
        let end = self.header_end(l4)?;
        let done = match &plan.tcp {
            Some(edit) if edit.changes_options() => {
                self.rewrite_options(place, end, plan, edit, mtu)?
            }
            _ => {
                rewrite::apply(self.writable(end)?, place, plan, None)?;
                Rewritten::PLAIN
            }
        };
        if plan.tcp.is_some() && traits.is_fraglist() {
            self.own_info()?;
            // The kernel would carry addresses and ports over to the packets
            // of the list, but not what else has changed.
            // SAFETY: Owned by the type invariant.
            unsafe { bindings::lvs_skb_gso_changed(self.as_ptr()) };
        }
        // CAST: Inside the packet.
        // SAFETY: Owned by the type invariant.
        unsafe { bindings::lvs_skb_rewritten(self.as_ptr(), l4.offset as u32) };
        Ok(done)
    }

    /// Makes the ICMP error at `offset` what `plan` says. Any context.
    ///
    /// # Errors
    ///
    /// As [`Packet::rewrite`].
    pub fn rewrite_error<A: Network>(
        &mut self,
        traits: Traits,
        offset: usize,
        plan: &ErrorPlan<A>,
    ) -> Result<(), RewriteError> {
        // The embedded headers; an error carries little more.
        let len = self.len().min(576);
        apply_error(self.writable(len)?, offset, traits.csum_state(), plan)?;
        // CAST: Inside the packet.
        // SAFETY: Owned by the type invariant.
        unsafe { bindings::lvs_skb_rewritten(self.as_ptr(), offset as u32) };
        Ok(())
    }

    /// Where the transport header ends, as it says itself.
    #[inline]
    pub(super) fn header_end(&mut self, l4: L4) -> Result<u32, RewriteError> {
        let fixed = match l4.transport {
            Transport::Udp => 8,
            Transport::Tcp => tcp::HEADER_LEN,
        };
        let len = l4.offset.wrapping_add(fixed);
        let bytes = self.pull(u32::try_from(len).map_err(|_| Unavailable)?)?;
        let Transport::Tcp = l4.transport else {
            // CAST: Converted above.
            return Ok(len as u32);
        };
        let header = bytes
            .get(l4.offset..)
            .and_then(|bytes| bytes.first_chunk())
            .ok_or(Unavailable)?;
        let options = tcp::options_len(header).ok_or(rewrite::Error::DataOffset)?;
        // CAST: At most 60 more than a length that was converted above.
        let end = len.wrapping_add(options) as u32;
        self.pull(end)?;
        Ok(end)
    }

    /// The rare case: options come or go.
    fn rewrite_options<A: Network>(
        &mut self,
        place: Place,
        end: u32,
        plan: &Plan<A>,
        edit: &TcpEdit,
        mtu: u32,
    ) -> Result<Rewritten, RewriteError> {
        let (new, grow) = self.plan_options(place, end, edit)?;
        let result = Rewritten::of(&new);
        self.write_options(place, end, plan, &new, grow)?;
        if grow > 0 {
            // CAST: At most 40.
            self.shrink_segments::<A>(place, grow as u16, mtu)?;
        }
        Ok(result)
    }

    /// What the options of a segment, whose header ends at `end`, become, and by
    /// how many bytes they grow.
    pub(super) fn plan_options(
        &mut self,
        place: Place,
        end: u32,
        edit: &TcpEdit,
    ) -> Result<(OptionsOut, i32), RewriteError> {
        let spare = MAX_LEN.saturating_sub(self.len());
        let header = self
            .pull(end)?
            .get(place.l4_offset..end as usize)
            .ok_or(Unavailable)?;
        let view = tcp::Header::parse(header).map_err(|_| rewrite::Error::DataOffset)?;
        let (old, is_syn) = (view.option_bytes(), view.flags().syn());
        // CAST: Widening.
        let new = options::plan(old, edit, is_syn, spare as usize);
        Ok((new, new.grow(old.len())))
    }

    fn write_options<A: Network>(
        &mut self,
        place: Place,
        end: u32,
        plan: &Plan<A>,
        new: &OptionsOut,
        grow: i32,
    ) -> Result<(), RewriteError> {
        // CAST: At most 40.
        let by = grow.unsigned_abs();
        if grow > 0 {
            self.writable(end)?;
            // SAFETY: Owned by the type invariant.
            if unsafe { bindings::lvs_skb_cow_head(self.as_ptr(), by) } != 0 {
                return Err(RewriteError::Unavailable);
            }
            // SAFETY: The head room is there, and the head is ours alone.
            unsafe { bindings::skb_push(self.as_ptr(), by) };
            let wide = self.writable(end.wrapping_add(by))?;
            // The headers go to the front, the room is behind.
            // CAST: Widening.
            shift(wide, by as usize, 0)?;
            rewrite::apply(wide, place, plan, Some(new))?;
        } else {
            let headers = self.writable(end)?;
            rewrite::apply(headers, place, plan, Some(new))?;
            if grow < 0 {
                // CAST: Widening.
                shift(headers, 0, by as usize)?;
                // SAFETY: Owned; that many bytes are linear.
                unsafe { bindings::skb_pull(self.as_ptr(), by) };
            }
        }
        if let CsumState::Partial = place.csum {
            // The transport header has moved against the start of the buffer.
            // SAFETY: Owned; the checksum starts at that header.
            unsafe { bindings::lvs_skb_move_checksum_start(self.as_ptr(), grow.wrapping_neg()) };
        }
        Ok(())
    }

    /// Lets the segments of a GSO packet, longer by `by` bytes now, fit again.
    pub(super) fn shrink_segments<A: Network>(
        &mut self,
        place: Place,
        by: u16,
        mtu: u32,
    ) -> Result<(), RewriteError> {
        if !self.traits().is_gso() {
            return Ok(());
        }
        // CAST: Inside the packet.
        // SAFETY: Owned by the type invariant. The kernel measures from where
        // it believes the headers to be.
        unsafe { bindings::lvs_skb_rewritten(self.as_ptr(), place.l4_offset as u32) };
        if self.fits::<A>(mtu) {
            return Ok(());
        }
        self.own_info()?;
        // SAFETY: Owned by the type invariant, and the shared info with it.
        unsafe {
            let info = bindings::lvs_skb_shinfo(self.as_ptr());
            let size = (*info).gso_size;
            if size > by {
                (*info).gso_size = size.wrapping_sub(by);
            }
            bindings::lvs_skb_gso_changed(self.as_ptr());
        }
        Ok(())
    }

    /// Makes what is said of the packet's segments ours to change.
    pub(super) fn own_info(&mut self) -> Result<(), RewriteError> {
        // SAFETY: Owned by the type invariant.
        if unsafe { bindings::lvs_skb_own_info(self.as_ptr()) } {
            Ok(())
        } else {
            Err(RewriteError::Unavailable)
        }
    }
}

/// Moves the bytes at `from` to `to`, as many as there are behind both.
pub(super) fn shift(bytes: &mut [u8], from: usize, to: usize) -> Result<(), Unavailable> {
    let len = bytes.len().checked_sub(from.max(to)).ok_or(Unavailable)?;
    let start = bytes.as_mut_ptr();
    // SAFETY: `len` bytes behind either offset are inside the slice, by the
    // subtraction; the two ranges may overlap.
    unsafe { core::ptr::copy(start.add(from), start.add(to), len) };
    Ok(())
}
