// SPDX-License-Identifier: GPL-2.0

//! What a [`Socket`] sends, and when it does so again.

use super::{Cx, Socket, State, Why, BURST, FAR, LAST_RTO_MS, TRIES};
use crate::{
    inet::{self, Check, Tcp, View, ACK, FIN, L4, RST, SYN},
    talk,
};

impl Socket {
    pub(super) fn send(
        &self,
        flags: u8,
        seq: u32,
        options: Vec<(u8, Vec<u8>)>,
        payload: Vec<u8>,
        cx: &mut Cx<'_>,
    ) {
        if self.is_deaf {
            return;
        }
        let mut options = options;
        if let Some(lie) = self.lie.as_ref().filter(|_| flags & RST == 0) {
            let room: usize = options.iter().map(|(_, data)| data.len() + 2).sum();
            if room + 2 + lie.1.len() <= 40 {
                options.push(lie.clone());
            }
        }
        cx.out.push(View {
            src: self.local,
            dst: self.remote,
            ttl: 64,
            tos: self.tos,
            l4: L4::Tcp(Tcp {
                flags,
                seq,
                ack: if flags & ACK != 0 { self.expected() } else { 0 },
                window: 0xffff,
                urgent: 0,
                options: inet::write_options(&options),
            }),
            payload,
            check: Check::Right,
        });
    }

    pub(super) fn stamp(&self, cx: &Cx<'_>) -> (u8, Vec<u8>) {
        let [now, echo] = [self.now_ts(cx), self.recent].map(u32::to_be_bytes);
        (8, [now, echo].concat())
    }

    /// SYN or SYN-ACK.
    pub(super) fn syn(&mut self, cx: &mut Cx<'_>) {
        let accepts = self.state == State::SynReceived;
        let mut options = Vec::new();
        if let Some(mss) = self.offer.mss {
            options.push((2, mss.to_be_bytes().to_vec()));
        }
        if if accepts { self.sack } else { self.offer.sack } {
            options.push((4, Vec::new()));
        }
        if if accepts {
            self.timestamps
        } else {
            self.offer.timestamps
        } {
            options.push(self.stamp(cx));
        }
        if self.offer.scale {
            options.push((3, vec![7]));
        }
        let flags = if accepts { SYN | ACK } else { SYN };
        self.send(flags, self.iss, options, Vec::new(), cx);
    }

    /// What goes with every segment but a SYN.
    pub(super) fn usual(&self, cx: &Cx<'_>) -> Vec<(u8, Vec<u8>)> {
        let mut options = Vec::new();
        if self.timestamps {
            options.push(self.stamp(cx));
        }
        if self.sack && !self.early.is_empty() {
            let base = self.irs.wrapping_add(1);
            let mut blocks: Vec<(u64, u64)> = Vec::new();
            for (start, data) in &self.early {
                let end = start + data.len() as u64;
                match blocks.last_mut().filter(|(_, last)| last >= start) {
                    Some((_, last)) => *last = end.max(*last),
                    None => blocks.push((*start, end)),
                }
            }
            let most = if self.timestamps { 3 } else { 4 };
            let mut data = Vec::new();
            for (start, end) in blocks.into_iter().take(most) {
                data.extend(base.wrapping_add(start as u32).to_be_bytes());
                data.extend(base.wrapping_add(end as u32).to_be_bytes());
            }
            options.push((5, data));
        }
        options
    }

    pub(super) fn ack(&self, cx: &mut Cx<'_>) {
        let options = self.usual(cx);
        self.send(ACK, self.seq(self.top), options, Vec::new(), cx);
    }

    /// As [`Socket::ack`], but not for everything that comes along.
    pub(super) fn challenge(&mut self, cx: &mut Cx<'_>) {
        if self
            .challenged_ms
            .is_none_or(|last| cx.now_ms >= last + 500)
        {
            self.challenged_ms = Some(cx.now_ms);
            self.ack(cx);
        }
    }

    /// The program says so many bytes more.
    pub(crate) fn write(&mut self, bytes: u64, cx: &mut Cx<'_>) {
        self.written += bytes;
        self.push(cx);
        if self.lie.is_some() {
            // It also says that it is far ahead: its server takes no notice,
            // and nobody else is to.
            let far = self.seq(self.top).wrapping_add(FAR);
            self.send(ACK, far, self.usual(cx), Vec::new(), cx);
        }
    }

    /// The program has no more to say.
    pub(crate) fn close(&mut self, cx: &mut Cx<'_>) {
        if !self.is_closed {
            (self.is_closed, self.closed_first) = (true, !self.heard_fin);
            self.push(cx);
        }
    }

    /// The program wants nothing to do with it any more.
    pub(crate) fn abort(&mut self, cx: &mut Cx<'_>) {
        self.send(RST | ACK, self.seq(self.top), Vec::new(), Vec::new(), cx);
        self.state = State::Gone(Why::Aborted);
    }

    /// Behind the FIN, if there is one.
    pub(super) fn end(&self) -> u64 {
        self.written + u64::from(self.is_closed)
    }

    /// Sends what may be sent.
    pub(super) fn push(&mut self, cx: &mut Cx<'_>) {
        if self.state != State::Open {
            return;
        }
        let size = self.room(&self.usual(cx));
        while self.nxt < self.end() && self.nxt < self.una + BURST * size {
            self.nxt = self.transmit(self.nxt, size, cx);
        }
        self.top = self.top.max(self.nxt);
        if self.una < self.nxt && self.again_ms.is_none() {
            self.again_ms = Some(cx.now_ms + self.rto_ms);
        }
    }

    /// What a segment with these options may carry: the MSS counts without
    /// any (RFC 6691).
    pub(super) fn room(&self, options: &[(u8, Vec<u8>)]) -> u64 {
        let link = if self.local.addr.is_ipv4() {
            1460
        } else {
            1440
        };
        let lie = self.lie.as_ref().map_or(0, |(_, data)| data.len() + 2);
        let options: usize = options.iter().map(|(_, data)| data.len() + 2).sum();
        let options = (options + lie).min(40).next_multiple_of(4);
        (self.mss.clamp(88, link) - options) as u64
    }

    /// Sends a segment that begins at `offset`; where it ends.
    pub(super) fn transmit(&self, offset: u64, size: u64, cx: &mut Cx<'_>) -> u64 {
        let options = self.usual(cx);
        let size = size.min(self.room(&options));
        let len = size.min(self.written.saturating_sub(offset));
        let talk = self.talk.unwrap_or(0);
        let payload = talk::bytes(talk, self.is_client, offset, len as usize);
        let fin = self.is_closed && offset + len == self.written;
        let flags = if fin { FIN | ACK } else { ACK };
        self.send(flags, self.seq(offset), options, payload, cx);
        offset + len + u64::from(fin)
    }

    /// Time has come to a point that was waited for.
    pub(crate) fn timer(&mut self, cx: &mut Cx<'_>) {
        if self.again_ms.is_none_or(|at| at > cx.now_ms) {
            return;
        }
        self.again_ms = None;
        let waits = match self.state {
            State::SynSent | State::SynReceived => true,
            State::Open => self.una < self.nxt,
            _ => false,
        };
        if !waits {
            return;
        }
        self.tries += 1;
        if self.tries > TRIES || self.is_deaf {
            self.state = State::Gone(Why::TimedOut);
            return;
        }
        self.rto_ms = (self.rto_ms * 2).min(LAST_RTO_MS);
        self.again_ms = Some(cx.now_ms + self.rto_ms);
        if self.state == State::Open {
            self.nxt = self.una;
            self.push(cx);
        } else {
            self.syn(cx);
        }
    }
}
