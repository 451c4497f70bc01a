// SPDX-License-Identifier: GPL-2.0

//! Talk: conversations as clients and servers have them. Each ends somewhere
//! on its way, so that what is sent afterwards meets every state.

use crate::bed::{Fate, SERVICES};
use crate::flow::{client, Flow, Side};
use crate::packet::{flag, Draft, Segment, TCP, UDP};
use crate::world::{Output, World};
use fastrand::Rng;
use std::io::Error;

/// The client's ports from here on are the conversations'.
pub(crate) const FIRST_PORT: u16 = 10_000;

/// Opens a flow with every service, in both families, with both protocols.
pub(crate) fn open_all(world: &mut World, rng: &mut Rng, block: u64) -> Result<Vec<Flow>, Error> {
    let mut flows = Vec::new();
    let all = SERVICES
        .iter()
        .enumerate()
        .filter(|(_, service)| service.fate != Fate::Never);
    for (place, _) in all {
        for (six, tcp) in [(false, true), (true, true), (false, false), (true, false)] {
            let port = u64::from(FIRST_PORT) + (block * 64 + flows.len() as u64) % 50_000;
            let numbers = (rng.u32(..), rng.u32(..));
            let client = (client(six, rng.u8(..)), port as u16);
            let Some(mut flow) = Flow::new(place, six, tcp, client, numbers) else {
                continue;
            };
            let stage = rng.u8(..8);
            if tcp {
                tcp_to(world, &mut flow, stage)?
            } else {
                udp_to(world, &mut flow, stage)?
            }
            // Of one that was never met nobody knows how its server would see it.
            if !flow.unmet {
                flows.push(flow);
            }
        }
    }
    Ok(flows)
}

/// What a SYN usually offers.
pub(crate) const OFFER: [u8; 20] = [
    2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7,
];

fn tcp_to(world: &mut World, flow: &mut Flow, stage: u8) -> Result<(), Error> {
    use flag::{ACK, FIN, PSH, RST, SYN};
    let (client, server) = (Side::Client, Side::Server);
    let full: &[(Side, u8, usize)] = &[
        (client, SYN, 0),
        (server, SYN | ACK, 0),
        (client, ACK, 0),
        (client, PSH | ACK, 30),
        (server, PSH | ACK, 200),
        (client, ACK, 0),
        (client, FIN | ACK, 0),
        (server, FIN | ACK, 0),
        (client, ACK, 0),
    ];
    let steps = match stage {
        0 => 1,
        1 => 2,
        2 => 3,
        3 | 4 => 6,
        5 => 7,
        6 => 9,
        _ => 3,
    };
    for &(from, flags, len) in &full[..steps] {
        say(world, flow, from, flags, len)?;
        if flow.unmet {
            return Ok(());
        }
    }
    if stage == 7 {
        say(world, flow, server, RST | ACK, 0)?;
    }
    Ok(())
}

fn udp_to(world: &mut World, flow: &mut Flow, stage: u8) -> Result<(), Error> {
    say(world, flow, Side::Client, 0, 40)?;
    if stage > 1 && !flow.unmet {
        say(world, flow, Side::Server, 0, 50)?;
    }
    Ok(())
}

/// One end says something, and the other hears it.
fn say(world: &mut World, flow: &mut Flow, from: Side, flags: u8, len: usize) -> Result<(), Error> {
    let service = flow.service();
    if from == Side::Server && !service.method.sees_replies() {
        return Ok(());
    }
    let options = if flags & flag::SYN != 0 {
        OFFER.to_vec()
    } else {
        Vec::new()
    };
    let packet = flow.packet(from, flags, options, vec![0x61; len]);
    let out = world.say(from, packet.clone())?;
    match out.iter().find(|output| arrives(flow, from, flags, output)) {
        Some(output) => {
            learn(flow, from, output);
            if flow.tcp && !numbers_fit(flow, from, &packet, output) {
                world.fail(&format!(
                    "wrong numbers: from {from:?} {packet:?} of {flow:?} came {:?}",
                    output.seen
                ));
            }
        }
        None if service.fate == Fate::Works => {
            let heard: Vec<_> = out
                .iter()
                .map(|output| (output.side, output.seen.ends, output.seen.flags()))
                .collect();
            world.fail(&format!(
                "lost: from {from:?} flags {flags:#x} of {flow:?}; instead {heard:x?}"
            ));
        }
        None => {}
    }
    let step = len as u32 + u32::from(flags & (flag::SYN | flag::FIN) != 0);
    match from {
        Side::Client => flow.client_next = flow.client_next.wrapping_add(step),
        Side::Server => flow.server_next = flow.server_next.wrapping_add(step),
    }
    Ok(())
}

/// Whether a segment arrived with the numbers that its receiver counts by.
fn numbers_fit(flow: &Flow, from: Side, sent: &Draft, output: &Output) -> bool {
    let got = &output.seen.innermost().l4;
    let (delta, back) = match from {
        Side::Client => (flow.delta, 0),
        Side::Server => (0, flow.delta.wrapping_neg()),
    };
    number(got, SEQ) == number(&sent.l4, SEQ).wrapping_add(delta)
        && number(got, ACK) == number(&sent.l4, ACK).wrapping_add(back)
}

/// Where a TCP header has its sequence and acknowledgement numbers.
const SEQ: usize = 4;
const ACK: usize = 8;

fn number(l4: &[u8], at: usize) -> u32 {
    l4.get(at..at + 4)
        .map_or(0, |b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
}

/// Whether it is what one end has sent with these flags; others of the service's
/// flows may expire meanwhile.
fn arrives(flow: &Flow, from: Side, flags: u8, output: &Output) -> bool {
    let seen = output.seen.innermost();
    let (src, dst) = flow.arriving(from);
    let ends = seen.ends;
    let same = if flow.tcp {
        ends.protocol == TCP && seen.flags() == flags
    } else {
        ends.protocol == UDP
    };
    let known = (ends.src, ends.ports.0) == src || from == Side::Client && flow.unmet;
    output.side == from.other() && same && known && (ends.dst, ends.ports.1) == dst
}

/// The client's first packet tells as whom the server will know it.
fn learn(flow: &mut Flow, from: Side, output: &Output) {
    let seen = output.seen.innermost();
    if from == Side::Client && flow.unmet {
        flow.local = (seen.ends.src, seen.ends.ports.0);
        if flow.tcp {
            flow.delta = number(&seen.l4, SEQ).wrapping_sub(flow.client_next);
        }
        flow.unmet = false;
    }
}

/// Who is reset asks why: an ACK that whoever sent the reset may answer.
pub(crate) fn answer_resets(world: &mut World) -> Result<(), Error> {
    for Output { side, seen, .. } in std::mem::take(&mut world.resets) {
        let (sport, dport) = seen.ends.ports;
        let segment = Segment {
            ports: (dport, sport),
            seq: number(&seen.l4, ACK),
            // Not where the reset is, or it would have been obeyed.
            ack: number(&seen.l4, SEQ).wrapping_add(1000),
            flags: flag::ACK,
            window: 500,
            ..Segment::default()
        };
        world.say(
            side,
            Draft::new(seen.ends.dst, seen.ends.src, TCP, segment.bytes()),
        )?;
    }
    // Their answers are no questions.
    world.resets.clear();
    Ok(())
}
