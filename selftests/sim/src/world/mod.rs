// SPDX-License-Identifier: GPL-2.0

//! [`World`]: hosts, directors, the network between them and the order in which
//! things happen.

mod build;
mod change;
mod check;
mod deliver;

use crate::{
    config::Config,
    director::Director,
    host::{Asked, Host, Look, Sent},
    inet,
    network::{Frame, Network},
    oracle::{time::Times, Book},
    queue::Queue,
    rng::Rng,
    talk::{Ending, Mishap, Outcome, Talk},
    tally::Tally,
};
use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash},
    net::IpAddr,
};

/// What happens.
enum Event {
    /// A packet comes to a host or a director.
    Arrive(Place, Frame),
    /// A host is to look at something of its own.
    Look(Place, Look),
    /// A client begins a conversation.
    Begin,
    /// A director's second is over.
    Tick(usize),
    /// Somebody changes a configuration.
    Change,
}

/// Who owns an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Client(usize),
    Server(usize),
    Director(usize),
}

/// A service, as clients know it.
#[derive(Clone, Copy, Debug)]
struct Target {
    director: usize,
    virt: inet::End,
    is_tcp: bool,
}

pub(crate) struct World {
    config: Config,
    pub(crate) rng: Rng,
    queue: Queue<Event>,
    network: Network,
    clients: Vec<Host>,
    servers: Vec<Host>,
    /// The director that each server's packets to clients go through.
    gateways: Vec<usize>,
    directors: Vec<Director>,
    books: Vec<Book>,
    owners: BTreeMap<IpAddr, Place>,
    targets: Vec<Target>,
    times: Times,
    /// Number 0 is none.
    talks: Vec<Talk>,
    /// Microseconds between two beginnings of conversations.
    pace_us: u64,
    events: u64,
    over: bool,
    pub(crate) tally: Tally,
    /// Of all that happened, in its order: the same run has the same.
    pub(crate) trace: DefaultHasher,
    /// What happened to each conversation, if it is to be told.
    pub(crate) log: Option<Vec<Line>>,
    /// The conversation and the packet that are handled.
    at: (u32, Option<Frame>),
}

/// A line of the log.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) event: u64,
    pub(crate) now_us: u64,
    pub(crate) tag: u32,
    pub(crate) text: String,
}

/// What a failure is about.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) event: u64,
    pub(crate) tag: u32,
    pub(crate) what: String,
    pub(crate) packet: Option<Vec<u8>>,
}

impl World {
    fn now_ms(&self) -> u64 {
        self.queue.now_us() / 1000
    }

    fn tell(&mut self, tag: u32, text: impl FnOnce() -> String) {
        if let Some(log) = &mut self.log {
            log.push(Line {
                event: self.events,
                now_us: self.queue.now_us(),
                tag,
                text: text(),
            });
        }
    }

    /// Runs to the end.
    pub(crate) fn run(&mut self) -> Result<(), Fault> {
        let done = self.until_over().and_then(|()| self.check_end());
        done.map_err(|what| self.fault_here(what))
    }

    /// A fault in what is happening.
    pub(crate) fn fault_here(&mut self, what: String) -> Fault {
        Fault {
            event: self.events,
            tag: self.at.0,
            what,
            packet: self.at.1.take().map(|frame| frame.bytes),
        }
    }

    fn until_over(&mut self) -> Result<(), String> {
        while let Some(event) = self.queue.next() {
            self.at = (0, None);
            let now_ms = self.now_ms();
            self.queue.now_us().hash(&mut self.trace);
            for director in &self.directors {
                director.set_now(now_ms);
            }
            let counts = match event {
                Event::Arrive(place, frame) => {
                    self.at = (frame.tag, Some(frame.clone()));
                    self.arrive(place, frame)?;
                    true
                }
                Event::Look(place, look) => self.look(place, look)?,
                Event::Begin => self.begin()?,
                Event::Tick(number) => self.tick(number)?,
                Event::Change => self.change(),
            };
            self.events += u64::from(counts);
            if self.events == self.config.events && !self.over {
                self.over = true;
                self.tally
                    .add_many("events before the last conversation began", self.events);
            }
        }
        self.tally.add_many(
            "events after it",
            self.events.saturating_sub(self.config.events),
        );
        Ok(())
    }

    fn begin(&mut self) -> Result<bool, String> {
        if self.over {
            return Ok(false);
        }
        self.queue.after(
            self.rng.range(self.pace_us / 2, self.pace_us * 3 / 2),
            Event::Begin,
        );
        let target = *self.rng.pick(&self.targets);
        let number = self.rng.index(self.clients.len());
        let host = &mut self.clients[number];
        let mut addrs = host.addrs.iter();
        let addr = addrs.find(|addr| addr.is_ipv4() == target.virt.addr.is_ipv4());
        let addr = *addr.ok_or("a client without an address")?;
        let Some(client) = host.free_port(addr, target.virt) else {
            return Ok(false);
        };
        let mut talk = Talk::plan(&mut self.rng, client, target.virt, target.is_tcp);
        if self.known_from_before(&target, client) {
            talk.befalls(Mishap::Reuse);
        }
        let tag = self.talks.len() as u32;
        self.at = (tag, None);
        self.tally.add(match target.is_tcp {
            true => format!("begun: {:?}", talk.ending),
            false => "begun: datagrams".to_string(),
        });
        self.tell(tag, || format!("begins: {talk:?}"));
        self.talks.push(talk);
        self.ask(Place::Client(number), |host, asked| {
            host.begin(tag, asked);
            Ok(())
        })?;
        Ok(true)
    }

    /// Whether the director still has a connection with these ends.
    fn known_from_before(&self, target: &Target, client: inet::End) -> bool {
        let live = self.books[target.director].live.values();
        live.map(|record| &record.opened)
            .any(|opened| (opened.client, opened.virt) == (client, target.virt))
    }

    fn look(&mut self, place: Place, look: Look) -> Result<bool, String> {
        let mut counts = false;
        self.ask(place, |host, asked| {
            counts = host.look_at(look, asked)?;
            Ok(())
        })?;
        Ok(counts)
    }

    /// Lets a host do something, and sends what it sends.
    fn ask(
        &mut self,
        place: Place,
        what: impl FnOnce(&mut Host, &mut Asked<'_>) -> Result<(), String>,
    ) -> Result<(), String> {
        let now_ms = self.now_ms();
        let (host, from) = match place {
            Place::Client(number) => (&mut self.clients[number], None),
            Place::Server(number) => (&mut self.servers[number], Some(self.gateways[number])),
            Place::Director(_) => return Err("a director is no host".into()),
        };
        let (mut sent, mut looks) = (Vec::<Sent>::new(), Vec::new());
        let mut asked = Asked {
            now_ms,
            talks: &mut self.talks,
            sent: &mut sent,
            looks: &mut looks,
        };
        what(host, &mut asked)?;
        let own = host.addrs.clone();
        for (look, at_ms) in looks {
            let delay = (at_ms * 1000).saturating_sub(self.queue.now_us()).max(1000);
            self.queue.after(delay, Event::Look(place, look));
        }
        for (view, tag) in sent {
            // What a server sends from its own address to a client goes by its
            // gateway; what it sends from the virtual one knows a shorter way.
            let through = from.filter(|_| {
                let to_client = matches!(self.owners.get(&view.dst.addr), Some(Place::Client(_)));
                to_client && own.contains(&view.src.addr)
            });
            let frame = Frame {
                bytes: view.write(),
                tag,
                is_damaged: false,
                via: through.map(|director| self.directors[director].vips[0]),
            };
            self.send(frame);
        }
        Ok(())
    }

    /// Gives a packet to the network.
    fn send(&mut self, frame: Frame) {
        let (tag, bytes) = (frame.tag, frame.bytes.clone());
        bytes.hash(&mut self.trace);
        let fate = self.network.carry(frame);
        let mut words = Vec::new();
        let talk = &mut self.talks[tag as usize];
        for (is, word) in [
            (fate.is_lost, "lost"),
            (fate.is_damaged, "damaged"),
            (fate.is_doubled, "doubled"),
            (fate.is_late, "late"),
        ] {
            if is {
                self.tally.add(format!("network: {word}"));
                words.push(word);
            }
        }
        if fate.is_lost {
            talk.lost += 1;
        }
        if fate.is_damaged {
            talk.befalls(Mishap::Corrupted);
        }
        if fate.is_lost || fate.is_damaged {
            talk.told_both = false;
        }
        self.tell(tag, || {
            format!("sent {} {}", inet::line(&bytes), words.join(" "))
        });
        for (delay, frame) in fate.arrive {
            let Some(place) = self.destination(&frame) else {
                self.tally.add("network: to nobody");
                continue;
            };
            self.queue.after(delay, Event::Arrive(place, frame));
        }
    }

    fn destination(&self, frame: &Frame) -> Option<Place> {
        let addr = match frame.via {
            Some(via) => via,
            None => {
                let bytes = &frame.bytes;
                match bytes.first()? >> 4 {
                    4 => <[u8; 4]>::try_from(bytes.get(16..20)?).ok()?.into(),
                    _ => <[u8; 16]>::try_from(bytes.get(24..40)?).ok()?.into(),
                }
            }
        };
        self.owners.get(&addr).copied()
    }

    /// Whether anything is left that a second of a director would change.
    fn is_busy(&self) -> bool {
        let talking = self.talks.iter().skip(1).any(|talk| talk.outcome.is_none());
        let directors = self.directors.iter();
        !self.over
            || talking
            || directors
                .map(|d| d.len() + d.templates_len())
                .sum::<usize>()
                > 0
    }

    /// How conversations ended, and why those did not end as planned.
    fn count_talks(&mut self) {
        for talk in &self.talks[1..] {
            let outcome = talk.outcome.unwrap_or(Outcome::TimedOut);
            let kind = if talk.is_tcp { "TCP" } else { "UDP" };
            self.tally.add(format!("ended, {kind}: {outcome:?}"));
            if talk.is_untroubled() {
                self.tally.add(format!("untroubled, {kind}: {outcome:?}"));
            }
            for mishap in &talk.mishaps {
                self.tally.add(format!("mishap: {mishap:?}"));
            }
            self.tally
                .add_many("bytes read by servers", talk.server_got);
            self.tally
                .add_many("bytes read by clients", talk.client_got);
        }
    }
}

/// Whether a conversation's client is gone without waiting for an end.
fn is_gone(ending: Ending) -> bool {
    matches!(ending, Ending::Vanish | Ending::SynOnly)
}
