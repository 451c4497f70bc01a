// SPDX-License-Identifier: GPL-2.0

//! [`Record`]: what is known from outside of a connection that is in a
//! director's table.

use super::law::Known;
use crate::{
    director::Opened,
    inet::{Tcp, ACK, RST, SYN},
};
use lvs_engine::{conn::Dir, tcp::TcpState};

/// A connection that is in the director's table.
pub(crate) struct Record {
    pub(crate) opened: Opened,
    /// The conversation whose packet opened it.
    pub(crate) tag: u32,
    pub(super) delta: Option<u32>,
    /// The first number that the server has got.
    pub(super) isn: Option<u32>,
    /// The state that the latest packet has met.
    pub(super) met: TcpState,
    /// As [`Known::answered`].
    pub(super) answered: Option<bool>,
    /// How far the server had acknowledged when it last said SYN.
    pub(super) told: Option<u32>,
    pub(super) last_ms: u64,
    pub(crate) lingers: bool,
    /// What the client's first segment began with.
    pub(super) client_isn: Option<u32>,
    pub(super) server_isn: Option<u32>,
    /// How far each end says that it has heard the other one, in the numbers
    /// that it sees.
    pub(super) server_has: Option<u32>,
    pub(super) client_has: Option<u32>,
    /// The last segment was a RST.
    pub(super) is_reset: bool,
    pub(super) opened_ms: u64,
    /// A damaged packet has passed, or an end has begun anew, or the beginning
    /// was not seen: its numbers may be any.
    pub(super) is_odd: bool,
}

impl Record {
    /// Whether a segment is a SYN with another number than the one before.
    pub(super) fn is_other_syn(&mut self, dir: Dir, tcp: Option<&Tcp>) -> bool {
        let Some(tcp) = tcp.filter(|tcp| tcp.flags & SYN != 0) else {
            return false;
        };
        let first = match dir {
            Dir::In => &mut self.client_isn,
            Dir::Out => &mut self.server_isn,
        };
        *first.get_or_insert(tcp.seq) != tcp.seq
    }

    /// Takes down what a segment acknowledges.
    pub(super) fn heard(&mut self, dir: Dir, tcp: Option<&Tcp>) {
        let Some(tcp) = tcp.filter(|tcp| tcp.flags & (ACK | RST) == ACK) else {
            return;
        };
        // It may still speak of an older connection with the same ends.
        let older = |isn: u32| (tcp.ack.wrapping_sub(isn) as i32) <= 0;
        let isn = match dir {
            Dir::In => self.server_isn,
            Dir::Out => self.isn,
        };
        if isn.is_some_and(older) {
            return;
        }
        let starts = tcp.flags & SYN != 0;
        // A server that had forgotten begins anew: the client has nothing of that yet.
        if starts && dir == Dir::Out && self.isn.is_some_and(|isn| tcp.ack != isn.wrapping_add(1)) {
            self.client_has = None;
        }
        let place = match dir {
            Dir::In => &mut self.client_has,
            Dir::Out => &mut self.server_has,
        };
        let is_later = |kept: &u32| starts || (tcp.ack.wrapping_sub(*kept) as i32) > 0;
        if place.as_ref().is_none_or(is_later) {
            *place = Some(tcp.ack);
        }
    }

    pub(super) fn known(&self) -> Known<'_> {
        Known {
            opened: &self.opened,
            delta: self.delta,
            answered: self.answered,
            client_isn: self.client_isn,
            met: self.met,
        }
    }
}
