// SPDX-License-Identifier: GPL-2.0

//! [`Socket`]: one end of a TCP connection, small and by the book where a
//! balancer could make a difference: numbers, options, who is obeyed.
//!
//! A RST counts at exactly the number expected, anything else in the window is
//! challenged (RFC 5961); an ACK below the window is answered; a socket in
//! TIME_WAIT takes a new SYN by the rules of RFC 9293 section 3.10.7.4 and
//! RFC 7323, as Linux does.
//!
//! What the other end can only have said by the fault of somebody on the way
//! is noted in [`Socket::odd`].

mod receive;
mod send;

use crate::inet::{self, Check, End, Tcp, View, ACK, FIN, L4, RST, SYN};
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    SynSent,
    SynReceived,
    Open,
    TimeWait,
    Gone(Why),
}

/// Why a socket is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Closed,
    /// By the other end, as far as it can be told.
    Reset,
    /// By this end's program.
    Aborted,
    TimedOut,
}

/// What the options of a SYN may say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer {
    pub(crate) mss: Option<u16>,
    pub(crate) timestamps: bool,
    pub(crate) sack: bool,
    pub(crate) scale: bool,
}

pub(crate) struct Socket {
    pub(crate) local: End,
    pub(crate) remote: End,
    /// The conversation; a server knows it when it has read its number.
    pub(crate) talk: Option<u32>,
    /// The conversation of the packet that this began with: for reports, and
    /// to know what has befallen it.
    pub(crate) tag: u32,
    /// For when a look at it is planned.
    pub(crate) planned_ms: Option<u64>,
    pub(crate) is_client: bool,
    pub(crate) state: State,
    /// It hears and says nothing any more.
    pub(crate) is_deaf: bool,
    iss: u32,
    irs: u32,
    /// Stream offsets: acknowledged, sent, written. The FIN is behind the last.
    una: u64,
    nxt: u64,
    /// As far as anything was ever sent.
    top: u64,
    written: u64,
    pub(crate) is_closed: bool,
    /// Read in order, and what came too early.
    pub(crate) got: u64,
    early: BTreeMap<u64, Vec<u8>>,
    fin_at: Option<u64>,
    pub(crate) heard_fin: bool,
    closed_first: bool,
    head: Vec<u8>,
    offer: Offer,
    mss: usize,
    timestamps: bool,
    sack: bool,
    clock: u32,
    recent: u32,
    tos: u8,
    rto_ms: u64,
    pub(crate) tries: u32,
    duplicates: u32,
    /// When something is to be sent again.
    pub(crate) again_ms: Option<u64>,
    /// When the program wants to go on.
    pub(crate) wake_ms: Option<u64>,
    pub(crate) since_ms: u64,
    challenged_ms: Option<u64>,
    /// The number of the RST with which it has refused the answer to another
    /// conversation's SYN.
    refused: Option<u32>,
    /// Who the client is, by what its segments carried.
    pub(crate) toa: Option<End>,
    /// What this end sends beside its other options.
    pub(crate) lie: Option<(u8, Vec<u8>)>,
    pub(crate) odd: Option<String>,
}

/// Retransmissions before an end gives up.
const TRIES: u32 = 7;
const FIRST_RTO_MS: u64 = 300;
const LAST_RTO_MS: u64 = 3000;
/// Segments under way at most.
const BURST: u64 = 4;
const WINDOW: u64 = 65_535;
/// How far ahead a client that lies says to be.
const FAR: u32 = 1 << 30;

/// What a host lends a socket.
pub(crate) struct Cx<'a> {
    pub(crate) now_ms: u64,
    pub(crate) out: &'a mut Vec<View>,
}

/// What of a SYN a socket begins with.
pub(crate) struct Start {
    pub(crate) local: End,
    pub(crate) remote: End,
    pub(crate) iss: u32,
    pub(crate) offer: Offer,
    /// Where the host's timestamps begin.
    pub(crate) clock: u32,
    pub(crate) tos: u8,
    pub(crate) now_ms: u64,
}

impl Socket {
    fn new(start: Start, is_client: bool, state: State) -> Self {
        Self {
            local: start.local,
            remote: start.remote,
            talk: None,
            tag: 0,
            planned_ms: None,
            is_client,
            state,
            is_deaf: false,
            iss: start.iss,
            irs: 0,
            una: 0,
            nxt: 0,
            top: 0,
            written: 0,
            is_closed: false,
            got: 0,
            early: BTreeMap::new(),
            fin_at: None,
            heard_fin: false,
            closed_first: false,
            head: Vec::new(),
            offer: start.offer,
            mss: 536,
            timestamps: false,
            sack: false,
            clock: start.clock,
            recent: 0,
            tos: start.tos,
            rto_ms: FIRST_RTO_MS,
            tries: 0,
            duplicates: 0,
            again_ms: Some(start.now_ms + FIRST_RTO_MS),
            wake_ms: None,
            since_ms: start.now_ms,
            challenged_ms: None,
            refused: None,
            toa: None,
            lie: None,
            odd: None,
        }
    }

    /// A client that opens a connection.
    pub(crate) fn connect(
        start: Start,
        talk: u32,
        lie: Option<(u8, Vec<u8>)>,
        cx: &mut Cx<'_>,
    ) -> Self {
        let mut socket = Self::new(start, true, State::SynSent);
        (socket.talk, socket.tag, socket.lie) = (Some(talk), talk, lie);
        socket.syn(cx);
        socket
    }

    /// A server that has got a SYN.
    pub(crate) fn accept(start: Start, syn: &View, cx: &mut Cx<'_>) -> Self {
        let mut socket = Self::new(start, false, State::SynReceived);
        socket.irs = syn.tcp().map_or(0, |tcp| tcp.seq);
        socket.agree(syn);
        socket.note_toa(syn);
        socket.syn(cx);
        socket
    }

    fn agree(&mut self, syn: &View) {
        let Some(tcp) = syn.tcp() else { return };
        for (kind, data) in inet::options(&tcp.options).unwrap_or_default() {
            match (kind, &data[..]) {
                (2, [a, b]) => self.mss = usize::from(u16::from_be_bytes([*a, *b])),
                (4, []) => self.sack = self.offer.sack,
                (8, [a, b, c, d, ..]) => {
                    self.timestamps = self.offer.timestamps;
                    self.recent = u32::from_be_bytes([*a, *b, *c, *d]);
                }
                _ => {}
            }
        }
    }

    fn now_ts(&self, cx: &Cx<'_>) -> u32 {
        self.clock.wrapping_add(cx.now_ms as u32)
    }

    fn seq(&self, offset: u64) -> u32 {
        self.iss.wrapping_add(1).wrapping_add(offset as u32)
    }

    /// The number expected of the other end.
    fn expected(&self) -> u32 {
        let fin = u32::from(self.heard_fin);
        self.irs
            .wrapping_add(1)
            .wrapping_add(self.got as u32)
            .wrapping_add(fin)
    }

    /// Whether a new SYN may take the place of this socket, in TIME_WAIT.
    pub(crate) fn gives_way(&self, syn: &Tcp) -> bool {
        let stamp = inet::options(&syn.options)
            .unwrap_or_default()
            .into_iter()
            .find_map(|(kind, data)| (kind == 8).then(|| data.first_chunk().copied()))
            .flatten()
            .map(u32::from_be_bytes)
            .filter(|_| self.timestamps);
        let ahead = |stamp: u32| stamp.wrapping_sub(self.recent) as i32;
        let is_old = stamp.is_some_and(|stamp| ahead(stamp) < 0);
        let is_new = stamp.is_some_and(|stamp| ahead(stamp) > 0);
        !is_old && (is_new || (syn.seq.wrapping_sub(self.expected()) as i32) > 0)
    }

    pub(crate) fn has_said_all(&self) -> bool {
        self.una >= self.written
    }

    /// Whether `seq` is of something that was sent and not yet acknowledged, or
    /// was at most a window ago.
    pub(crate) fn may_have_sent(&self, seq: u32) -> bool {
        let past = i64::from(seq.wrapping_sub(self.iss) as i32);
        let has = |past| past >= 0 && past <= self.top as i64 + 2;
        has(past) || self.refused == Some(seq) || (self.lie.is_some() && has(past - i64::from(FAR)))
    }

    /// Whether it has refused what was another conversation's.
    pub(crate) fn has_refused(&self) -> bool {
        self.refused.is_some()
    }

    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.state, State::Gone(_))
    }

    /// How many pieces of `size` bytes the program has written.
    pub(crate) fn asked(&self, size: u64) -> u64 {
        self.written / size
    }
}

fn stamp_of(tcp: &Tcp) -> Option<u32> {
    inet::options(&tcp.options)?
        .into_iter()
        .find_map(|(kind, data)| (kind == 8).then(|| data.first_chunk().copied()))
        .flatten()
        .map(u32::from_be_bytes)
}

/// The client that the data of an option names.
pub(crate) fn read_toa(data: &[u8]) -> Option<End> {
    let (port, addr) = data.split_first_chunk()?;
    let port = u16::from_be_bytes(*port);
    let addr = match addr.len() {
        4 => <[u8; 4]>::try_from(addr).ok()?.into(),
        16 => <[u8; 16]>::try_from(addr).ok()?.into(),
        _ => return None,
    };
    Some(End::new(addr, port))
}

/// What a host without a socket for it answers.
pub(crate) fn refusal(view: &View, tcp: &Tcp) -> View {
    let ack = tcp.flags & ACK != 0;
    let len = view.payload.len() as u32
        + u32::from(tcp.flags & SYN != 0)
        + u32::from(tcp.flags & FIN != 0);
    View {
        src: view.dst,
        dst: view.src,
        ttl: 64,
        tos: 0,
        l4: L4::Tcp(Tcp {
            flags: if ack { RST } else { RST | ACK },
            seq: if ack { tcp.ack } else { 0 },
            ack: if ack { 0 } else { tcp.seq.wrapping_add(len) },
            ..Tcp::default()
        }),
        payload: Vec::new(),
        check: Check::Right,
    }
}
