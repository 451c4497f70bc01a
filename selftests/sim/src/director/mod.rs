// SPDX-License-Identifier: GPL-2.0

//! [`Director`]: the load balancer: the engine, the wire crate and the table
//! as they are compiled into the module, and glue that asks them in the
//! module's order (`lvs_core/module/packet`).
//!
//! What a kernel has besides is left out: hooks other than where requests,
//! replies and forwarded packets are met, routes (all lead somewhere, with one
//! MTU), offloads, tunnels, fragments, and who is root.

mod expiry;
pub(crate) mod family;
mod flows;
mod forward;
mod head;
mod icmp;
mod note;
mod request;
mod rewrite;
pub(crate) mod service;
mod spaces;
mod templates;

use crate::{planted::Planted, rng::Rng};
use family::Family;
use flows::{Connection, Flows};
use head::Head;
use lvs_engine::{
    conn::{Dir, ReusePolicy, Snapshot},
    isn::Timestamps,
    ports::{PortSet, Ranges},
    time::Ticks,
    timeouts::Timeouts,
};
use lvs_table::ReadLock;
use lvs_wire::{addr::Address, ip::TtlStep};
pub(crate) use note::{How, Note, Opened};
use service::{Dest, Local, Pool, Service};
use spaces::{Spaces, Triple};
use std::{
    cell::{Cell, RefCell},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};
use templates::Templates;

/// What a namespace's settings say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) reuse: ReusePolicy,
    pub(crate) ports: Ranges,
    pub(crate) timestamps: Timestamps,
    pub(crate) toa: bool,
    pub(crate) lower_mss: bool,
    pub(crate) sloppy_tcp: bool,
    pub(crate) expire_rst: bool,
    pub(crate) expire_quiescent_template: bool,
    /// The chains of the table hold 2^this links.
    pub(crate) conn_lfactor: i32,
}

pub(crate) struct Director {
    pub(crate) vips: Vec<IpAddr>,
    pub(crate) v4: Flows<Ipv4Addr>,
    pub(crate) v6: Flows<Ipv6Addr>,
    pub(crate) v64: Flows<Ipv6Addr, Ipv4Addr>,
    pub(crate) services: RefCell<Vec<Service>>,
    /// Every server there ever was; services name them by number.
    pub(crate) dests: RefCell<Vec<Dest>>,
    pub(crate) locals: RefCell<Vec<Local>>,
    pub(crate) default_pool: RefCell<Pool>,
    spaces: RefCell<Spaces>,
    templates: RefCell<Templates>,
    pub(crate) timeouts: Cell<Timeouts>,
    pub(crate) settings: Settings,
    lport_tries: usize,
    notes: RefCell<Vec<Note>>,
    serial: Cell<u64>,
    now_ms: Cell<u64>,
    /// What the clocks stood at when the run began.
    uptime_ms: u64,
    date_ns: Cell<u64>,
    was_set_back: Cell<bool>,
    isn_key: u64,
    planted: Option<Planted>,
    rng: RefCell<Rng>,
}

/// Which hook asks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// What is addressed to the director.
    Local,
    /// What is routed through it; forwarding has counted the hop.
    Through,
}

impl Place {
    fn hop(self) -> TtlStep {
        match self {
            Self::Local => TtlStep::Decrement,
            Self::Through => TtlStep::Keep,
        }
    }
}

/// A packet, and all that is known of it.
struct Job<'a, A> {
    bytes: Vec<u8>,
    head: &'a Head<A>,
    place: Place,
    rcu: &'a ReadLock,
}

impl Director {
    pub(crate) fn new(
        vips: Vec<IpAddr>,
        settings: Settings,
        timeouts: Timeouts,
        lport_tries: usize,
        planted: Option<Planted>,
        rng: &mut Rng,
    ) -> Self {
        let mut rng = rng.fork();
        // Up to 17 years: what is compared by wrapped difference may be on
        // either side of the sign.
        let uptime_ms = rng.range(0, 250 << 31);
        let now = Ticks::from_millis(uptime_ms);
        Self {
            vips,
            v4: Flows::new(rng.u64(), now),
            v6: Flows::new(rng.u64(), now),
            v64: Flows::new(rng.u64(), now),
            services: RefCell::default(),
            dests: RefCell::default(),
            locals: RefCell::default(),
            default_pool: RefCell::default(),
            spaces: RefCell::default(),
            templates: RefCell::default(),
            timeouts: Cell::new(timeouts),
            settings,
            lport_tries,
            notes: RefCell::default(),
            serial: Cell::new(1),
            now_ms: Cell::new(0),
            uptime_ms,
            date_ns: Cell::new(rng.u64() >> 4),
            was_set_back: Cell::new(false),
            isn_key: rng.u64(),
            planted,
            rng: RefCell::new(rng),
        }
    }

    /// Whether it has that fault.
    fn has(&self, planted: Planted) -> bool {
        self.planted == Some(planted)
    }

    /// Sets the clock.
    pub(crate) fn set_now(&self, now_ms: u64) {
        self.now_ms.set(now_ms);
    }

    fn now(&self) -> Ticks {
        Ticks::from_millis(self.uptime_ms + self.now_ms.get())
    }

    fn date_ns(&self) -> u64 {
        self.date_ns.get() + self.now_ms.get() * 1_000_000
    }

    /// Somebody sets the time of day back, once: numbers that are half their
    /// range apart, 137 seconds of the generator, have no order any more.
    pub(crate) fn set_back(&self, seconds: u64) -> bool {
        if self.was_set_back.replace(true) {
            return false;
        }
        let date_ns = self.date_ns.get();
        self.date_ns
            .set(date_ns.saturating_sub(seconds * 1_000_000_000));
        true
    }

    /// How many chains the largest table has.
    pub(crate) fn largest_table(&self) -> usize {
        self.v4.size().max(self.v6.size()).max(self.v64.size())
    }

    fn random(&self) -> u32 {
        self.rng.borrow_mut().u32()
    }

    fn note(&self, note: Note) {
        self.notes.borrow_mut().push(note);
    }

    /// What has been done since it was asked last.
    pub(crate) fn notes(&self) -> Vec<Note> {
        std::mem::take(&mut *self.notes.borrow_mut())
    }

    /// How many connections there are.
    pub(crate) fn len(&self) -> usize {
        self.v4.len() + self.v6.len() + self.v64.len()
    }

    /// Calls `each` for the ports of each local address and server, until one
    /// is wrong.
    pub(crate) fn for_each_space(
        &self,
        mut each: impl FnMut(&Triple, &PortSet<Box<[u64; 1024]>>) -> Result<(), String>,
    ) -> Result<(), String> {
        let spaces = self.spaces.borrow();
        let mut all = spaces.iter();
        all.try_for_each(|(triple, set)| each(triple, set))
    }

    /// How many templates there are.
    pub(crate) fn templates_len(&self) -> usize {
        self.templates.borrow().len()
    }

    /// Calls `each` with serial number and state of every connection.
    pub(crate) fn for_each(&self, mut each: impl FnMut(u64, Snapshot)) {
        self.v4
            .for_each(|entry| each(entry.serial, entry.snapshot()));
        self.v6
            .for_each(|entry| each(entry.serial, entry.snapshot()));
        self.v64
            .for_each(|entry| each(entry.serial, entry.snapshot()));
    }

    /// A packet that its host's stack has found sound, up to the transport
    /// header. `through`: it is addressed to somebody else.
    pub(crate) fn packet(&self, bytes: &[u8], through: bool) {
        let place = if through {
            Place::Through
        } else {
            Place::Local
        };
        match bytes.first().map(|byte| byte >> 4) {
            Some(4) => self.handle::<Ipv4Addr>(bytes, place),
            _ => self.handle::<Ipv6Addr>(bytes, place),
        }
    }

    fn handle<A: Family>(&self, bytes: &[u8], place: Place) {
        let rcu = &ReadLock::new();
        let Ok(ip) = A::parse(bytes) else {
            return self.note(Note::Passed);
        };
        if ip.protocol == A::ICMP {
            return self.error::<A>(rcu, bytes, place, ip);
        }
        let head = match Head::read(bytes, ip) {
            Ok(head) => head,
            Err(Some(reason)) if place == Place::Local => {
                return self.note(Note::Dropped { reason });
            }
            Err(_) => return self.note(Note::Passed),
        };
        let job = Job {
            bytes: bytes.to_vec(),
            head: &head,
            place,
            rcu,
        };
        let (protocol, src, dst) = (head.protocol, head.source, head.destination);
        let flows = A::flows(self);
        match flows.find(rcu, protocol, src, dst) {
            Some((entry, Dir::In)) => return self.of_client(flows, job, entry),
            Some((entry, Dir::Out)) => return self.of_server(flows, job, entry),
            None => {}
        }
        // It may be of a connection between families, or of none yet.
        if A::LEN == 4 {
            let flows = A::from_v6(self);
            if let Some(entry) = flows.find_server(rcu, protocol, src, dst) {
                return self.of_server(flows, job, entry);
            }
        } else {
            let flows = A::to_v4(self);
            if let Some(entry) = flows.find_client(rcu, protocol, src, dst) {
                return self.of_client(flows, job, entry);
            }
        }
        match place {
            Place::Local => self.request(job),
            Place::Through => self.note(Note::Passed),
        }
    }

    /// A connection is about to be found.
    fn opened<C: Address, S: Address>(&self, new: &Connection<C, S>) {
        let conn = &new.conn;
        self.dests.borrow_mut()[new.dest].total += 1;
        if let Some(local) = new.local {
            self.locals.borrow_mut()[local].conns += 1;
        }
        if let Some(template) = new.template {
            self.templates.borrow_mut().opened(template);
        }
        self.note(Note::Opened(Box::new(Opened {
            serial: new.serial,
            is_tcp: conn.protocol.number() == 6,
            method: conn.method,
            client: conn.client.any(),
            virt: conn.virt.any(),
            local: conn.local.any(),
            real: conn.real.any(),
            dest: new.dest,
            local_number: new.local,
            has_toa: conn.has_toa(),
            mss_lower: conn.mss_lower,
        })));
    }
}
