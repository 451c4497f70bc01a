// SPDX-License-Identifier: GPL-2.0

//! What comes of a packet that arrives, and of a director's second.

use super::{Event, Place, World};
use crate::{
    director::{How, Note},
    inet::{self, Check, View, L4, RST},
    network::Frame,
    oracle::{law, Cause, Done, Record},
    talk::{Mishap, Told},
    tcp::refusal,
};
use lvs_engine::{conn::Method, drop_reason::DropReason};

impl World {
    pub(super) fn arrive(&mut self, place: Place, frame: Frame) -> Result<(), String> {
        match place {
            Place::Director(number) => self.direct(number, frame),
            Place::Client(_) | Place::Server(_) => {
                let Ok(view) = View::read(&frame.bytes) else {
                    return self.unreadable(&frame);
                };
                if let (L4::Other(_), Check::Right) = (&view.l4, view.check) {
                    return self.error_arrives(place, &view, frame.tag);
                }
                self.tell(frame.tag, || {
                    format!("{place:?} gets {}", inet::line(&frame.bytes))
                });
                if view.check == Check::Wrong && !frame.is_damaged {
                    return Err(format!("{place:?} gets a wrong checksum"));
                }
                if view.check == Check::Right && frame.is_damaged {
                    return Err(format!(
                        "{place:?} gets a damaged packet, with a right checksum"
                    ));
                }
                self.ask(place, |host, asked| host.packet(&view, frame.tag, asked))
            }
        }
    }

    fn unreadable(&mut self, frame: &Frame) -> Result<(), String> {
        self.tally.add("hosts: headers that nobody takes");
        match frame.is_damaged {
            true => Ok(()),
            false => Err("an undamaged packet cannot be read".into()),
        }
    }

    /// An ICMP error: it must be about something that this host has sent.
    fn error_arrives(&mut self, place: Place, view: &View, tag: u32) -> Result<(), String> {
        self.tally.add("hosts: ICMP errors");
        let host = match place {
            Place::Client(number) => &self.clients[number],
            Place::Server(number) => &self.servers[number],
            Place::Director(_) => return Ok(()),
        };
        let inner = law::embedded(&view.payload).ok_or("an ICMP error about nothing")?;
        let socket = host
            .socket(inner.ends.0, inner.ends.1)
            .filter(|_| inner.is_tcp);
        if let Some(socket) = socket {
            let is_same = socket.tag == tag && self.talks[tag as usize].is_untroubled();
            if is_same && !socket.may_have_sent(inner.second) {
                let number = inner.second;
                return Err(format!(
                    "{place:?} hears of number {number}, which it never sent"
                ));
            }
            self.tally
                .add("hosts: ICMP errors about a connection that is there");
        }
        Ok(())
    }

    /// A packet at a director: its stack first, then the balancer.
    fn direct(&mut self, number: usize, frame: Frame) -> Result<(), String> {
        self.tell(frame.tag, || {
            format!("director {number} gets {}", inet::line(&frame.bytes))
        });
        let mut bytes = frame.bytes.clone();
        let view = View::read(&bytes);
        // Whoever is addressed: `via` is the way only.
        let through = frame.via.is_some();
        if through && (view.is_err() || !inet::hop(&mut bytes)) {
            return self.unreadable(&frame);
        }
        let view = match view {
            Ok(view) => Some(view),
            // The stack drops what is damaged in the IP header; what is behind
            // it the balancer has to read itself.
            Err(why) if why.contains("IP") => return self.unreadable(&frame),
            Err(_) => None,
        };
        // As it came to the hook.
        let seen = view.clone().map(|view| View {
            ttl: view.ttl - u8::from(through),
            ..view
        });
        self.directors[number].packet(&bytes, through);
        let cause = Cause {
            view: seen.as_ref(),
            tag: frame.tag,
            through,
            is_damaged: frame.is_damaged,
            now_ms: self.now_ms(),
        };
        self.follow(number, &cause, Some(&frame))
    }

    /// Does what a director's notes say, if it may be.
    fn follow(
        &mut self,
        number: usize,
        cause: &Cause<'_>,
        frame: Option<&Frame>,
    ) -> Result<(), String> {
        let notes = self.directors[number].notes();
        if frame.is_some() && !notes.iter().any(Note::is_an_end) {
            return Err("nothing becomes of the packet".into());
        }
        let mut moves = frame.is_none();
        for note in notes {
            let serial = note.serial();
            if let Some(record) = serial.and_then(|serial| self.books[number].live.get(&serial)) {
                // Of what a second's end brings the connection is known alone.
                if frame.is_none() {
                    self.at.0 = record.tag;
                }
                // Damage may have led the packet to another one's connection.
                if cause.is_damaged {
                    self.talks[record.tag as usize].befalls(Mishap::Corrupted);
                }
            }
            moves |= matches!(note, Note::Opened(_) | Note::Ended { .. });
            let done = self.books[number].take(note, cause, &self.directors[number])?;
            match done {
                Done::Nothing => {}
                Done::Send {
                    bytes,
                    via,
                    tag,
                    is_copy,
                } => {
                    self.tally.add("director: packets sent");
                    let is_damaged = cause.is_damaged && is_copy;
                    self.send(Frame {
                        bytes,
                        tag,
                        is_damaged,
                        via: via.map(|real| real.addr),
                    });
                }
                Done::Opened(serial) => self.opened(number, serial, cause),
                Done::Lingers(serial) => {
                    self.tally.add("director: silent connections reset");
                    let tag = self.books[number].live[&serial].tag;
                    // The network may have lost some of it already.
                    let talk = &mut self.talks[tag as usize];
                    talk.told_both = talk.is_untroubled() && talk.lost == 0;
                    self.tell(tag, || format!("director {number} resets both ends"));
                }
                Done::Ended(record, how) => self.ended(number, &record, how, cause)?,
                Done::Passed => self.passed(cause, frame)?,
                Done::Dropped(reason) => self.dropped(number, reason, cause)?,
            }
        }
        let (book, director) = (&self.books[number], &self.directors[number]);
        book.audit(director, cause.now_ms)?;
        match moves {
            true => book.audit_ports(director),
            false => Ok(()),
        }
    }

    fn opened(&mut self, number: usize, serial: u64, cause: &Cause<'_>) {
        let opened = self.books[number].live[&serial].opened.clone();
        let (method, version) = (
            opened.method,
            if opened.client.addr.is_ipv4() { 4 } else { 6 },
        );
        let server = if opened.real.addr.is_ipv4() { 4 } else { 6 };
        let protocol = if opened.is_tcp { "TCP" } else { "UDP" };
        self.tally.add(format!(
            "opened: {method:?} {protocol} v{version} to v{server}"
        ));
        self.tell(cause.tag, || format!("director {number} opens {opened:?}"));
        let talk = &mut self.talks[cause.tag as usize];
        talk.told = match method {
            _ if cause.is_damaged => Told::Unknown,
            Method::Fullnat if opened.has_toa => Told::Client,
            Method::Fullnat | Method::Nat => Told::Nothing,
            _ => Told::Unknown,
        };
    }

    fn ended(
        &mut self,
        number: usize,
        record: &Record,
        how: How,
        cause: &Cause<'_>,
    ) -> Result<(), String> {
        self.tally.add(format!("director: connections {how:?}"));
        let opened = &record.opened;
        self.tell(record.tag, || {
            format!("director {number}: {how:?} {opened:?}")
        });
        if how == How::Restarted {
            self.talks[cause.tag as usize].befalls(Mishap::Reuse);
        }
        let talk = &mut self.talks[record.tag as usize];
        if how == How::Expired && record.lingers && talk.told_both {
            self.check_told(record)?;
        }
        if how == How::Expired && self.talks[record.tag as usize].goes_on() {
            self.at.0 = record.tag;
            return Err(format!(
                "{opened:?} expired in the midst of its conversation"
            ));
        }
        // A later conversation may have the same ports as the one that opened it.
        for talk in self.talks.iter_mut().rev().take(2000) {
            if (talk.client, talk.virt) == (opened.client, opened.virt) && talk.outcome.is_none() {
                talk.befalls(Mishap::Expired);
            }
        }
        let is_told = self.talks[record.tag as usize].outcome;
        if is_told.is_none() {
            self.talks[record.tag as usize].befalls(Mishap::Expired);
        }
        Ok(())
    }

    /// What the balancer does not want goes on to the director's own stack, or
    /// through it.
    fn passed(&mut self, cause: &Cause<'_>, frame: Option<&Frame>) -> Result<(), String> {
        let (Some(view), Some(frame)) = (cause.view, frame) else {
            return Ok(());
        };
        self.tally.add("director: packets passed on");
        let talk = &mut self.talks[cause.tag as usize];
        let damaged = cause.is_damaged || view.check == Check::Wrong;
        let Some(tcp) = view.tcp().filter(|_| !damaged) else {
            return Ok(());
        };
        // Nobody has a connection for it: that must have a reason. A client's
        // last words after the end are one.
        let is_late = talk.outcome.is_some() || tcp.flags & RST != 0;
        if talk.is_untroubled() && !is_late && !self.is_known_elsewhere(cause.tag) {
            return Err("no connection was found for the packet".into());
        }
        if cause.through {
            let mut bytes = frame.bytes.clone();
            inet::hop(&mut bytes);
            self.send(Frame {
                bytes,
                via: None,
                ..frame.clone()
            });
        } else if tcp.flags & RST == 0 {
            let bytes = refusal(view, tcp).write();
            self.send(Frame {
                bytes,
                tag: cause.tag,
                is_damaged: false,
                via: None,
            });
        }
        Ok(())
    }

    /// Whether the client has given up before any connection was opened.
    fn is_known_elsewhere(&self, tag: u32) -> bool {
        let talk = &self.talks[tag as usize];
        super::is_gone(talk.ending)
    }

    /// Whether there was a reason to drop a packet.
    fn dropped(
        &mut self,
        number: usize,
        reason: DropReason,
        cause: &Cause<'_>,
    ) -> Result<(), String> {
        self.tally.add(format!("dropped: {}", reason.name()));
        self.tell(cause.tag, || {
            format!("director {number} drops it: {}", reason.name())
        });
        let director = &self.directors[number];
        let service = cause.view.and_then(|view| {
            let services = director.services.borrow();
            let virt = view.dst;
            services
                .iter()
                .position(|service| super::build::virt_of(&service.key) == virt)
        });
        let (mishap, right) = match reason {
            DropReason::DestinationGone => {
                let dests = director.dests.borrow();
                let gone = dests.iter().any(|dest| !dest.available);
                (Mishap::NoServer, gone)
            }
            // Shares has seen the candidates.
            DropReason::NoDestination => (Mishap::NoServer, true),
            DropReason::NoLocalAddress => (
                Mishap::NoPort,
                service.is_some_and(|at| self.has_no_local(number, at)),
            ),
            DropReason::PortsExhausted => (Mishap::NoPort, self.is_dry(number, service)),
            DropReason::BadHeader | DropReason::Truncated => (Mishap::Corrupted, cause.is_damaged),
            // Errors about what cannot be said in the other family.
            DropReason::NoCounterpart | DropReason::BadIcmp => return Ok(()),
            _ => (Mishap::Loss, false),
        };
        if !right {
            return Err(format!("dropped for {} without a reason", reason.name()));
        }
        self.talks[cause.tag as usize].befalls(mishap);
        Ok(())
    }

    /// Whether there is no local address towards some server of a service.
    fn has_no_local(&self, number: usize, service: usize) -> bool {
        let director = &self.directors[number];
        let services = director.services.borrow();
        let (locals, dests) = (director.locals.borrow(), director.dests.borrow());
        let default = director.default_pool.borrow();
        let service = &services[service];
        let pools = service.pool.members.iter().chain(&default.members);
        let locals: Vec<_> = pools.map(|at| locals[*at].addr.is_ipv4()).collect();
        let mut reals = service
            .dests
            .iter()
            .map(|at| dests[*at].real.addr.is_ipv4());
        reals.any(|is_ipv4| !locals.contains(&is_ipv4))
    }

    /// Whether some server of a service has all ports of a local address in use.
    fn is_dry(&self, number: usize, service: Option<usize>) -> bool {
        let (director, book) = (&self.directors[number], &self.books[number]);
        let Some(service) = service else {
            return false;
        };
        let services = director.services.borrow();
        let (locals, dests) = (director.locals.borrow(), director.dests.borrow());
        let service = &services[service];
        let is_tcp = super::build::is_tcp(&service.key);
        let default = director.default_pool.borrow();
        let pools = service.pool.members.iter().chain(&default.members);
        let locals: Vec<_> = pools.map(|at| &locals[*at]).collect();
        let ports = director.settings.ports.count();
        dests.iter().any(|dest| {
            let same = |addr: std::net::IpAddr| addr.is_ipv4() == dest.real.addr.is_ipv4();
            let mut of_family = locals.iter().filter(|local| same(local.addr));
            of_family.any(|local| {
                !local.dedicated && book.ports_of(local.addr, is_tcp, dest.real) >= ports
            })
        })
    }

    pub(super) fn tick(&mut self, number: usize) -> Result<bool, String> {
        self.directors[number].tick();
        let cause = Cause {
            view: None,
            tag: 0,
            through: false,
            is_damaged: false,
            now_ms: self.now_ms(),
        };
        self.follow(number, &cause, None)?;
        if self.is_busy() {
            self.queue.after(1_000_000, Event::Tick(number));
        }
        Ok(true)
    }
}
