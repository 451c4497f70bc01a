// SPDX-License-Identifier: GPL-2.0

//! The making of frames: a number is a frame, given the flows of its block.

mod big;
mod error;
mod foreign;
mod mutate;
#[cfg(test)]
mod tests;

use crate::bed::{Server, SERVICES};
use crate::flow::{client, Flow, Side};
use crate::packet::{flag, Draft, Segment, TCP};
use crate::talk::{self, OFFER};
use crate::world::Frame;
use fastrand::Rng;

/// Frames of a group are pieces of one datagram, or each for itself; and so with
/// groups that are large enough for the longest datagram.
const GROUP: u64 = 4;
const LARGE_GROUP: u64 = 64;

/// Frame `number` of the run that `seed` begins.
pub(crate) fn frame(seed: u64, number: u64, flows: &[Flow]) -> Frame {
    for (size, one_in) in [(LARGE_GROUP, 100), (GROUP, 10)] {
        let group = number / size;
        let mut shared = of(seed ^ size, group);
        if shared.u8(..one_in) == 0 {
            return piece(&mut shared, group, (number % size, size), flows);
        }
    }
    let rng = &mut of(seed, number);
    let (side, draft) = match rng.u8(..100) {
        0..=43 => segment(rng, flows),
        44..=53 => opening(rng),
        54..=72 => error::about(rng, flows),
        73..=82 => return big::frame(rng, flows),
        83..=87 => again(rng, flows),
        _ => foreign::packet(rng, flows),
    };
    finish(rng, side, draft)
}

fn of(seed: u64, number: u64) -> Rng {
    Rng::with_seed(
        seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number.wrapping_mul(0xd134_2543_de82_ef95),
    )
}

/// Makes a packet a frame, right or wrong.
fn finish(rng: &mut Rng, side: Side, mut draft: Draft) -> Frame {
    for _ in 0..[0, 0, 1, 1, 2, 4][rng.usize(..6)] {
        mutate::part(rng, &mut draft);
    }
    let sums = rng.u8(..100);
    if sums < 92 {
        draft = draft.summed();
    }
    // The others of a datagram's pieces may be as wrong as can be.
    let is_whole = draft.piece.is_none_or(|piece| piece == (0, false));
    let mut frame = Frame::of(side, &draft.bytes());
    if sums < 12 {
        // What the sender's device was to do is left to ours.
        let start = (14 + draft.l4_offset()) as u16;
        if let Some(offset) =
            crate::packet::checksum_at(draft.protocol).filter(|at| draft.l4.len() >= at + 2)
        {
            frame = Frame::of(side, &draft.half_summed().bytes());
            frame.vnet.flags = crate::vnet::NEEDS_CSUM;
            (frame.vnet.csum_start, frame.vnet.csum_offset) = (start, offset as u16);
        }
    }
    frame.whole_is_sound = is_whole;
    if rng.u8(..100) < 18 {
        mutate::bytes(rng, &mut frame);
    }
    frame
}

fn any<'a>(rng: &mut Rng, flows: &'a [Flow]) -> &'a Flow {
    &flows[rng.usize(..flows.len())]
}

fn payload(rng: &mut Rng) -> Vec<u8> {
    let len = match rng.u8(..10) {
        0..=3 => 0,
        4..=6 => rng.usize(..100),
        7..=8 => rng.usize(..1400),
        _ => rng.usize(1380..1461),
    };
    let byte = rng.u8(..);
    vec![byte; len]
}

/// Of a flow, in either direction.
fn segment(rng: &mut Rng, flows: &[Flow]) -> (Side, Draft) {
    let mut flow = any(rng, flows).clone();
    let from = if flow.service().method.sees_replies() && rng.bool() {
        Side::Server
    } else {
        Side::Client
    };
    let step = match rng.u8(..8) {
        0 => rng.u32(..),
        1 => rng.u32(..70_000).wrapping_sub(35_000),
        _ => 0,
    };
    match from {
        Side::Client => flow.client_next = flow.client_next.wrapping_add(step),
        Side::Server => flow.server_next = flow.server_next.wrapping_add(step),
    }
    let flags = match rng.u8(..16) {
        0..=8 => flag::ACK | if rng.bool() { flag::PSH } else { 0 },
        9..=10 => flag::FIN | flag::ACK,
        11 => flag::SYN,
        12 => flag::SYN | flag::ACK,
        13 => flag::RST | if rng.bool() { flag::ACK } else { 0 },
        _ => rng.u8(..),
    };
    let options = options(rng, flags & flag::SYN != 0);
    (from, flow.packet(from, flags, options, payload(rng)))
}

/// Of a connection that is not there yet.
fn opening(rng: &mut Rng) -> (Side, Draft) {
    let (place, six, tcp) = (rng.usize(..SERVICES.len()), rng.bool(), rng.bool());
    // One in a few is the port that would be taken for another option's.
    let port = if rng.u8(..12) == 0 {
        63881
    } else {
        // Those of the conversations are theirs.
        rng.u16(1..talk::FIRST_PORT)
    };
    let end = (client(six, rng.u8(..)), port);
    let Some(flow) = Flow::new(place, six, tcp, end, (rng.u32(..), 0)) else {
        return opening(rng);
    };
    let options = options(rng, true);
    let mut draft = flow.packet(
        Side::Client,
        flag::SYN,
        options,
        if tcp { Vec::new() } else { payload(rng) },
    );
    // Data of FTP, and any other port of an address of which all are served.
    if tcp && rng.u8(..8) == 0 {
        let port = if rng.bool() { 20 } else { rng.u16(1024..) };
        draft.l4[2..4].copy_from_slice(&port.to_be_bytes());
    }
    (Side::Client, draft)
}

/// A SYN upon a connection that is there.
fn again(rng: &mut Rng, flows: &[Flow]) -> (Side, Draft) {
    let flow = any(rng, flows);
    let mut draft = flow.packet(Side::Client, flag::SYN, OFFER.to_vec(), Vec::new());
    if flow.tcp {
        let seq = flow.client_next.wrapping_add(rng.u32(..200_000));
        draft.l4[4..8].copy_from_slice(&seq.to_be_bytes());
    }
    (Side::Client, draft)
}

/// Options of TCP, as hosts send them or as nobody would.
fn options(rng: &mut Rng, syn: bool) -> Vec<u8> {
    let timestamps = [1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8];
    match rng.u8(..20) {
        0..=3 if syn => OFFER.to_vec(),
        // With a cookie of Fast Open.
        4 if syn => [&OFFER[..], &[34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1]].concat(),
        0..=6 => Vec::new(),
        7..=9 => timestamps.to_vec(),
        10 => sack(rng, &timestamps, 3),
        11 => sack(rng, &[], 4),
        12 => vec![1; 4 * rng.usize(..11)],
        // TOA, as clients may forge it: of both lengths and kinds, or of a wrong length.
        13 => [&[254, 8][..], &rng.u64(..).to_be_bytes()[2..]].concat(),
        14 => [&[253 + rng.u8(..2), 20][..], &[rng.u8(..); 18]].concat(),
        15 => vec![254, rng.u8(..24), 1, 2, 3, 4, 5, 6, 7, 8],
        // TCP-MD5.
        16 => [&[1, 1, 19, 18][..], &[7; 16]].concat(),
        17 => vec![2, 4, 0, rng.u8(..)],
        _ => (0..rng.usize(..41)).map(|_| rng.u8(..)).collect(),
    }
}

fn sack(rng: &mut Rng, before: &[u8], blocks: u8) -> Vec<u8> {
    let mut options = before.to_vec();
    options.extend([1, 1, 5, 2 + 8 * blocks]);
    for _ in 0..blocks * 2 {
        options.extend(rng.u32(..).to_be_bytes());
    }
    options.truncate(40);
    options
}

/// One of the pieces of a datagram, or of a segment.
fn piece(rng: &mut Rng, group: u64, (which, of): (u64, u64), flows: &[Flow]) -> Frame {
    // As long as a datagram of IPv6 can be, which one of IPv4 cannot.
    let longest = of == LARGE_GROUP;
    let between = |flow: &&Flow| flow.service().server == Server::Other;
    let flow = match flows.iter().find(between) {
        Some(flow) if longest && rng.bool() => flow,
        _ => any(rng, flows),
    };
    let from = if flow.service().method.sees_replies() && rng.bool() {
        Side::Server
    } else {
        Side::Client
    };
    let most = if flow.sent_by(from).is_ipv6() {
        65_535
    } else {
        65_515
    };
    let len = if longest {
        most - 20 - rng.usize(..20)
    } else {
        rng.usize(100..2900)
    };
    let mut draft = flow.packet(from, flag::ACK, Vec::new(), vec![rng.u8(..); len]);
    if draft.protocol == TCP && rng.u8(..4) == 0 {
        draft.l4 = Segment {
            ports: (flow.client.1, flow.virt.1),
            flags: flag::SYN,
            ..Segment::default()
        }
        .bytes();
        draft.l4.resize(len, 0);
    }
    draft = draft.summed();
    draft.id = if longest { !group } else { group } as u32;
    draft.df = false;
    let whole = draft.l4.clone();
    let step = (whole.len() / of as usize + 8) & !7;
    let mut order: Vec<usize> = (0..of as usize).collect();
    rng.shuffle(&mut order);
    // One in three is damaged: pieces overlap, have gaps, are odd, or one of them is another's.
    let fault = rng.u8(..12);
    let place = order[which as usize];
    let (mut begin, mut end) = (place * step, ((place + 1) * step).min(whole.len()));
    let mut more = end < whole.len();
    match fault {
        0 if place == 2 => begin -= 8,
        1 if place == 1 => end -= 8,
        2 if place == 3 => more = true,
        3 if place == 0 => begin += 8,
        _ => {}
    }
    begin = begin.min(whole.len());
    draft.l4 = whole[begin..end.max(begin)].to_vec();
    draft.piece = Some((begin as u16, more));
    let mut frame = Frame::of(from, &draft.bytes());
    frame.whole_is_sound = fault > 3;
    frame
}
