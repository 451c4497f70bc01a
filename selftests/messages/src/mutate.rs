// SPDX-License-Identifier: GPL-2.0

//! What no honest sender would do to a message.

use fastrand::Rng;

use crate::{
    attrs::{NESTED, NET_BYTEORDER},
    message::{attr, Attr, Message, Value, ACK, DUMP, REQUEST},
};

/// Changes a message in one to three ways.
pub(crate) fn mutate(rng: &mut Rng, message: &mut Message) {
    for _ in 0..rng.u32(1..=3) {
        match rng.u32(..10) {
            0..=5 => in_attributes(rng, &mut message.attrs),
            6..=7 => in_headers(rng, message),
            8 => in_length(rng, message),
            _ => {
                for _ in 0..rng.u32(1..=4) {
                    message.flips.push((rng.usize(..512), 1 << rng.u32(..8)));
                }
            }
        }
    }
}

fn in_headers(rng: &mut Rng, message: &mut Message) {
    match rng.u32(..6) {
        0 => message.command = rng.u8(..),
        1 => message.command = rng.u8(..20),
        2 => message.version = rng.u8(..),
        3 => message.reserved = rng.u16(1..),
        4 => {
            // Families that nobody has, and messages that are netlink's own.
            let kinds = [0, 1, 2, 3, 0xf, 0xfff0, 0xffff];
            message.kind = Some(kinds[rng.usize(..kinds.len())]);
        }
        _ => {
            let odd = [
                0,
                ACK,
                REQUEST,
                REQUEST | 0x100,
                REQUEST | 0x200 | ACK,
                DUMP,
                0xffff,
            ];
            let more = [
                REQUEST | DUMP,
                REQUEST | DUMP | ACK,
                REQUEST | 0x8 | ACK,
                REQUEST | 0x800,
                REQUEST | 0x400 | ACK,
            ];
            let all = [&odd[..], &more[..]].concat();
            message.flags = all[rng.usize(..all.len())];
        }
    }
}

fn in_length(rng: &mut Rng, message: &mut Message) {
    match rng.u32(..4) {
        // Less is sent than is said,
        0 => message.cut = Some(rng.usize(1..120)),
        // less is said than is sent,
        1 => message.claimed = Some(rng.u32(..64)),
        // more is,
        2 => message.claimed = Some(rng.u32(64..)),
        // and what is sent is longer than what is meant.
        _ => message.tail = (0..rng.usize(1..24)).map(|_| rng.u8(..)).collect(),
    }
}

/// Somewhere in the attributes, at the top or in a nest.
fn in_attributes(rng: &mut Rng, attrs: &mut Vec<Attr>) {
    let nests: Vec<usize> = (0..attrs.len())
        .filter(|place| matches!(attrs[*place].value, Value::Nest(_)))
        .collect();
    if !nests.is_empty() && rng.u32(..5) != 0 {
        let place = nests[rng.usize(..nests.len())];
        if let Value::Nest(inner) = &mut attrs[place].value {
            return in_attributes(rng, inner);
        }
    }
    if attrs.is_empty() || rng.u32(..12) == 0 {
        let kind = [rng.u16(..24), rng.u16(..), 99, 0][rng.usize(..4)];
        let bytes: Vec<u8> = (0..rng.usize(..24)).map(|_| rng.u8(..)).collect();
        return attrs.insert(rng.usize(..=attrs.len()), attr(kind, bytes));
    }
    let place = rng.usize(..attrs.len());
    match rng.u32(..11) {
        0..=1 => {
            attrs.remove(place);
        }
        2 => {
            let mut again = attrs[place].clone();
            in_value(rng, &mut again);
            attrs.insert(rng.usize(..=attrs.len()), again);
        }
        3 => rng.shuffle(attrs),
        4 => attrs[place].kind ^= [NESTED, NET_BYTEORDER][rng.usize(..2)],
        5 => attrs[place].claimed = Some([rng.u16(..4), rng.u16(4..40), u16::MAX][rng.usize(..3)]),
        6 => {
            // Wrongly nested: into a nest of its own.
            let inner = attrs[place].clone();
            attrs[place].value = Value::Nest(vec![inner]);
        }
        7 => attrs[place].kind = rng.u16(..24),
        _ => in_value(rng, &mut attrs[place]),
    }
}

/// In what an attribute holds.
fn in_value(rng: &mut Rng, attr: &mut Attr) {
    let Value::Bytes(bytes) = &mut attr.value else {
        // No nest any more.
        attr.value = Value::Bytes((0..rng.usize(..12)).map(|_| rng.u8(..)).collect());
        return;
    };
    match rng.u32(..7) {
        0 => bytes.truncate(rng.usize(..=bytes.len())),
        1 => bytes.extend((0..rng.usize(1..20)).map(|_| 0xff)),
        // A name without its end.
        2 => bytes.retain(|byte| *byte != 0),
        3 => bytes.iter_mut().for_each(|byte| *byte = rng.u8(..)),
        4 => bytes.fill([0, 0xff, 0x7f, 0x80][rng.usize(..4)]),
        // What a family's number may be taken for.
        5 if bytes.len() == 2 => {
            let families = [0u16, 1, 2, 10, 255];
            bytes.copy_from_slice(&families[rng.usize(..families.len())].to_ne_bytes());
        }
        _ if !bytes.is_empty() => {
            let place = rng.usize(..bytes.len());
            bytes[place] ^= 1 << rng.u32(..8);
        }
        _ => bytes.push(rng.u8(..)),
    }
}
