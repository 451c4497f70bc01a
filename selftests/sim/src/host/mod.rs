// SPDX-License-Identifier: GPL-2.0

//! [`Host`]: a client or a server: its sockets and the programs behind them.

mod datagrams;
mod program;

use crate::{
    inet::{Check, End, Tcp, View, ACK, L4, RST, SYN},
    rng::Rng,
    talk::{Ending, Mishap, Talk},
    tcp::{refusal, Cx, Offer, Socket, Start, State, Why},
};
use datagrams::Datagrams;
use program::{client, conclude, learnt, server};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// A packet that a host sends, and the conversation that it is of.
pub(crate) type Sent = (View, u32);

pub(crate) struct Host {
    pub(crate) addrs: Vec<IpAddr>,
    is_client: bool,
    pub(crate) sockets: Vec<Option<Socket>>,
    index: BTreeMap<(End, End), usize>,
    datagrams: BTreeMap<(End, End), Datagrams>,
    next_port: BTreeMap<End, u16>,
    clock: u32,
    isn: u32,
    tos: u8,
    time_wait_ms: u64,
    rng: Rng,
}

/// What a host is asked with.
pub(crate) struct Asked<'a> {
    pub(crate) now_ms: u64,
    pub(crate) talks: &'a mut Vec<Talk>,
    pub(crate) sent: &'a mut Vec<Sent>,
    /// Whom to look at when: a socket, or datagrams of a conversation.
    pub(crate) looks: &'a mut Vec<(Look, u64)>,
}

impl Asked<'_> {
    fn cx<'a>(&self, out: &'a mut Vec<View>) -> Cx<'a> {
        let now_ms = self.now_ms;
        Cx { now_ms, out }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    Socket(usize),
    Datagrams(End, End),
}

/// Ports that a client has for each service: few, so that they come again.
const CLIENT_PORTS: u16 = 12;
const IDLE_MS: u64 = 90_000;
const DEAF_MS: u64 = 30_000;

impl Host {
    pub(crate) fn new(addrs: Vec<IpAddr>, is_client: bool, rng: &mut Rng) -> Self {
        let mut rng = rng.fork();
        Self {
            addrs,
            is_client,
            sockets: Vec::new(),
            index: BTreeMap::new(),
            datagrams: BTreeMap::new(),
            next_port: BTreeMap::new(),
            clock: rng.u32(),
            isn: rng.u32(),
            tos: (rng.u32() & 0xfc) as u8,
            time_wait_ms: if is_client {
                rng.range(2000, 30_000)
            } else {
                60_000
            },
            rng,
        }
    }

    /// A port from which nothing of this host's goes to `virt`.
    pub(crate) fn free_port(&mut self, addr: IpAddr, virt: End) -> Option<End> {
        let next = self.next_port.entry(virt).or_insert(0);
        for _ in 0..CLIENT_PORTS {
            let end = End::new(addr, 40_000 + *next % CLIENT_PORTS);
            *next += 1;
            let key = (end, virt);
            if !self.index.contains_key(&key) && !self.datagrams.contains_key(&key) {
                return Some(end);
            }
        }
        None
    }

    fn start(&mut self, local: End, remote: End, now_ms: u64) -> Start {
        let rng = &mut self.rng;
        let most: u16 = if local.addr.is_ipv4() { 1460 } else { 1440 };
        let offer = Offer {
            mss: (!rng.chance(300)).then(|| *rng.pick(&[most, most, 1400, 536])),
            timestamps: rng.chance(7000),
            sack: rng.chance(7500),
            scale: rng.chance(8000),
        };
        // RFC 6528: a clock that goes on for each pair of ends.
        let clock = (now_ms as u32).wrapping_mul(15_625);
        let iss = self
            .isn
            .wrapping_add(clock)
            .wrapping_add(u32::from(local.port) << 7);
        Start {
            local,
            remote,
            iss,
            offer,
            clock: self.clock,
            tos: self.tos,
            now_ms,
        }
    }

    /// Begins conversation `number`.
    pub(crate) fn begin(&mut self, number: u32, asked: &mut Asked<'_>) {
        let talk = &asked.talks[number as usize];
        let (local, remote) = (talk.client, talk.virt);
        if !talk.is_tcp {
            let datagrams = Datagrams {
                talk: number,
                local,
                remote,
                sent: 0,
                replied: BTreeSet::new(),
                wake_ms: asked.now_ms,
            };
            self.datagrams.insert((local, remote), datagrams);
            self.look(Look::Datagrams(local, remote), asked);
            return;
        }
        let (lies, ending) = (talk.lies, talk.ending);
        let start = self.start(local, remote, asked.now_ms);
        let lie = lies.then(|| {
            let len = if local.addr.is_ipv4() { 6 } else { 18 };
            (254, (0..len).map(|_| self.rng.u32() as u8).collect())
        });
        // No longer than leaves room in a SYN of the sender's own.
        let mut out = Vec::new();
        let mut cx = asked.cx(&mut out);
        let mut socket = Socket::connect(start, number, lie, &mut cx);
        if ending == Ending::SynOnly {
            socket.is_deaf = true;
        }
        asked
            .sent
            .extend(out.into_iter().map(|view| (view, number)));
        let slot = self.keep(socket);
        self.settle(slot, asked);
    }

    fn keep(&mut self, socket: Socket) -> usize {
        self.index
            .insert((socket.local, socket.remote), self.sockets.len());
        self.sockets.push(Some(socket));
        self.sockets.len() - 1
    }

    /// What has come, with the conversation that it is of.
    pub(crate) fn packet(
        &mut self,
        view: &View,
        tag: u32,
        asked: &mut Asked<'_>,
    ) -> Result<(), String> {
        if view.check == Check::Wrong {
            return Ok(());
        }
        match &view.l4 {
            L4::Tcp(tcp) => self.segment(view, tcp, tag, asked),
            L4::Udp if self.is_client => self.reply(view, asked),
            L4::Udp => self.request(view, tag, asked),
            L4::Other(_) => Ok(()),
        }
    }

    fn segment(
        &mut self,
        view: &View,
        tcp: &Tcp,
        tag: u32,
        asked: &mut Asked<'_>,
    ) -> Result<(), String> {
        let key = (view.dst, view.src);
        let opens = tcp.flags & (SYN | ACK | RST) == SYN;
        if let Some(slot) = self.index.get(&key).copied() {
            // A late copy of the SYN that opened it is no new one.
            let waits = self.sockets[slot]
                .as_ref()
                .filter(|s| opens && s.tag != tag && s.state == State::TimeWait);
            match waits.map(|socket| socket.gives_way(tcp)) {
                Some(true) => self.forget(slot),
                Some(false) if asked.talks[tag as usize].is_untroubled() => {
                    return Err(format!("{} in TIME_WAIT refuses the SYN", view.dst));
                }
                _ => {
                    self.note_reuse(slot, opens, tag, asked);
                    return self.known(slot, view, asked);
                }
            }
        }
        if opens && !self.is_client {
            let start = self.start(view.dst, view.src, asked.now_ms);
            let mut out = Vec::new();
            let mut cx = asked.cx(&mut out);
            let mut socket = Socket::accept(start, view, &mut cx);
            socket.tag = tag;
            let talk = &mut asked.talks[tag as usize];
            talk.accepted += 1;
            if talk.accepted > 1 {
                talk.befalls(Mishap::Twice);
            }
            asked.sent.extend(out.into_iter().map(|view| (view, tag)));
            let slot = self.keep(socket);
            self.settle(slot, asked);
        } else if tcp.flags & RST == 0 {
            asked.sent.push((refusal(view, tcp), tag));
        }
        Ok(())
    }

    /// A SYN of another conversation than the one that the socket is still in.
    fn note_reuse(&self, slot: usize, opens: bool, tag: u32, asked: &mut Asked<'_>) {
        let before = self.sockets[slot].as_ref().map(|socket| socket.tag);
        if opens && before.is_some_and(|before| before != tag) {
            asked.talks[tag as usize].befalls(Mishap::Reuse);
        }
    }

    fn known(&mut self, slot: usize, view: &View, asked: &mut Asked<'_>) -> Result<(), String> {
        let Some(socket) = &mut self.sockets[slot] else {
            return Ok(());
        };
        let mut out = Vec::new();
        let mut cx = asked.cx(&mut out);
        socket.segment(view, &mut cx);
        if !matches!(socket.state, State::TimeWait) {
            socket.since_ms = asked.now_ms;
        }
        if let Some(talk) = socket.talk {
            socket.tag = talk;
        }
        let tag = socket.tag;
        // Its RST ends the director's connection for an older conversation's sake.
        if socket.has_refused() {
            asked.talks[tag as usize].befalls(Mishap::Reuse);
        }
        asked.sent.extend(out.into_iter().map(|view| (view, tag)));
        let odd = socket.odd.take();
        let troubled = !asked
            .talks
            .get(tag as usize)
            .is_some_and(Talk::is_untroubled);
        if let Some(odd) = odd.filter(|_| !troubled) {
            return Err(odd);
        }
        self.program(slot, asked)?;
        self.settle(slot, asked);
        Ok(())
    }

    /// Lets the program behind a socket go on.
    fn program(&mut self, slot: usize, asked: &mut Asked<'_>) -> Result<(), String> {
        let Some(socket) = &mut self.sockets[slot] else {
            return Ok(());
        };
        let Some(number) = socket.talk.filter(|_| socket.state == State::Open) else {
            return Ok(());
        };
        let mut out = Vec::new();
        let mut cx = asked.cx(&mut out);
        let Some(talk) = asked.talks.get_mut(number as usize) else {
            return Err(format!("conversation {number} never was"));
        };
        if socket.is_client {
            talk.client_got = socket.got;
            client(socket, talk, &mut cx);
        } else {
            if talk.server_got == 0 && talk.is_untroubled() {
                learnt(socket, talk)?;
            }
            talk.server_got = socket.got;
            server(socket, talk, &mut cx);
        }
        asked
            .sent
            .extend(out.into_iter().map(|view| (view, number)));
        Ok(())
    }

    /// Time has come for what was planned.
    pub(crate) fn look_at(&mut self, look: Look, asked: &mut Asked<'_>) -> Result<bool, String> {
        match look {
            Look::Socket(slot) => {
                let Some(socket) = &mut self.sockets[slot] else {
                    return Ok(false);
                };
                socket.planned_ms = None;
                let due = wanted(socket, self.time_wait_ms).is_some_and(|at| at <= asked.now_ms);
                if due {
                    let mut out = Vec::new();
                    let mut cx = asked.cx(&mut out);
                    socket.timer(&mut cx);
                    let tag = socket.tag;
                    asked.sent.extend(out.into_iter().map(|view| (view, tag)));
                    if idle_until(socket, self.time_wait_ms) <= asked.now_ms && !socket.is_gone() {
                        socket.state = State::Gone(match socket.state {
                            State::TimeWait => Why::Closed,
                            _ => Why::TimedOut,
                        });
                    }
                    self.program(slot, asked)?;
                }
                self.settle(slot, asked);
                Ok(due)
            }
            Look::Datagrams(local, remote) => {
                self.look(Look::Datagrams(local, remote), asked);
                Ok(true)
            }
        }
    }

    /// Plans the next look at a socket, or forgets it.
    fn settle(&mut self, slot: usize, asked: &mut Asked<'_>) {
        let Some(socket) = &mut self.sockets[slot] else {
            return;
        };
        if let State::Gone(why) = socket.state {
            if socket.is_client {
                conclude(socket, why, asked);
            }
            self.forget(slot);
            return;
        }
        if socket.is_client && socket.state == State::TimeWait {
            conclude(socket, Why::Closed, asked);
        }
        let Some(at) = wanted(socket, self.time_wait_ms) else {
            return;
        };
        if socket.planned_ms.is_none_or(|planned| planned > at) {
            socket.planned_ms = Some(at);
            asked.looks.push((Look::Socket(slot), at));
        }
    }

    fn forget(&mut self, slot: usize) {
        if let Some(socket) = self.sockets[slot].take() {
            self.index.remove(&(socket.local, socket.remote));
        }
    }

    /// The socket between these ends.
    pub(crate) fn socket(&self, local: End, remote: End) -> Option<&Socket> {
        self.index
            .get(&(local, remote))
            .and_then(|slot| self.sockets[*slot].as_ref())
    }
}

/// When a socket is to be forgotten if nothing comes.
fn idle_until(socket: &Socket, time_wait_ms: u64) -> u64 {
    socket.since_ms
        + match socket.state {
            State::TimeWait => time_wait_ms,
            _ if socket.is_deaf => DEAF_MS,
            _ => IDLE_MS,
        }
}

/// When a socket is to be looked at.
fn wanted(socket: &Socket, time_wait_ms: u64) -> Option<u64> {
    let idle = Some(idle_until(socket, time_wait_ms));
    let again = socket.again_ms.filter(|_| !socket.is_deaf);
    [idle, again, socket.wake_ms].into_iter().flatten().min()
}
