// SPDX-License-Identifier: GPL-2.0

//! Plans carried out on bytes, as `rust/kapi/skb/rewrite.rs` and
//! `translate.rs` there do it on a socket buffer: room, headers, gap.

use super::head::Head;
use lvs_engine::drop_reason::DropReason;
use lvs_wire::{
    csum::Sum,
    ip::Network,
    rewrite::{
        self,
        icmp::{apply_error, ErrorPlan},
        options::{self, OptionsOut},
        translate::{self, icmp, Extra},
        CsumState, Error, Place, Plan,
    },
    tcp,
};

/// The longest IP packet whose length fits its header.
const MAX_LEN: usize = 65_535;

fn place<A>(head: &Head<A>) -> Place {
    Place {
        l4_offset: head.l4_offset,
        transport: head.transport,
        csum: CsumState::Full,
    }
}

/// The options that a segment had, in bytes, and those that it gets. What
/// cannot be read is left as it is.
fn new_options<A: Network>(
    bytes: &[u8],
    l4_offset: usize,
    plan: &Plan<A>,
) -> (usize, Option<OptionsOut>) {
    let view = bytes
        .get(l4_offset..)
        .and_then(|l4| tcp::Header::parse(l4).ok());
    let edit = plan.tcp.filter(|edit| edit.changes_options());
    let (Some(view), Some(edit)) = (view, edit) else {
        return (0, None);
    };
    let (old, is_syn) = (view.option_bytes(), view.flags().syn());
    let spare = MAX_LEN - bytes.len();
    (old.len(), Some(options::plan(old, &edit, is_syn, spare)))
}

/// Makes the packet what `plan` says, in the family that it is of.
pub(super) fn within<Old: Network, New: Network>(
    mut bytes: Vec<u8>,
    head: &Head<Old>,
    plan: &Plan<New>,
) -> Result<Vec<u8>, DropReason> {
    let (old, new) = new_options(&bytes, head.l4_offset, plan);
    let behind = head.l4_offset + tcp::HEADER_LEN + old;
    let grow = new.as_ref().map_or(0, |new| new.grow(old));
    if grow > 0 {
        bytes.splice(behind..behind, vec![0; grow as usize]);
    }
    rewrite::apply(&mut bytes, place(head), plan, new.as_ref()).map_err(reason)?;
    if grow < 0 {
        bytes.drain(behind - grow.unsigned_abs() as usize..behind);
    }
    Ok(bytes)
}

/// Makes the packet what `plan` says, in the other family.
pub(super) fn between<Old: Network, New: Network>(
    mut bytes: Vec<u8>,
    head: &Head<Old>,
    plan: &Plan<New>,
    id: u16,
) -> Result<Vec<u8>, DropReason> {
    let (old, new) = new_options(&bytes, head.l4_offset, plan);
    let room = translate::room::<Old, New>();
    let behind = head.l4_offset + tcp::HEADER_LEN + old;
    let grow = new.as_ref().map_or(0, |new| new.grow(old));
    if grow > 0 {
        bytes.splice(behind..behind, vec![0; grow as usize]);
    }
    bytes.splice(0..0, vec![0; room]);
    let extra = Extra {
        id,
        aggregate: false,
        fragmented: false,
    };
    let done = translate::translate::<Old, New>(&mut bytes, place(head), plan, new.as_ref(), extra)
        .map_err(untranslatable)?;
    if grow < 0 {
        let behind = behind + room;
        bytes.drain(behind - grow.unsigned_abs() as usize..behind);
    }
    bytes.drain(..done.start);
    if done.needs_udp_checksum {
        let payload = Sum::ZERO.add_bytes(&bytes[New::HEADER_LEN + 8..]);
        translate::finish_udp(&mut bytes[New::HEADER_LEN..], plan, payload).map_err(reason)?;
    }
    Ok(bytes)
}

/// Makes the ICMP error what `plan` says.
pub(super) fn error<Old: Network, New: Network>(
    mut bytes: Vec<u8>,
    offset: usize,
    plan: &ErrorPlan<New>,
    id: u16,
) -> Result<Vec<u8>, DropReason> {
    if Old::FAMILY == New::FAMILY {
        apply_error(&mut bytes, offset, CsumState::Full, plan).map_err(reason)?;
        return Ok(bytes);
    }
    bytes.splice(0..0, vec![0; icmp::room::<Old, New>()]);
    let done =
        icmp::translate_error::<Old, New>(&mut bytes, offset, plan, id).map_err(untranslatable)?;
    bytes.drain(..done.start);
    bytes.truncate(done.len);
    Ok(bytes)
}

fn reason(error: Error) -> DropReason {
    match error {
        Error::Truncated => DropReason::Truncated,
        Error::TtlExpired => DropReason::TtlExceeded,
        Error::TooLong => DropReason::TooLong,
        Error::DataOffset => DropReason::BadHeader,
        Error::NotAnError | Error::Embedded(_) | Error::EmbeddedTransport => DropReason::BadIcmp,
    }
}

fn untranslatable(error: translate::Error) -> DropReason {
    match error {
        translate::Error::Rewrite(error) => reason(error),
        translate::Error::NoCounterpart => DropReason::NoCounterpart,
        _ => DropReason::BadHeader,
    }
}
