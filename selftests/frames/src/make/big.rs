// SPDX-License-Identifier: GPL-2.0

//! Big frames, of which the device is to make segments, and headers of virtio
//! that contradict what they stand before.

use super::{any, options};
use crate::flow::{Flow, Side};
use crate::packet::{checksum_at, flag, TCP};
use crate::vnet::{Vnet, DATA_VALID, GSO_ECN, GSO_TCPV4, GSO_TCPV6, GSO_UDP, GSO_UFO, NEEDS_CSUM};
use crate::world::Frame;
use fastrand::Rng;

pub(super) fn frame(rng: &mut Rng, flows: &[Flow]) -> Frame {
    let flow = any(rng, flows);
    let from = if flow.service().method.sees_replies() && rng.bool() {
        Side::Server
    } else {
        Side::Client
    };
    let options = if rng.u8(..4) == 0 {
        options(rng, false)
    } else {
        Vec::new()
    };
    let flags = if rng.u8(..12) == 0 {
        rng.u8(..)
    } else {
        flag::ACK | flag::PSH
    };
    // What a length field can say, less the headers that it counts.
    let head = if flow.tcp {
        20 + options.len().next_multiple_of(4)
    } else {
        8
    };
    let most = if flow.sent_by(from).is_ipv6() {
        65_535 - head
    } else {
        65_515 - head
    };
    let len = match rng.u8(..10) {
        0 => most - rng.usize(..40),
        1..=3 => rng.usize(..20_000),
        _ => rng.usize(..6000),
    };
    let mut draft = flow.packet(from, flags, options, vec![rng.u8(..); len]);
    draft.tos = rng.u8(..4);
    let start = (14 + draft.l4_offset()) as u16;
    let gso_type = match (draft.protocol, draft.src.is_ipv6()) {
        (TCP, false) => GSO_TCPV4,
        (TCP, true) => GSO_TCPV6,
        _ => GSO_UDP,
    };
    let mut vnet = Vnet {
        flags: NEEDS_CSUM,
        gso_type,
        hdr_len: start + head as u16,
        gso_size: [1400, 1200, 536, 1000, 100, 1460][rng.usize(..6)],
        csum_start: start,
        csum_offset: checksum_at(draft.protocol).unwrap_or(0) as u16,
    };
    if vnet.gso_type != GSO_UDP && rng.u8(..8) == 0 {
        vnet.gso_type |= GSO_ECN;
    }
    let mut frame = Frame::of(from, &draft.half_summed().bytes());
    if rng.u8(..3) == 0 {
        nonsense(rng, &mut vnet, frame.bytes.len());
    }
    frame.vnet = vnet;
    frame
}

/// What no device would say.
fn nonsense(rng: &mut Rng, vnet: &mut Vnet, len: usize) {
    let edge = |rng: &mut Rng| {
        [
            0,
            1,
            13,
            14,
            34,
            54,
            65_535,
            rng.u16(..),
            rng.u16(..=len as u16),
        ][rng.usize(..9)]
    };
    for _ in 0..rng.u8(1..3) {
        match rng.u8(..8) {
            0 => vnet.flags = rng.u8(..8),
            1 => {
                vnet.gso_type =
                    [0, GSO_TCPV4, GSO_UFO, GSO_TCPV6, GSO_UDP, 2, 0x81, 0xff][rng.usize(..8)]
            }
            2 => vnet.hdr_len = edge(rng),
            3 => vnet.gso_size = edge(rng),
            4 => vnet.csum_start = edge(rng),
            5 => vnet.csum_offset = edge(rng),
            6 => vnet.flags = DATA_VALID,
            _ => vnet.flags = 0,
        }
    }
}
