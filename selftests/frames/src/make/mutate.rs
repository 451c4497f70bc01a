// SPDX-License-Identifier: GPL-2.0

//! Mutations: of a part of a packet, which keeps its checksums right, and of the
//! bytes of a frame, which does not.

use super::options;
use crate::packet::{flag, sum_header, Draft, Segment, TCP, UDP};
use crate::world::Frame;
use fastrand::Rng;

/// Changes one part of a packet.
pub(super) fn part(rng: &mut Rng, draft: &mut Draft) {
    match rng.u8(..14) {
        0 => draft.ttl = [0, 1, 2, 255][rng.usize(..4)],
        1 => draft.tos = rng.u8(..),
        2 => draft.df = !draft.df,
        3 => draft.id = rng.u32(..),
        4 => between_headers(rng, draft),
        5 | 6 => flip(rng, &mut draft.l4),
        7 if draft.protocol == TCP && draft.l4.len() >= 20 => draft.l4[13] = rng.u8(..),
        7 | 8 if draft.protocol == TCP => replace_options(rng, draft),
        // The data offset, or the datagram's length.
        9 if draft.protocol == TCP && draft.l4.len() >= 13 => draft.l4[12] = rng.u8(..16) << 4,
        9 if draft.protocol == UDP && draft.l4.len() >= 6 => {
            let len = [0, 1, 7, 8, 65_535, rng.u16(..)][rng.usize(..6)];
            draft.l4[4..6].copy_from_slice(&len.to_be_bytes());
        }
        10 => draft.l4.truncate(rng.usize(..30)),
        11 => {
            let len = draft.l4.len() + rng.usize(..1400);
            draft.l4.resize(len, 3);
            if draft.protocol == UDP && draft.l4.len() >= 8 {
                let len = draft.l4.len() as u16;
                draft.l4[4..6].copy_from_slice(&len.to_be_bytes());
            }
        }
        12 => {
            // A whole packet that says it is the only piece, or one that is not.
            draft.piece = Some(if rng.bool() {
                (0, false)
            } else {
                (rng.u16(..4000) & !7, rng.bool())
            });
        }
        _ => std::mem::swap(&mut draft.src, &mut draft.dst),
    }
}

/// Options of IPv4, extension headers of IPv6.
fn between_headers(rng: &mut Rng, draft: &mut Draft) {
    if draft.src.is_ipv4() {
        draft.options = match rng.u8(..6) {
            0 => vec![1; 4],
            1 => vec![0x94, 4, 0, 0],
            2 => vec![7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            3 => vec![0x44, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            4 => vec![0x83, 7, 4, 10, 64, 0, 3, 0],
            _ => (0..4 * rng.usize(1..11)).map(|_| rng.u8(..)).collect(),
        };
    } else {
        for _ in 0..rng.u8(1..4) {
            let kind = [0, 60, 43, 51, 135, 60][rng.usize(..6)];
            let body = match (kind, rng.u8(..4)) {
                (51, _) => vec![1; 11],
                (43, _) => vec![0, rng.u8(..4), rng.u8(..3), 0, 0, 0, 0],
                (_, 0) => (0..7 + 8 * rng.usize(..3)).map(|_| rng.u8(..)).collect(),
                _ => vec![0, 1, 4, 0, 0, 0, 0],
            };
            draft.extensions.push((kind, body));
        }
    }
}

fn replace_options(rng: &mut Rng, draft: &mut Draft) {
    let Some(&head) = draft.l4.first_chunk::<20>() else {
        return;
    };
    let word = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let ports = word(0);
    let payload = draft.l4[20..].to_vec();
    draft.l4 = Segment {
        ports: ((ports >> 16) as u16, ports as u16),
        seq: word(4),
        ack: word(8),
        flags: head[13],
        window: 77,
        options: options(rng, head[13] & flag::SYN != 0),
        payload,
    }
    .bytes();
}

fn flip(rng: &mut Rng, bytes: &mut [u8]) {
    if !bytes.is_empty() {
        let at = rng.usize(..bytes.len().min(60));
        bytes[at] = rng.u8(..);
    }
}

/// Damages a frame.
pub(super) fn bytes(rng: &mut Rng, frame: &mut Frame) {
    match rng.u8(..12) {
        0..=3 => flip(rng, &mut frame.bytes[14..]),
        4 => {
            let len = 14 + rng.usize(..frame.bytes.len() - 13);
            frame.bytes.truncate(len);
        }
        // Behind the packet: padding, which is nobody's.
        5 | 6 => frame.bytes.extend(vec![0xee; rng.usize(..60)]),
        // The length that the IP header states, with a header that is right otherwise.
        7 | 8 => {
            let at = if frame.bytes[14] >> 4 == 6 { 18 } else { 16 };
            let len = [0, 1, 19, 20, 40, 65_535, rng.u16(..2000)][rng.usize(..7)];
            frame.bytes[at..at + 2].copy_from_slice(&len.to_be_bytes());
            if at == 16 {
                sum_header(&mut frame.bytes[14..]);
            }
        }
        9 => frame.bytes[0] = [1, 0xff, 6][rng.usize(..3)],
        10 => {
            frame.bytes.splice(12..12, [0x81, 0, 0, 5]);
        }
        _ => frame.bytes[14] = rng.u8(..),
    }
}
