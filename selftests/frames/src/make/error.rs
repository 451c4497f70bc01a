// SPDX-License-Identifier: GPL-2.0

//! ICMP errors about packets of flows, as routers and ends send them, and as
//! nobody should.

use super::{any, payload};
use crate::bed::{addr, Method, CLIENT_LINK, ROUTER, SERVERS};
use crate::flow::{Flow, Side};
use crate::packet::{flag, icmp_of, message, Draft};
use fastrand::Rng;

pub(super) fn about(rng: &mut Rng, flows: &[Flow]) -> (Side, Draft) {
    let flow = any(rng, flows);
    let method = flow.service().method;
    // An error comes from where a packet went: what is quoted has left the director there.
    let side = if rng.bool() {
        Side::Client
    } else {
        Side::Server
    };
    let quoted = match side {
        Side::Client => {
            // The server's packet, as the client sees it.
            let mut seen = flow.clone();
            (seen.real, seen.local) = (flow.virt, flow.client);
            seen.packet(Side::Server, flag::ACK, Vec::new(), payload(rng))
        }
        Side::Server if method.sees_replies() => {
            let mut seen = flow.clone();
            (seen.client, seen.virt) = (flow.local, flow.real);
            seen.client_next = flow.client_next.wrapping_add(flow.delta);
            seen.packet(Side::Client, flag::ACK, Vec::new(), payload(rng))
        }
        Side::Server => wrapped(flow, payload(rng)),
    };
    let (to, from) = (quoted.src, quoted.dst);
    let six = to.is_ipv6();
    let mut quote = quoted.summed().bytes();
    let room = match rng.u8(..6) {
        0 => rng.usize(..64),
        1 => quote.len(),
        _ => 28 + rng.usize(..548),
    };
    quote.truncate(room);
    if rng.u8(..8) == 0 && !quote.is_empty() {
        let at = rng.usize(..quote.len());
        quote[at] = rng.u8(..);
    }
    let (kind, code, word) = kind(rng, six);
    let router = addr(
        six,
        if side == Side::Client {
            CLIENT_LINK
        } else {
            SERVERS
        },
        250,
    );
    let sender = if rng.bool() { router } else { from };
    (
        side,
        Draft::new(sender, to, icmp_of(to), message(kind, code, word, &quote)),
    )
}

/// What the director has sent to the server of a flow by a tunnel.
fn wrapped(flow: &Flow, payload: Vec<u8>) -> Draft {
    let service = flow.service();
    let real = service.real(flow.place, flow.six);
    let inner = flow
        .packet(Side::Client, flag::ACK, Vec::new(), payload)
        .summed()
        .bytes();
    let (protocol, l4) = match service.method {
        Method::Gre => (
            47,
            [
                &[
                    0,
                    0,
                    if flow.six { 0x86 } else { 8 },
                    if flow.six { 0xdd } else { 0 },
                ][..],
                &inner,
            ]
            .concat(),
        ),
        Method::Gue => {
            let guts = [&[0, if flow.six { 41 } else { 4 }, 0, 0][..], &inner].concat();
            (
                17,
                crate::packet::datagram((40_000, crate::bed::GUE_PORT), &guts),
            )
        }
        _ => (if flow.six { 41 } else { 4 }, inner),
    };
    Draft::new(addr(real.is_ipv6(), SERVERS, ROUTER), real, protocol, l4)
}

/// Type, code and the word behind the checksum.
fn kind(rng: &mut Rng, six: bool) -> (u8, u8, u32) {
    let mtu = [1400, 1280, 1300, 576, 68, 0, 1, 65_535, rng.u32(..)][rng.usize(..9)];
    match (rng.u8(..8), six) {
        (0..=2, false) => (3, 4, mtu & 0xffff),
        (0..=2, true) => (2, 0, mtu),
        (3, false) => (3, rng.u8(..16), 0),
        (3, true) => (1, rng.u8(..8), 0),
        (4, false) => (11, rng.u8(..2), 0),
        (4, true) => (3, rng.u8(..2), 0),
        (5, false) => (12, rng.u8(..3), rng.u32(..)),
        (5, true) => (4, rng.u8(..4), rng.u32(..60)),
        (6, false) => ([0, 4, 5, 8, 13][rng.usize(..5)], 0, rng.u32(..)),
        (6, true) => ([128, 129, 133, 135, 137][rng.usize(..5)], 0, rng.u32(..)),
        _ => (rng.u8(..), rng.u8(..), rng.u32(..)),
    }
}
