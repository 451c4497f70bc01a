// SPDX-License-Identifier: GPL-2.0

//! Conversations of datagrams: each request has its number, and its reply has
//! the same.

use super::{Asked, Host, Look};
use crate::{
    inet::{Check, End, View, L4},
    talk::Outcome,
};
use std::collections::BTreeSet;

/// The datagrams of a conversation, at its client.
pub(super) struct Datagrams {
    pub(super) talk: u32,
    pub(super) local: End,
    pub(super) remote: End,
    pub(super) sent: u64,
    pub(super) replied: BTreeSet<u32>,
    pub(super) wake_ms: u64,
}

impl Host {
    /// The client's part of a conversation of datagrams.
    pub(super) fn reply(&mut self, view: &View, asked: &mut Asked<'_>) -> Result<(), String> {
        let Some(datagrams) = self.datagrams.get_mut(&(view.dst, view.src)) else {
            return Ok(());
        };
        let (number, index) = read_datagram(&view.payload, false)?;
        // Of an earlier conversation with the same ports: late.
        if number == datagrams.talk && datagrams.replied.insert(index) {
            asked.talks[number as usize].client_got += 1;
        }
        Ok(())
    }

    /// The server's.
    pub(super) fn request(
        &mut self,
        view: &View,
        tag: u32,
        asked: &mut Asked<'_>,
    ) -> Result<(), String> {
        let (number, index) = read_datagram(&view.payload, true)?;
        let Some(talk) = asked
            .talks
            .get_mut(number as usize)
            .filter(|_| number == tag)
        else {
            return Err(format!("conversation {number} in a packet of {tag}"));
        };
        talk.server_got += 1;
        let payload = datagram(number, index, false, talk.reply);
        let check = match talk.unchecked && view.src.addr.is_ipv4() {
            true => Check::None,
            false => Check::Right,
        };
        let (src, dst, tos) = (view.dst, view.src, self.tos);
        asked
            .sent
            .push((udp(src, dst, tos, payload, check), number));
        Ok(())
    }

    /// Sends the next datagram, or ends the conversation.
    pub(super) fn look(&mut self, look: Look, asked: &mut Asked<'_>) {
        let Look::Datagrams(local, remote) = look else {
            return;
        };
        let Some(datagrams) = self.datagrams.get_mut(&(local, remote)) else {
            return;
        };
        let number = datagrams.talk;
        let talk = &mut asked.talks[number as usize];
        if datagrams.sent == talk.rounds {
            let all = datagrams.replied.len() as u64 == talk.rounds;
            talk.outcome = Some(if all {
                Outcome::Whole
            } else {
                Outcome::TimedOut
            });
            self.datagrams.remove(&(local, remote));
            return;
        }
        let payload = datagram(number, datagrams.sent as u32, true, talk.request);
        let check = if talk.unchecked {
            Check::None
        } else {
            Check::Right
        };
        let view = udp(datagrams.local, datagrams.remote, self.tos, payload, check);
        asked.sent.push((view, number));
        datagrams.sent += 1;
        // The last one waits for its reply.
        let last = datagrams.sent == talk.rounds;
        datagrams.wake_ms = asked.now_ms + if last { 2500 } else { 50 + talk.pause_ms };
        asked.looks.push((look, datagrams.wake_ms));
    }
}

fn udp(src: End, dst: End, tos: u8, payload: Vec<u8>, check: Check) -> View {
    View {
        src,
        dst,
        ttl: 64,
        tos,
        l4: L4::Udp,
        payload,
        check,
    }
}

/// Datagram `index` of a conversation.
fn datagram(talk: u32, index: u32, by_client: bool, len: u64) -> Vec<u8> {
    let mut bytes = crate::talk::bytes(talk, true, 0, 8);
    bytes.extend(index.to_be_bytes());
    let offset = u64::from(index) << 16;
    let rest = (len as usize).saturating_sub(bytes.len());
    bytes.extend(crate::talk::bytes(talk, by_client, offset | 8, rest));
    bytes
}

/// Conversation and index of a datagram, all of whose bytes are right.
fn read_datagram(payload: &[u8], by_client: bool) -> Result<(u32, u32), String> {
    let head = crate::talk::introduced(payload).zip(payload.get(8..12));
    let (talk, index) = head.ok_or("a datagram of no conversation")?;
    let index = u32::from_be_bytes(index.try_into().unwrap());
    if datagram(talk, index, by_client, payload.len() as u64) != payload {
        return Err(format!(
            "datagram {index} of conversation {talk} is not what was sent"
        ));
    }
    Ok((talk, index))
}
