// SPDX-License-Identifier: GPL-2.0

//! What a packet changes: `(snapshot, segment) -> snapshot`.

use super::snapshot::{
    Seqs, State, ACTIVE, ANSWERED, CLIENT_RESET, CLIENT_SEQ, LINGERING, REPLIED, SERVER_SEQ,
};
use super::{Address, Conn, Dir, Method, Protocol, Snapshot};
use crate::tcp::state::Direction;
use crate::tcp::{seq, Flags, TcpState};
use crate::time::Ticks;
use crate::timeouts::{Timeouts, LINGER_SECONDS};

/// How far behind its server a client's handshake may be, in bytes: what Fast Open lets a server say before it.
const HANDSHAKE_WINDOW: u32 = 1 << 16;

/// What the engine wants to know of a packet; sequence numbers as they arrived, before any rewriting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Where it goes.
    pub dir: Dir,
    /// TCP control bits, [`Flags::NONE`] for UDP.
    pub flags: Flags,
    /// TCP sequence number.
    pub seq: u32,
    /// TCP acknowledgement number, valid if ACK is set.
    pub ack: u32,
    /// Bytes behind the L4 header.
    pub payload_len: u32,
    /// It has TCP options besides the usual timestamps, see
    /// [`lvs_wire::tcp::Header::has_rare_options`].
    pub rare_options: bool,
}

impl Segment {
    /// A UDP datagram.
    #[inline]
    #[must_use]
    pub const fn udp(dir: Dir, payload_len: u32) -> Self {
        Self {
            dir,
            flags: Flags::NONE,
            seq: 0,
            ack: 0,
            payload_len,
            rare_options: false,
        }
    }

    /// The sequence number behind this segment.
    #[inline]
    #[must_use]
    pub const fn end(&self) -> u32 {
        self.seq
            .wrapping_add(self.payload_len)
            .wrapping_add(self.flags.sequence_length())
    }
}

/// How a packet changed the destination's count of active connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// Not at all.
    Unchanged,
    /// One more active, one less inactive.
    Activated,
    /// One less active, one more inactive.
    Deactivated,
}

/// What a packet does to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// What to keep from now on, `None` if that is what is kept already.
    pub next: Option<Snapshot>,
    /// The deadline came closer: the expiry must be moved at once.
    pub shortened: bool,
    /// Whether the destination's counts change.
    pub activity: Activity,
}

impl Step {
    const NOTHING: Self = Self {
        next: None,
        shortened: false,
        activity: Activity::Unchanged,
    };
}

impl<C: Address, S: Address> Conn<C, S> {
    /// What `segment`, seen at `now`, does to the connection.
    ///
    /// An established packet inside the tick of the last change changes nothing.
    #[inline]
    #[must_use]
    pub fn step(&self, snap: Snapshot, segment: &Segment, now: Ticks, timeouts: &Timeouts) -> Step {
        let old = snap.state;
        if old.is_steady() && segment.flags.is_data() && !now.is_after(old.last_seen()) {
            return Step::NOTHING;
        }
        // Nothing that comes now keeps a connection alive that was reset.
        if old.has(LINGERING) {
            return Step::NOTHING;
        }
        let mut new = match self.protocol {
            Protocol::Tcp => self.tcp_state(snap, segment),
            Protocol::Udp => Self::replied(old, segment),
        };
        let changed = new != old;
        // Another CPU's clock may be ahead: time does not run back.
        if now.is_after(old.last_seen()) {
            new = new.with_last_seen(now);
        } else if !changed && !segment.flags.syn() {
            return Step::NOTHING;
        }
        let mut next = Snapshot {
            state: new,
            seqs: snap.seqs,
        };
        if matches!(self.protocol, Protocol::Tcp) && !segment.flags.rst() {
            next = self.with_numbers(next, old.tcp(), segment);
        }
        if next == snap {
            return Step::NOTHING;
        }
        let shortened = changed
            && self
                .deadline(snap, timeouts)
                .is_after(self.deadline(next, timeouts));
        Step {
            next: Some(next),
            shortened,
            activity: Self::activity(old, new),
        }
    }

    /// When the connection expires if nothing more is seen.
    #[inline]
    #[must_use]
    pub fn deadline(&self, snap: Snapshot, timeouts: &Timeouts) -> Ticks {
        let seconds = if snap.state.has(LINGERING) {
            LINGER_SECONDS
        } else {
            match self.protocol {
                Protocol::Tcp => timeouts.tcp(self.method.timeouts(), snap.state.tcp()),
                Protocol::Udp => timeouts.udp(),
            }
        };
        snap.state.last_seen().after_seconds(seconds)
    }

    /// Both ends are reset: the entry stays [`LINGER_SECONDS`] to answer their questions.
    ///
    /// The caller has sent what [`Conn::expiry_resets`] returned.
    #[must_use]
    pub fn linger(&self, snap: Snapshot, now: Ticks) -> Step {
        let state = snap
            .state
            .with_tcp(TcpState::Close)
            .with(LINGERING)
            .without(ACTIVE)
            .with_last_seen(now);
        Step {
            next: Some(Snapshot { state, ..snap }),
            shortened: false,
            activity: Self::activity(snap.state, state),
        }
    }

    #[inline]
    fn replied(old: State, segment: &Segment) -> State {
        match segment.dir {
            Dir::In => old,
            Dir::Out => old.with(REPLIED),
        }
    }

    /// State and flags after a TCP segment.
    #[inline]
    fn tcp_state(&self, snap: Snapshot, segment: &Segment) -> State {
        let old = snap.state;
        let direction = match segment.dir {
            Dir::Out => Direction::Output,
            // Until a reply is seen the balancer may stand on one way only.
            Dir::In if self.method.sees_replies() || old.has(REPLIED) => Direction::Input,
            Dir::In => Direction::InputOnly,
        };
        let mut tcp = old.tcp().next(direction, segment.flags);
        if matches!(tcp, TcpState::Established) && self.is_unproven(snap, segment) {
            tcp = old.tcp();
        }
        let mut new = Self::replied(old, segment).with_tcp(tcp);
        new = if tcp.is_active() {
            new.with(ACTIVE)
        } else {
            new.without(ACTIVE)
        };
        if matches!(segment.dir, Dir::Out) {
            if segment.flags.syn() {
                // It begins anew, and has to be told again.
                new = new.without(ANSWERED);
            } else if self.answers(snap, segment) {
                new = new.with(ANSWERED);
            }
        }
        if matches!(segment.dir, Dir::In) && segment.flags.rst() {
            new = new.with(CLIENT_RESET);
        }
        new
    }

    /// Whether a segment of the server, no SYN, proves that it knows the client:
    /// it acknowledges more than its last SYN did, or carries data.
    ///
    /// Until there is such a segment what is acknowledged of the client stands
    /// where that SYN left it, or further.
    #[inline]
    fn answers(&self, snap: Snapshot, segment: &Segment) -> bool {
        if segment.flags.rst() {
            return false;
        }
        let acked = self.last_acked(snap).unwrap_or_else(|| self.after_syn());
        segment.payload_len > 0 || (segment.flags.ack() && seq::after(segment.ack, acked))
    }

    /// Whether nothing bears out that a segment opens the connection. An opened
    /// one holds a local port for long, so with FULLNAT a client has to know the
    /// number with which its server has answered, or the server must say that
    /// the client has: a server answers to a forged SYN with a bare ACK, too.
    /// What is not believed is not lost: it goes on to the other end.
    #[inline]
    fn is_unproven(&self, snap: Snapshot, segment: &Segment) -> bool {
        if !matches!(self.method, Method::Fullnat)
            || !matches!(snap.state.tcp(), TcpState::SynRecv | TcpState::SynAck)
        {
            return false;
        }
        match segment.dir {
            Dir::In => {
                let ahead = snap.seqs.server_next().wrapping_sub(segment.ack);
                !snap.state.has(REPLIED) || ahead >= HANDSHAKE_WINDOW
            }
            Dir::Out => !self.answers(snap, segment),
        }
    }

    /// The number behind the SYN that opened the connection, as the server sees it.
    #[inline]
    fn after_syn(&self) -> u32 {
        self.client_isn.wrapping_add(self.isn_delta).wrapping_add(1)
    }

    /// The numbers of both ends after a segment: what its sender has sent, and
    /// what it has got from the other.
    ///
    /// Of a client only what its server has acknowledged counts, wherever
    /// replies are seen: from its SYN on ([`Conn::start`]). Clients say what they
    /// like, and all that share a local address start above what
    /// [`Conn::last_acked`] makes of it.
    #[inline]
    fn with_numbers(&self, snap: Snapshot, old: TcpState, segment: &Segment) -> Snapshot {
        let mut state = snap.state;
        let mut advance = |flag, kept, number, fresh: bool| {
            let known = state.has(flag) && !fresh;
            state = state.with(flag);
            if known {
                seq::later(number, kept)
            } else {
                number
            }
        };
        // A SYN starts anew. What is established is not moved by one, unless a
        // server that has forgotten it answers another one.
        let syn = segment.flags.syn();
        let holds = syn && matches!(old, TcpState::Established);
        let (mut client, mut server) = (snap.seqs.client_next(), snap.seqs.server_next());
        match segment.dir {
            Dir::In if holds || self.is_unproven(snap, segment) => {}
            Dir::In => {
                if !self.method.sees_replies() {
                    client = advance(CLIENT_SEQ, client, segment.end(), syn);
                }
                if segment.flags.ack() {
                    server = advance(SERVER_SEQ, server, segment.ack, false);
                }
            }
            Dir::Out => {
                let anew = holds && segment.flags.ack() && segment.ack != self.after_syn();
                if !holds || anew {
                    server = advance(SERVER_SEQ, server, segment.end(), syn);
                }
                if segment.flags.ack() {
                    let ack = segment.ack.wrapping_sub(self.isn_delta);
                    client = advance(CLIENT_SEQ, client, ack, anew);
                }
            }
        }
        Snapshot {
            state,
            seqs: Seqs::new(client, server),
        }
    }

    #[inline]
    fn activity(old: State, new: State) -> Activity {
        match (old.is_active(), new.is_active()) {
            (false, true) => Activity::Activated,
            (true, false) => Activity::Deactivated,
            _ => Activity::Unchanged,
        }
    }
}
