// SPDX-License-Identifier: GPL-2.0

//! Ports: taken for a connection, given back when it loses a race or ends, and
//! taken again.
//!
//! The source is the glue's own (`spaces.rs`, `conns/flows.rs`,
//! `conns/connection.rs`). Ports have no atomics: they are under their
//! bucket's lock, which is loom's here. What is modelled is what happens
//! between two times that it is held.

use crate::{
    conns::{at_second, flows, now, Connection, Flows, Last, NewConnection},
    dests::Dest,
    locals::Local,
    rcu::ReadLock,
    spaces::{Refusal, Spaces, Triple},
};
use core::net::Ipv4Addr;
use loom::thread;
use lvs_engine::{
    conn::{Conn, Dir, Features, Numbers, Protocol, Segment},
    ports::Ranges,
    tcp::Flags,
    timeouts::Timeouts,
};
use lvs_table::{model::check, Ref};
use lvs_wire::addr::Endpoint;
use std::sync::Arc;

const VIP: Endpoint<Ipv4Addr> = end(1, 80);
const SERVER: Endpoint<Ipv4Addr> = end(2, 8080);
const FIRST_PORT: u16 = 2000;
const T: &Timeouts = &Timeouts::DEFAULT;

const fn end(host: u8, port: u16) -> Endpoint<Ipv4Addr> {
    Endpoint {
        addr: Ipv4Addr::new(192, 0, 2, host),
        port,
    }
}

/// A director with two local addresses, one server, and few ports.
struct Director {
    flows: Flows<Ipv4Addr>,
    dest: Arc<Dest>,
    locals: [Arc<Local>; 2],
    ranges: Ranges,
}

type Entry<'r> = Ref<'r, Connection<Ipv4Addr>>;

impl Director {
    /// With so many ports for each local address.
    fn new(ports: u16) -> Arc<Self> {
        at_second(1);
        let spaces = Arc::new(Spaces::new().unwrap());
        Arc::new(Self {
            flows: flows(spaces),
            dest: Arc::new(Dest::new(SERVER.any())),
            locals: Default::default(),
            ranges: Ranges::new(FIRST_PORT, FIRST_PORT + ports - 1).unwrap(),
        })
    }

    fn triple(local: u8) -> Triple {
        Triple {
            protocol: Protocol::Tcp,
            local: Self::local(local, 0).addr.into(),
            real: SERVER.any(),
        }
    }

    fn local(local: u8, port: u16) -> Endpoint<Ipv4Addr> {
        end(10 + local, port)
    }

    /// Takes a port, that of a connection which is over if all are in use.
    fn lease(&self, rcu: &ReadLock, local: u8) -> Option<u16> {
        let triple = Self::triple(local);
        let lease = || {
            self.flows
                .spaces
                .lease(triple, &self.ranges, 0, |_| true)
                .map(|lease| lease.port)
        };
        match lease() {
            Err(Refusal::Exhausted(oldest)) => {
                let evicted = self.flows.evict(rcu, &triple, &self.ranges, oldest, 4);
                evicted.then(|| lease().ok()).flatten()
            }
            port => port.ok(),
        }
    }

    /// Opens the connection of a client; its port, or none if there is none or
    /// another CPU was faster.
    fn open(&self, client: u16, local: u8) -> Option<u16> {
        let rcu = ReadLock::new();
        let port = self.lease(&rcu, local)?;
        let conn = Conn::fullnat(
            Protocol::Tcp,
            end(3, client),
            VIP,
            Self::local(local, port),
            SERVER,
            Numbers::default(),
            Features::default(),
        );
        let new = NewConnection {
            first: conn.start(now()),
            conn,
            dest: self.dest.clone(),
            local: Some(self.locals[usize::from(local)].clone()),
            control: None,
        };
        match self.flows.insert(&rcu, new, T) {
            Ok(_) => Some(port),
            Err(Some(other)) => {
                assert_eq!(other.conn.client, end(3, client));
                None
            }
            Err(None) => unreachable!("a model has memory"),
        }
    }

    fn of_server<'r>(&'r self, rcu: &'r ReadLock, local: u8, port: u16) -> Option<Entry<'r>> {
        let local = Self::local(local, port);
        self.flows.find_server(rcu, Protocol::Tcp, SERVER, local)
    }

    /// The server resets what it has from a local port.
    fn reset(&self, local: u8, port: u16) {
        let rcu = ReadLock::new();
        let segment = Segment {
            dir: Dir::Out,
            flags: Flags::RST,
            seq: 1,
            ack: 0,
            payload_len: 0,
            rare_options: false,
        };
        if let Some(entry) = self.of_server(&rcu, local, port) {
            self.flows.step(entry, &segment, now(), T);
        }
    }

    fn expire(&self) {
        self.flows.expire(T, 8, |_, _| Last::Ends, |_| ());
    }

    /// At the end, with nobody else at it: each connection has a port of its
    /// own, which is taken, and no other port is; each is counted once.
    fn adds_up(&self, conns: usize) {
        assert_eq!(self.flows.len(), conns);
        assert_eq!(self.dest.conns() as usize, conns, "the server's");
        let rcu = ReadLock::new();
        for local in 0..2 {
            let mut live = Vec::new();
            let mut index = 0;
            while self.flows.for_each_in(&rcu, index, |entry| {
                if entry.conn.local.addr == Self::local(local, 0).addr {
                    live.push(entry.conn.local.port);
                }
            }) {
                index += 1;
            }
            let counted = self.locals[usize::from(local)].conns();
            assert_eq!(counted as usize, live.len(), "the local address's");
            // What is left to take is all the others.
            let mut ports = live.clone();
            while let Ok(lease) =
                self.flows
                    .spaces
                    .lease(Self::triple(local), &self.ranges, 0, |_| true)
            {
                assert!(!ports.contains(&lease.port), "a port given out twice");
                ports.push(lease.port);
            }
            assert_eq!(ports.len(), self.ranges.count() as usize, "a port lost");
            for port in live {
                let found = self.of_server(&rcu, local, port).expect("a reply finds it");
                assert_eq!(found.conn.local.port, port);
            }
        }
    }
}

/// What `with` does with the director, in a thread of its own.
fn does<R: 'static>(
    director: &Arc<Director>,
    with: impl FnOnce(&Director) -> R + 'static,
) -> thread::JoinHandle<R> {
    let director = director.clone();
    thread::spawn(move || with(&director))
}

#[test]
fn two_that_take_a_port_take_two() {
    check("take, take", 3, || {
        let director = Director::new(2);
        let there = does(&director, |director| director.open(1, 0));
        let here = director.open(2, 0);
        assert_ne!(here, there.join().unwrap());
        director.adds_up(2);
    });
}

#[test]
fn who_loses_a_race_gives_the_port_back() {
    check("take, lose a race, give back", 3, || {
        let director = Director::new(2);
        let there = does(&director, |director| director.open(1, 0));
        let here = director.open(1, 0);
        let there = there.join().unwrap();
        assert!(here.is_some() != there.is_some(), "one of them");
        director.adds_up(1);
    });
}

#[test]
fn a_port_that_expires_is_taken_once_more() {
    check("expire, take the last port", 3, || {
        let director = Director::new(1);
        let port = director.open(1, 0).unwrap();
        director.reset(0, port);
        at_second(1000);
        let expires = does(&director, Director::expire);
        // The port is free already, or whoever has it gives it up, or it is on
        // its way back.
        let taken = director.open(2, 0);
        expires.join().unwrap();
        director.adds_up(usize::from(taken.is_some()));
    });
}

#[test]
fn a_port_that_is_given_up_goes_to_one() {
    check("two take the last port", 3, || {
        let director = Director::new(1);
        let port = director.open(1, 0).unwrap();
        director.reset(0, port);
        let there = does(&director, |director| director.open(2, 0));
        let here = director.open(3, 0);
        let there = there.join().unwrap();
        assert!(here.is_none() || there.is_none());
        director.adds_up(usize::from(here.is_some() || there.is_some()));
    });
}

#[test]
fn what_is_forgotten_has_no_port_in_use() {
    check("forget, take", 3, || {
        let director = Director::new(2);
        let port = director.open(1, 0).unwrap();
        director.reset(0, port);
        at_second(1000);
        director.expire();
        at_second(2000);
        let forgets = does(&director, |director| director.flows.spaces.tidy(now()));
        let taken = director.open(2, 0);
        assert!(taken.is_some());
        forgets.join().unwrap();
        director.flows.spaces.tidy(now());
        director.adds_up(1);
    });
}

#[test]
fn what_is_given_up_by_others_is_given_back_once() {
    check("take, lose a race, be given up", 3, || {
        let director = Director::new(1);
        // The same client by two local addresses: one of them loses.
        let first = does(&director, |director| director.open(1, 0));
        let second = does(&director, |director| director.open(1, 1));
        // What the server still has from the port's last connection is reset,
        // and somebody else needs the port: all while it is hung in.
        director.reset(0, FIRST_PORT);
        let evicted = {
            let rcu = ReadLock::new();
            let (triple, ranges) = (Director::triple(0), director.ranges);
            director.flows.evict(&rcu, &triple, &ranges, FIRST_PORT, 1)
        };
        let first = first.join().unwrap().is_some() && !evicted;
        let second = second.join().unwrap().is_some();
        director.adds_up(usize::from(first) + usize::from(second));
    });
}
