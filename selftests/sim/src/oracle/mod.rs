// SPDX-License-Identifier: GPL-2.0

//! [`Book`]: what a director has done, kept by who looks at it from outside,
//! and held against what it may do.

mod audit;
pub(crate) mod law;
mod record;
mod reuse;
pub(crate) mod share;
pub(crate) mod time;

use crate::{
    director::{Director, How, Note, Opened},
    inet::{End, View, RST, SYN},
};
use lvs_engine::{
    conn::{Dir, Method, Snapshot},
    drop_reason::DropReason,
    service::ServiceKey,
    tcp::TcpState,
};
pub(crate) use record::Record;
use reuse::{fresh, restarted};
use share::Shares;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};
use time::Times;

/// The packet that a note is about.
pub(crate) struct Cause<'a> {
    pub(crate) view: Option<&'a View>,
    pub(crate) tag: u32,
    pub(crate) through: bool,
    pub(crate) is_damaged: bool,
    pub(crate) now_ms: u64,
}

/// What has been done about a connection, for who asks.
pub(crate) enum Done {
    Nothing,
    /// A packet is to be sent; `is_copy`: what came, translated.
    Send {
        bytes: Vec<u8>,
        via: Option<End>,
        tag: u32,
        is_copy: bool,
    },
    Opened(u64),
    Lingers(u64),
    Ended(Box<Record>, How),
    Passed,
    Dropped(DropReason),
}

/// Ends of a connection as its server sees them.
type Quad = (bool, End, End);

pub(crate) struct Book {
    pub(crate) live: BTreeMap<u64, Record>,
    quads: BTreeMap<Quad, u64>,
    /// Where a server has heard a client's numbers from these ends up to, and
    /// when; nothing if that cannot be told.
    heard: BTreeMap<(End, End), (Option<u32>, u64)>,
    /// Local addresses and servers of which a damaged answer has passed.
    disturbed: BTreeSet<(IpAddr, End)>,
    pub(crate) shares: BTreeMap<usize, Shares>,
    /// New connections whose ports a server may have remembered.
    pub(crate) remembered: u64,
    /// When the servers of a service were last changed.
    changed_ms: BTreeMap<usize, u64>,
    times: Times,
}

/// What the clock's grain, the wheel's tick and the second between its turns
/// add to a timeout.
const LATE_MS: u64 = 2_300;
const GRAIN_MS: u64 = 250;
/// How long a server remembers a connection.
const MEMORY_MS: u64 = 60_000;

impl Book {
    pub(crate) fn new(times: Times) -> Self {
        Self {
            live: BTreeMap::new(),
            quads: BTreeMap::new(),
            heard: BTreeMap::new(),
            disturbed: BTreeSet::new(),
            remembered: 0,
            shares: BTreeMap::new(),
            changed_ms: BTreeMap::new(),
            times,
        }
    }

    /// Something of a service has been changed.
    pub(crate) fn changed(&mut self, service: usize, now_ms: u64) {
        self.shares.entry(service).or_default().changed();
        self.changed_ms.insert(service, now_ms);
    }

    fn record(&mut self, serial: u64) -> Result<&mut Record, String> {
        let found = self.live.get_mut(&serial);
        found.ok_or_else(|| format!("connection {serial} is not there"))
    }

    /// Takes a note, unless what it says must not be.
    pub(crate) fn take(
        &mut self,
        note: Note,
        cause: &Cause<'_>,
        director: &Director,
    ) -> Result<Done, String> {
        match note {
            Note::Passed => Ok(Done::Passed),
            Note::Dropped { reason } => Ok(Done::Dropped(reason)),
            Note::Scheduled {
                service,
                client,
                chosen,
                candidates,
            } => {
                let scheduler = director.services.borrow()[service].config.scheduler;
                let shares = self.shares.entry(service).or_default();
                shares.chosen(scheduler, client.addr, chosen, &candidates)?;
                Ok(Done::Nothing)
            }
            Note::Opened(opened) => self.open(*opened, cause, director),
            Note::Stepped { serial, dir, met } => {
                let record = self.record(serial)?;
                record.met = met;
                let tcp = cause.view.and_then(View::tcp);
                if !record.lingers {
                    record.last_ms = cause.now_ms;
                    record.heard(dir, tcp);
                }
                // A SYN of another conversation leaves what is established alone.
                let moves = met != TcpState::Established && record.is_other_syn(dir, tcp);
                record.is_odd |= cause.is_damaged || moves;
                record.is_reset = tcp.is_some_and(|tcp| tcp.flags & RST != 0);
                if let (Dir::Out, Some(view), Some(isn)) = (dir, cause.view, record.isn) {
                    let told = record.told.get_or_insert(isn.wrapping_add(1));
                    record.answered = law::answered(record.answered, met, isn, told, view);
                }
                Ok(Done::Nothing)
            }
            Note::Forwarded { serial, dir, after } => self.forwarded(serial, dir, after, cause),
            Note::Translated { serial, dir, after } => {
                let record = self.record(serial)?;
                let view = cause.view.ok_or("an error out of nothing")?;
                law::translated(&record.known(), dir, view, &after)?;
                let tag = record.tag;
                Ok(Done::Send {
                    bytes: after,
                    via: None,
                    tag,
                    is_copy: true,
                })
            }
            Note::Made { serial, bytes } => {
                let record = self.record(serial)?;
                // Later ones answer with the number that an end has just stated.
                let is_first = !record.lingers && !record.is_odd;
                let numbers = is_first.then_some((record.client_has, record.server_has));
                law::made(&record.opened, numbers.unwrap_or_default(), &bytes)?;
                let tag = record.tag;
                Ok(Done::Send {
                    bytes,
                    via: None,
                    tag,
                    is_copy: false,
                })
            }
            Note::Lingers { serial } => {
                let record = self.record(serial)?;
                let silent = cause.now_ms.saturating_sub(record.last_ms);
                if silent + GRAIN_MS < self.times.established * 1000 {
                    return Err(format!("reset after {silent} ms of silence"));
                }
                let record = self.record(serial)?;
                (record.lingers, record.last_ms) = (true, cause.now_ms);
                Ok(Done::Lingers(serial))
            }
            Note::Ended {
                serial,
                how,
                snapshot,
            } => self.ended(serial, how, snapshot, cause, director),
        }
    }

    fn open(
        &mut self,
        opened: Opened,
        cause: &Cause<'_>,
        director: &Director,
    ) -> Result<Done, String> {
        let view = cause.view.ok_or("a connection out of nothing")?;
        if (view.src, view.dst) != (opened.client, opened.virt) {
            return Err(format!("a connection of other ends: {opened:?}"));
        }
        let quad = (opened.is_tcp, opened.local, opened.real);
        let serial = opened.serial;
        if opened.method.sees_replies() {
            if let Some(other) = self.quads.insert(quad, serial) {
                return Err(format!(
                    "connections {other} and {serial} both are {quad:?}"
                ));
            }
        }
        match (opened.method, opened.local_number) {
            (Method::Fullnat, Some(number)) => {
                let local = &director.locals.borrow()[number];
                let ports = director.settings.ports;
                let in_range = local.dedicated || ports.contains(opened.local.port);
                if local.addr != opened.local.addr || !in_range || opened.local.port < 1024 {
                    return Err(format!("{} is no local port of {local:?}", opened.local));
                }
            }
            (Method::Fullnat, None) => return Err("FULLNAT without a local address".into()),
            _ if opened.local != opened.client => {
                return Err(format!("the server sees {} without FULLNAT", opened.local));
            }
            _ => {}
        }
        let dest = &director.dests.borrow()[opened.dest];
        if !dest.available || dest.real.addr != opened.real.addr {
            return Err(format!("a new connection to {dest:?}"));
        }
        self.stays(&opened, director)?;
        let record = Record {
            opened,
            tag: cause.tag,
            delta: None,
            isn: None,
            answered: Some(false),
            told: None,
            met: TcpState::None,
            last_ms: cause.now_ms,
            lingers: false,
            client_isn: view.tcp().map(|tcp| tcp.seq),
            server_isn: None,
            server_has: None,
            client_has: None,
            is_reset: false,
            opened_ms: cause.now_ms,
            is_odd: cause.is_damaged || view.tcp().is_some_and(|tcp| tcp.flags & SYN == 0),
        };
        self.live.insert(serial, record);
        Ok(Done::Opened(serial))
    }

    /// A client of a persistent service comes to the server of its other
    /// connections, unless that was changed meanwhile.
    fn stays(&self, opened: &Opened, director: &Director) -> Result<(), String> {
        let services = director.services.borrow();
        let virt = |key: &ServiceKey| match key {
            ServiceKey::Address {
                addr,
                port,
                protocol,
            } => (*protocol == 6) == opened.is_tcp && End::new(*addr, *port) == opened.virt,
            ServiceKey::Fwmark { .. } => false,
        };
        let service = services.iter().position(|service| virt(&service.key));
        let Some(service) = service.filter(|at| services[*at].config.is_persistent()) else {
            return Ok(());
        };
        let since = self.changed_ms.get(&service).copied().unwrap_or(0);
        let mut others = self.live.values().filter(|other| {
            (other.opened.client.addr, other.opened.virt) == (opened.client.addr, opened.virt)
        });
        match others.find(|other| other.opened.dest != opened.dest && other.opened_ms > since) {
            None => Ok(()),
            Some(other) => Err(format!("{opened:?} beside {:?}", other.opened)),
        }
    }

    fn forwarded(
        &mut self,
        serial: u64,
        dir: Dir,
        after: Vec<u8>,
        cause: &Cause<'_>,
    ) -> Result<Done, String> {
        let ends = self
            .record(serial)
            .map(|r| (r.opened.local, r.opened.real))?;
        let line = (ends.0.addr, ends.1);
        // What a client says moves nobody's numbers but its own.
        if cause.is_damaged && dir == Dir::Out {
            self.disturbed.insert(line);
        }
        let heard = self.heard.get(&ends).copied();
        let heard = heard.filter(|_| !self.disturbed.contains(&line));
        let record = self.record(serial)?;
        let view = cause.view.ok_or("a packet out of nothing")?;
        law::forwarded(&record.known(), dir, view, &after, cause.through)?;
        let sent = View::read(&after).map_err(String::from)?;
        if let (Dir::In, Some(old), Some(new)) = (dir, view.tcp(), sent.tcp()) {
            if record.delta.is_none() {
                record.delta = Some(new.seq.wrapping_sub(old.seq));
                record.isn = Some(new.seq);
                let is_known = fresh(record, new.seq, heard, cause.now_ms)?;
                self.remembered += u64::from(is_known);
            }
        }
        let opened = &self.record(serial)?.opened;
        let via = (opened.method == Method::Droute).then_some(opened.real);
        Ok(Done::Send {
            bytes: after,
            via,
            tag: cause.tag,
            is_copy: true,
        })
    }

    fn ended(
        &mut self,
        serial: u64,
        how: How,
        snapshot: Snapshot,
        cause: &Cause<'_>,
        director: &Director,
    ) -> Result<Done, String> {
        let record = self.live.remove(&serial);
        let record = record.ok_or_else(|| format!("connection {serial} ended twice"))?;
        let opened = &record.opened;
        let quad = (opened.is_tcp, opened.local, opened.real);
        if opened.method.sees_replies() && self.quads.remove(&quad) != Some(serial) {
            return Err(format!("{quad:?} was of another connection than {serial}"));
        }
        let silent = cause.now_ms.saturating_sub(record.last_ms);
        let most = time::seconds(&self.times, opened.is_tcp, opened.method, snapshot) * 1000;
        let state = opened.is_tcp.then(|| snapshot.state.tcp());
        match how {
            How::Expired if silent + GRAIN_MS < most => {
                return Err(format!("{opened:?} in {state:?} expired after {silent} ms"));
            }
            How::Evicted if !yields(state, snapshot.state.is_replied(), silent) => {
                return Err(format!("{opened:?} in {state:?} gave up its port"));
            }
            How::Restarted => restarted(&record, state, cause, director)?,
            _ => {}
        }
        if opened.is_tcp && opened.method == Method::Fullnat {
            let known = record.server_has.filter(|_| !record.is_odd);
            self.heard
                .insert((opened.local, opened.real), (known, cause.now_ms));
        }
        Ok(Done::Ended(Box::new(record), how))
    }
}

/// Whether a connection may give up its port: TCP that is over, UDP that has
/// been silent for half a minute, or for five seconds if it was not answered.
fn yields(state: Option<TcpState>, is_replied: bool, silent_ms: u64) -> bool {
    match state {
        Some(state) => matches!(state, TcpState::TimeWait | TcpState::Close),
        None => silent_ms + GRAIN_MS >= if is_replied { 30_000 } else { 5000 },
    }
}
