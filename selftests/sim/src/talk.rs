// SPDX-License-Identifier: GPL-2.0

//! [`Talk`]: one conversation of a client with a service: what both programs
//! say, how it is to end, and what has befallen it.
//!
//! The programs of both ends know the plan by the number that the client says
//! first, so that the server needs no protocol; and each byte of either
//! direction is known to whoever receives it.

use crate::{inet::End, rng::Rng};

/// How a conversation is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ending {
    ClientFin,
    ServerFin,
    BothFin,
    ClientRst,
    /// In the midst of it.
    ClientRstEarly,
    ServerRst,
    /// Both say nothing more, until the balancer's time is up.
    Silence,
    /// The client closes, the server never does.
    ClientHalf,
    /// The server closes, the client never does.
    ServerHalf,
    /// The client is gone without a word after its first request.
    Vanish,
    /// The client is gone after its SYN.
    SynOnly,
    /// The client resets what the server accepts.
    SynRst,
}

const TCP_ENDINGS: [(Ending, u32); 12] = [
    (Ending::ClientFin, 30),
    (Ending::ServerFin, 25),
    (Ending::BothFin, 10),
    (Ending::ClientRst, 7),
    (Ending::ClientRstEarly, 5),
    (Ending::ServerRst, 6),
    (Ending::Silence, 7),
    (Ending::ClientHalf, 3),
    (Ending::ServerHalf, 3),
    (Ending::Vanish, 4),
    (Ending::SynOnly, 3),
    (Ending::SynRst, 3),
];

/// What explains that a conversation does not go as planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mishap {
    /// The network changed a packet.
    Corrupted,
    /// Its ports were those of another one that some host still remembers.
    Reuse,
    /// A late SYN opened it a second time at the server.
    Twice,
    /// Its server was removed, or none was there.
    NoServer,
    /// No local port, or no local address, was free.
    NoPort,
    /// The balancer's connection came to its timeout, or gave up its port.
    Expired,
    /// The network lost so much that an end gave up.
    Loss,
}

/// How it ended at the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// Both ends closed, all bytes are there.
    Whole,
    /// The client or the server reset it, as planned.
    Reset,
    /// The balancer reset both ends after a silence.
    SilenceReset,
    /// Something on the way, or an end that knew nothing of it.
    Refused,
    /// Nobody answered any more, or nobody was there to hear it.
    TimedOut,
}

/// What a server must have learnt of the client when it reads its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Nobody would say, and nobody would keep the client from lying.
    Unknown,
    /// Nothing, though the client may have lied.
    Nothing,
    /// Who the client is.
    Client,
}

#[derive(Clone, Debug)]
pub(crate) struct Talk {
    pub(crate) client: End,
    pub(crate) virt: End,
    pub(crate) is_tcp: bool,
    /// Bytes of each request and each reply.
    pub(crate) request: u64,
    pub(crate) reply: u64,
    pub(crate) rounds: u64,
    pub(crate) pause_ms: u64,
    pub(crate) ending: Ending,
    /// The client says in an option that it is somebody else, and in bare
    /// acknowledgements that it has sent a lot.
    pub(crate) lies: bool,
    /// UDP over IPv4 without checksums.
    pub(crate) unchecked: bool,
    pub(crate) mishaps: Vec<Mishap>,
    /// Packets of it that the network lost.
    pub(crate) lost: u32,
    pub(crate) outcome: Option<Outcome>,
    /// Sockets that the server has had for it.
    pub(crate) accepted: u32,
    /// What each end got, in bytes (TCP) or datagrams (UDP).
    pub(crate) server_got: u64,
    pub(crate) client_got: u64,
    /// What the server is to learn of the client by TOA.
    pub(crate) told: Told,
    /// The balancer has reset both ends, and the network has delivered all
    /// since.
    pub(crate) told_both: bool,
}

/// Bytes that say which conversation it is.
pub(crate) const INTRO: u64 = 8;
const MAGIC: [u8; 4] = *b"sim!";

impl Talk {
    pub(crate) fn plan(rng: &mut Rng, client: End, virt: End, is_tcp: bool) -> Self {
        let total = TCP_ENDINGS
            .iter()
            .map(|(_, share)| u64::from(*share))
            .sum::<u64>();
        let mut place = rng.range(0, total - 1);
        let mut ending = Ending::ClientFin;
        for (one, share) in TCP_ENDINGS {
            if place < u64::from(share) {
                ending = one;
                break;
            }
            place -= u64::from(share);
        }
        let length = |rng: &mut Rng| match rng.index(8) {
            0 => rng.range(2000, 9000),
            1..=3 => rng.range(200, 1600),
            _ => rng.range(INTRO, 200),
        };
        let datagram = |rng: &mut Rng| rng.range(12, 900);
        let (request, reply) = if is_tcp {
            (length(rng), length(rng))
        } else {
            (datagram(rng), datagram(rng))
        };
        Self {
            client,
            virt,
            is_tcp,
            request,
            reply,
            rounds: rng.range(1, 3),
            pause_ms: match rng.index(6) {
                0 => rng.range(1000, 9000),
                1 => rng.range(100, 1000),
                _ => 0,
            },
            ending: if is_tcp { ending } else { Ending::Silence },
            lies: rng.chance(800),
            unchecked: client.addr.is_ipv4() && rng.chance(2000),
            mishaps: Vec::new(),
            lost: 0,
            outcome: None,
            accepted: 0,
            server_got: 0,
            client_got: 0,
            told: Told::Unknown,
            told_both: false,
        }
    }

    pub(crate) fn befalls(&mut self, mishap: Mishap) {
        if !self.mishaps.contains(&mishap) {
            self.mishaps.push(mishap);
        }
    }

    /// Nothing explains it if this does not go as planned.
    pub(crate) fn is_untroubled(&self) -> bool {
        self.mishaps.is_empty()
    }

    /// Whether neither silence nor loss explains it if this is cut off now.
    pub(crate) fn goes_on(&self) -> bool {
        use Ending::{BothFin, ClientFin, ClientRst, ClientRstEarly, ServerFin, ServerRst, SynRst};
        let talks = matches!(
            self.ending,
            ClientFin | ServerFin | BothFin | ClientRst | ClientRstEarly | ServerRst | SynRst
        );
        let clear = self.is_untroubled() && self.lost == 0;
        self.is_tcp && talks && clear && self.outcome.is_none()
    }

    /// What the client says in all.
    pub(crate) fn requests(&self) -> u64 {
        self.request * self.rounds
    }

    /// What the server says in all.
    pub(crate) fn replies(&self) -> u64 {
        match self.ending {
            Ending::ServerRst => self.reply * (self.rounds - 1),
            _ => self.reply * self.rounds,
        }
    }
}

/// The byte at `offset` of what one end of a conversation says.
pub(crate) fn byte(talk: u32, by_client: bool, offset: u64) -> u8 {
    if by_client && offset < 4 {
        return MAGIC[offset as usize];
    }
    if by_client && offset < INTRO {
        return talk.to_be_bytes()[offset as usize - 4];
    }
    let mixed = (offset ^ (u64::from(talk) << 32) ^ (u64::from(by_client) << 63))
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 40) as u8
}

/// The bytes from `offset` on.
pub(crate) fn bytes(talk: u32, by_client: bool, offset: u64, len: usize) -> Vec<u8> {
    (offset..offset + len as u64)
        .map(|offset| byte(talk, by_client, offset))
        .collect()
}

/// Which conversation begins so; `None` if none does.
pub(crate) fn introduced(bytes: &[u8]) -> Option<u32> {
    let talk = <[u8; 4]>::try_from(bytes.get(4..8)?).ok()?;
    bytes.starts_with(&MAGIC).then(|| u32::from_be_bytes(talk))
}
