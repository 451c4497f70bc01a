// SPDX-License-Identifier: GPL-2.0

//! What a [`Socket`] makes of a segment.

use super::{read_toa, stamp_of, Cx, Socket, State, Why, FIRST_RTO_MS, WINDOW};
use crate::{
    inet::{self, Tcp, View, ACK, FIN, RST, SYN},
    talk,
};

impl Socket {
    pub(super) fn note_toa(&mut self, view: &View) {
        // Later ones a server does not ask for.
        let listens = !self.is_client && self.got == 0;
        let Some(tcp) = view.tcp().filter(|_| listens) else {
            return;
        };
        for (kind, data) in inet::options(&tcp.options).unwrap_or_default() {
            if matches!(kind, 253 | 254) {
                let toa = read_toa(&data);
                if self.toa.is_some() && toa != self.toa {
                    self.odd = Some(format!("a second TOA {toa:?} after {:?}", self.toa));
                }
                self.toa = toa;
            }
        }
    }

    /// A segment for this socket, with a right checksum.
    pub(crate) fn segment(&mut self, view: &View, cx: &mut Cx<'_>) {
        let Some(tcp) = view.tcp().filter(|_| !self.is_deaf) else {
            return;
        };
        match self.state {
            State::Gone(_) => {}
            State::SynSent => self.answer(view, tcp, cx),
            State::TimeWait if tcp.flags & RST == 0 => self.challenge(cx),
            State::TimeWait => {}
            _ => self.usual_segment(view, tcp, cx),
        }
    }

    /// The server's answer to the SYN.
    pub(super) fn answer(&mut self, view: &View, tcp: &Tcp, cx: &mut Cx<'_>) {
        let right = tcp.flags & ACK != 0 && tcp.ack == self.seq(0);
        if tcp.flags & ACK != 0 && !right {
            if tcp.flags & RST == 0 {
                self.refused = Some(tcp.ack);
                self.send(RST, tcp.ack, Vec::new(), Vec::new(), cx);
            }
            return;
        }
        if tcp.flags & RST != 0 {
            if right {
                self.state = State::Gone(Why::Reset);
            }
            return;
        }
        if tcp.flags & SYN == 0 || !right {
            return;
        }
        self.irs = tcp.seq;
        self.agree(view);
        self.established();
        self.ack(cx);
    }

    pub(super) fn established(&mut self) {
        self.state = State::Open;
        (self.again_ms, self.rto_ms, self.tries) = (None, FIRST_RTO_MS, 0);
    }

    pub(super) fn usual_segment(&mut self, view: &View, tcp: &Tcp, cx: &mut Cx<'_>) {
        // Before or behind what is expected, in bytes.
        let ahead = i64::from(tcp.seq.wrapping_sub(self.expected()) as i32);
        if tcp.flags & RST != 0 {
            if ahead == 0 {
                self.state = State::Gone(Why::Reset);
            } else if ahead > 0 && ahead < WINDOW as i64 {
                self.challenge(cx);
            }
            return;
        }
        if tcp.flags & SYN != 0 {
            let again = self.state == State::SynReceived && tcp.seq == self.irs;
            if again && tcp.flags & ACK == 0 {
                self.note_toa(view);
                self.syn(cx);
            } else {
                self.challenge(cx);
            }
            return;
        }
        if tcp.flags & ACK == 0 {
            return;
        }
        let fin = tcp.flags & FIN != 0;
        let len = view.payload.len() as i64 + i64::from(fin);
        if ahead + len < 0 || (ahead < 0 && ahead + len == 0) || ahead > WINDOW as i64 {
            self.challenge(cx);
            return;
        }
        self.note_toa(view);
        if !self.acknowledged(tcp, len == 0, cx) {
            return;
        }
        if ahead <= 0 {
            if let Some(stamp) =
                stamp_of(tcp).filter(|stamp| stamp.wrapping_sub(self.recent) as i32 > 0)
            {
                self.recent = stamp;
            }
        }
        if len > 0 {
            // FIN counts in what is expected once it was heard.
            let at = self.got as i64 + i64::from(self.heard_fin) + ahead;
            self.take(at, view, fin);
            self.ack(cx);
        }
        self.push(cx);
        self.finish(cx);
    }

    /// What an acknowledgement says; whether it makes sense.
    pub(super) fn acknowledged(&mut self, tcp: &Tcp, is_bare: bool, cx: &mut Cx<'_>) -> bool {
        let past = i64::from(tcp.ack.wrapping_sub(self.seq(self.una)) as i32);
        let top = self.top.max(self.una);
        if past > (top - self.una) as i64 || (past < -(WINDOW as i64)) {
            self.odd = Some(format!(
                "{} acknowledges {}, sent was up to {}",
                self.remote,
                tcp.ack,
                self.seq(top)
            ));
            self.challenge(cx);
            return false;
        }
        if self.state == State::SynReceived {
            if past < 0 {
                return false;
            }
            self.established();
        }
        self.check_sack(tcp, top);
        if past > 0 {
            self.una += past as u64;
            self.nxt = self.nxt.max(self.una);
            (self.rto_ms, self.tries, self.duplicates) = (FIRST_RTO_MS, 0, 0);
            self.again_ms = (self.una < self.nxt).then_some(cx.now_ms + self.rto_ms);
        } else if past == 0 && is_bare && self.una < self.nxt {
            self.duplicates += 1;
            if self.duplicates == 3 {
                self.transmit(self.una, 400, cx);
            }
        }
        true
    }

    /// Selective acknowledgements are of what was sent.
    pub(super) fn check_sack(&mut self, tcp: &Tcp, top: u64) {
        let options = inet::options(&tcp.options).unwrap_or_default();
        for (_, data) in options.iter().filter(|(kind, _)| *kind == 5) {
            for edge in data.chunks_exact(4) {
                let edge = u32::from_be_bytes([edge[0], edge[1], edge[2], edge[3]]);
                let past = i64::from(edge.wrapping_sub(self.seq(0)) as i32);
                if past < 0 || past > top as i64 || !self.offer.sack {
                    self.odd = Some(format!("{} selectively acknowledges {edge}", self.remote));
                }
            }
        }
    }

    /// Takes the bytes of a segment that begins at offset `at`.
    pub(super) fn take(&mut self, at: i64, view: &View, fin: bool) {
        let mut payload = &view.payload[..];
        if fin {
            self.fin_at = u64::try_from(at + payload.len() as i64).ok();
        }
        let skip = (self.got as i64 - at).max(0);
        if skip as usize >= payload.len() {
            payload = &[];
        } else {
            payload = &payload[skip as usize..];
        }
        if !payload.is_empty() {
            let at = (at + skip) as u64;
            let longer = self
                .early
                .get(&at)
                .is_some_and(|other| other.len() >= payload.len());
            if !longer {
                self.early.insert(at, payload.to_vec());
            }
        }
        while let Some(entry) = self.early.first_entry() {
            if *entry.key() > self.got {
                break;
            }
            let (at, data) = entry.remove_entry();
            let fresh = data.get((self.got - at) as usize..).unwrap_or(&[]);
            for byte in fresh {
                self.read(*byte);
            }
        }
        if self.fin_at == Some(self.got) {
            self.heard_fin = true;
        }
    }

    /// The next byte in order.
    pub(super) fn read(&mut self, byte: u8) {
        if !self.is_client && self.got < talk::INTRO {
            self.head.push(byte);
            if self.head.len() as u64 == talk::INTRO {
                self.talk = talk::introduced(&self.head);
                if self.talk.is_none() {
                    self.odd = Some(format!(
                        "a conversation that begins with {:02x?}",
                        self.head
                    ));
                }
            }
        } else if let Some(talk) = self.talk {
            let right = talk::byte(talk, !self.is_client, self.got);
            if byte != right {
                self.odd = Some(format!(
                    "byte {} of the stream is {byte}, not {right}",
                    self.got
                ));
            }
        }
        self.got += 1;
    }

    /// Both have closed, and both know it.
    pub(super) fn finish(&mut self, cx: &Cx<'_>) {
        if self.heard_fin && self.is_closed && self.una == self.end() {
            self.state = if self.closed_first {
                State::TimeWait
            } else {
                State::Gone(Why::Closed)
            };
            (self.since_ms, self.again_ms) = (cx.now_ms, None);
        }
    }
}
