// SPDX-License-Identifier: GPL-2.0

//! Carrying out a [`Plan`]: bounds are checked once, what can fail comes before
//! the first write, and all that the checksums depend on is one [`Sum`].

use super::options::OptionsOut;
use super::{sack, CsumState, Error, Place, Plan, TcpEdit, Transport};
use crate::addr::Endpoint;
use crate::csum::{update, update_partial, update_udp, Sum};
use crate::ip::{HeadEdit, Network, TtlStep};
use crate::tcp;

/// Changes the headers of a packet as `plan` says.
///
/// `header` begins with the IP header and holds at least everything up to the
/// end of the transport header; the payload need not be there. `options` is
/// what [`super::options::plan`] gave, `None` when it was not needed. When the
/// new options are longer, `header` already has the room behind the old ones;
/// when they are shorter, the bytes in between are left for the caller to take
/// out. A length that does not change is not touched: the old header is
/// believed.
///
/// # Errors
///
/// One [`Error`] per cause; nothing has been written then.
#[inline]
pub fn apply<A: Network>(
    header: &mut [u8],
    place: Place,
    plan: &Plan<A>,
    options: Option<&OptionsOut>,
) -> Result<(), Error> {
    let (ip, l4) = header
        .split_at_mut_checked(place.l4_offset)
        .ok_or(Error::Truncated)?;
    let (src, dst) = (plan.src.addr, plan.dst.addr);
    transport(l4, place, plan, options, |grow| {
        ip_header(ip, src, dst, plan.ttl, grow)
    })
}

/// Changes the transport header at the start of `l4`.
///
/// `ip` changes the IP header of a packet that grows by so many bytes, and
/// gives the change of the sum of the addresses. It is called when nothing else
/// can fail, and before the first write here.
#[inline]
pub(super) fn transport<A: Network>(
    l4: &mut [u8],
    place: Place,
    plan: &Plan<A>,
    options: Option<&OptionsOut>,
    ip: impl FnOnce(i16) -> Result<Sum, Error>,
) -> Result<(), Error> {
    match (place.transport, options) {
        (Transport::Udp, _) => udp(ip, l4, place.csum, plan),
        (Transport::Tcp, None) => tcp_in_place(ip, l4, place.csum, plan),
        (Transport::Tcp, Some(options)) => tcp_with(ip, l4, place.csum, plan, options),
    }
}

/// Changes addresses, TTL and length of an IP header; gives the change of the
/// sum of the addresses. The only step that fails after checking bounds.
#[inline]
pub(super) fn ip_header<A: Network>(
    ip: &mut [u8],
    src: A,
    dst: A,
    ttl: TtlStep,
    grow: i16,
) -> Result<Sum, Error> {
    let (head, tail) = ip
        .split_at_mut_checked(A::HEAD_LEN)
        .ok_or(Error::Truncated)?;
    let (old_src, rest) = A::from_prefix(tail).ok_or(Error::Truncated)?;
    let (old_dst, _) = A::from_prefix(rest).ok_or(Error::Truncated)?;
    let addresses = old_src.change_to(src).add(old_dst.change_to(dst));
    A::edit_head(
        head,
        HeadEdit {
            ttl,
            grow,
            addresses,
        },
    )?;
    let rest = src.write_prefix(tail).ok_or(Error::Truncated)?;
    dst.write_prefix(rest).ok_or(Error::Truncated)?;
    Ok(addresses)
}

/// Both ports as the first word of a transport header.
#[inline]
fn ports<A>(src: &Endpoint<A>, dst: &Endpoint<A>) -> u32 {
    (u32::from(src.port) << 16) | u32::from(dst.port)
}

#[inline]
fn udp<A: Network>(
    ip: impl FnOnce(i16) -> Result<Sum, Error>,
    l4: &mut [u8],
    csum: CsumState,
    plan: &Plan<A>,
) -> Result<(), Error> {
    let fixed: &mut [u8; 8] = l4.first_chunk_mut().ok_or(Error::Truncated)?;
    let addresses = ip(0)?;
    let [a, b, c, d, len0, len1, e, f] = *fixed;
    let new_ports = ports(&plan.src, &plan.dst);
    let field = u16::from_be_bytes([e, f]);
    let check = match csum {
        CsumState::Full => {
            let old_ports = u32::from_be_bytes([a, b, c, d]);
            update_udp(field, addresses.replace_u32(old_ports, new_ports))
        }
        CsumState::Partial => update_partial(field, addresses),
        CsumState::None => field,
    };
    let [a, b, c, d] = new_ports.to_be_bytes();
    let [e, f] = check.to_be_bytes();
    *fixed = [a, b, c, d, len0, len1, e, f];
    Ok(())
}

/// The usual case: the options keep their place and size.
#[inline]
fn tcp_in_place<A: Network>(
    ip: impl FnOnce(i16) -> Result<Sum, Error>,
    l4: &mut [u8],
    csum: CsumState,
    plan: &Plan<A>,
) -> Result<(), Error> {
    let (fixed, rest) = l4.split_first_chunk_mut().ok_or(Error::Truncated)?;
    let sack_add = plan.tcp.as_ref().map_or(0, |edit| edit.sack_add);
    let mut blocks: Option<&mut [u8]> = None;
    if sack_add != 0 {
        let len = tcp::options_len(fixed).ok_or(Error::DataOffset)?;
        let options = rest.get_mut(..len).ok_or(Error::Truncated)?;
        if sack::present(options) {
            blocks = Some(options);
        }
    }
    let pseudo = ip(0)?;
    let mut body = Sum::ZERO;
    if let Some(options) = blocks {
        // An option may begin at an odd offset, so the whole is summed anew.
        body = body.sub_bytes(options);
        sack::shift(options, sack_add);
        body = body.add_bytes(options);
    }
    fixed_header(
        fixed,
        csum,
        plan,
        Changed {
            pseudo,
            body,
            options_len: None,
        },
    );
    Ok(())
}

/// The rare case: there are new options.
#[inline]
fn tcp_with<A: Network>(
    ip: impl FnOnce(i16) -> Result<Sum, Error>,
    l4: &mut [u8],
    csum: CsumState,
    plan: &Plan<A>,
    options: &OptionsOut,
) -> Result<(), Error> {
    let (fixed, rest) = l4.split_first_chunk_mut().ok_or(Error::Truncated)?;
    let old_len = tcp::options_len(fixed).ok_or(Error::DataOffset)?;
    let old = Sum::ZERO.add_bytes(rest.get(..old_len).ok_or(Error::Truncated)?);
    let new = options.as_slice();
    let room = rest.get_mut(..new.len()).ok_or(Error::Truncated)?;
    // At most 40 either way.
    let grow = i16::try_from(options.grow(old_len)).unwrap_or(0);
    let addresses = ip(grow)?;
    room.copy_from_slice(new);
    fixed_header(
        fixed,
        csum,
        plan,
        Changed {
            pseudo: addresses.add_signed(grow),
            body: Sum::ZERO.sub(old).add_bytes(new),
            options_len: Some(new.len()),
        },
    );
    Ok(())
}

/// What has changed outside the fixed TCP header.
struct Changed {
    /// In the pseudo header: addresses and length.
    pseudo: Sum,
    /// In the options.
    body: Sum,
    /// The new length of the options, if they have one.
    options_len: Option<usize>,
}

/// Rewrites the fixed TCP header, in registers, and its checksum.
///
/// Always inlined: where the options keep their size, half of it falls away.
#[inline(always)]
fn fixed_header<A: Network>(
    fixed: &mut [u8; tcp::HEADER_LEN],
    csum: CsumState,
    plan: &Plan<A>,
    changed: Changed,
) {
    let [old_ports, old_seq, old_ack, old_word, last] = tcp::to_words(fixed);
    let (mut seq, mut ack) = (old_seq, old_ack);
    if let Some(TcpEdit {
        seq_add, ack_add, ..
    }) = plan.tcp
    {
        seq = old_seq.wrapping_add(seq_add);
        if old_word & ACK_BIT != 0 {
            ack = old_ack.wrapping_add(ack_add);
        }
    }
    let ports = ports(&plan.src, &plan.dst);
    let word = match changed.options_len {
        None => old_word,
        Some(len) => with_options_len(old_word, len),
    };
    let [f, g, urgent0, urgent1] = last.to_be_bytes();
    let field = u16::from_be_bytes([f, g]);
    let check = match csum {
        CsumState::Full => {
            let change = changed
                .pseudo
                .add(changed.body)
                .replace_u32(old_ports, ports)
                .replace_u32(old_seq, seq)
                .replace_u32(old_ack, ack)
                .replace_u32(old_word, word);
            update(field, change)
        }
        CsumState::Partial => update_partial(field, changed.pseudo),
        CsumState::None => field,
    };
    let [f, g] = check.to_be_bytes();
    let last = u32::from_be_bytes([f, g, urgent0, urgent1]);
    *fixed = tcp::from_words([ports, seq, ack, word, last]);
}

/// ACK, in the word that holds offset, flags and window.
const ACK_BIT: u32 = 0x0010_0000;

/// The word that holds offset, flags and window, for `len` bytes of options.
#[inline]
fn with_options_len(word: u32, len: usize) -> u32 {
    // At most 40, so at most 15 words in all.
    let words = u32::try_from(len >> 2).unwrap_or(0).wrapping_add(5);
    (word & 0x0fff_ffff) | (words << 28)
}

#[cfg(test)]
#[path = "apply_tests.rs"]
pub(super) mod tests;
