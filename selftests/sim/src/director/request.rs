// SPDX-License-Identifier: GPL-2.0

//! A packet without a connection: does a service want it, who serves it, and
//! from which port (`lvs_core/module/packet/request.rs` and below).

use super::{
    family::Family,
    flows::{Connection, Flows},
    head::Head,
    spaces::{triple, Lease, Triple},
    Director, Job, Note,
};
use crate::planted::Planted;
use lvs_engine::{
    conn::{Conn, Dir, Features, Method, Numbers, Protocol},
    drop_reason::DropReason,
    isn, laddr, persist,
    ports::Ranges,
    service::ServiceKey,
};
use lvs_table::ReadLock;
use lvs_wire::addr::{Address, Endpoint, Family as AnyFamily};

/// Who gets a connection.
struct Chosen {
    dest: usize,
    template: Option<usize>,
    port: u16,
    method: Method,
}

impl Director {
    /// Handles a packet that no connection was found for.
    pub(super) fn request<A: Family>(&self, job: Job<'_, A>) {
        let head = job.head;
        let Some(service) = self.wanted(head) else {
            return self.note(Note::Passed);
        };
        if !head.source.addr.is_host() {
            let reason = DropReason::BadHeader;
            return self.note(Note::Dropped { reason });
        }
        let opens = (head.flags.syn() || self.settings.sloppy_tcp) && !head.flags.rst();
        if head.protocol == Protocol::Tcp && !opens {
            return self.note(Note::Passed);
        }
        let chosen = match self.choose(service, head) {
            Ok(chosen) => chosen,
            Err(reason) => return self.note(Note::Dropped { reason }),
        };
        let family = AnyFamily::of(&self.dests.borrow()[chosen.dest].real.addr);
        let translated = matches!(chosen.method, Method::Nat | Method::Fullnat);
        if translated && family == AnyFamily::V4 {
            self.open(A::to_v4(self), job, service, chosen);
        } else {
            self.open(A::flows(self), job, service, chosen);
        }
    }

    fn wanted<A: Family>(&self, head: &Head<A>) -> Option<usize> {
        let services = self.services.borrow();
        let at = |port| {
            let key = ServiceKey::Address {
                protocol: u16::from(head.protocol.number()),
                addr: head.destination.addr.into(),
                port,
            };
            services.iter().position(|service| service.key == key)
        };
        at(head.destination.port).or_else(|| at(0))
    }

    fn choose<A: Family>(&self, service: usize, head: &Head<A>) -> Result<Chosen, DropReason> {
        let mut services = self.services.borrow_mut();
        let service_ref = &mut services[service];
        let config = service_ref.config;
        let asked = head.destination.port;
        let (dest, template) = if config.is_persistent() {
            let own_port = match service_ref.key {
                ServiceKey::Address { port, .. } => port,
                ServiceKey::Fwmark { .. } => 0,
            };
            let scope = match service_ref.key {
                ServiceKey::Address { protocol, addr, .. } => ServiceKey::Address {
                    protocol,
                    addr,
                    port: persist::template_port(own_port, asked),
                },
                mark => mark,
            };
            let client = persist::network(head.source.addr, config.netmask).into();
            let mut templates = self.templates.borrow_mut();
            let found = templates
                .find(client, scope, self.now())
                .filter(|(number, dest)| {
                    let mut dests = self.dests.borrow_mut();
                    let status = dests[*dest].status();
                    let quiet = status.weight == 0 && self.settings.expire_quiescent_template;
                    let holds = status.available && !quiet;
                    if !holds {
                        templates.remove(*number);
                        dests[*dest].templates -= 1;
                    }
                    holds && !self.has(Planted::Template)
                });
            match found {
                Some((number, dest)) => (dest, Some(number)),
                None => {
                    let dest = self.schedule(service, service_ref, head)?;
                    self.dests.borrow_mut()[dest].templates += 1;
                    let number = templates.add(client, scope, dest, config.timeout, self.now());
                    (dest, Some(number))
                }
            }
        } else {
            (self.schedule(service, service_ref, head)?, None)
        };
        let dests = self.dests.borrow();
        let (pool, locals) = (self.default_pool.borrow(), self.locals.borrow());
        Ok(Chosen {
            dest,
            template,
            port: match dests[dest].real.port {
                0 => asked,
                port => port,
            },
            method: service_ref.method(&dests[dest], &pool, &locals),
        })
    }

    fn schedule<A: Family>(
        &self,
        number: usize,
        service: &mut super::service::Service,
        head: &Head<A>,
    ) -> Result<usize, DropReason> {
        let dests = self.dests.borrow();
        let client = head.source.any();
        let cursor = service.cursor;
        let chosen = service.schedule(&dests, client, head.destination.addr.into());
        if self.has(Planted::Turn) {
            service.cursor = cursor;
        }
        let candidates = service.dests.iter().map(|at| {
            let dest = &dests[*at];
            (
                *at,
                dest.config.weight,
                (dest.active, dest.total - dest.active),
            )
        });
        self.note(Note::Scheduled {
            service: number,
            client,
            chosen,
            candidates: candidates.collect(),
        });
        chosen.ok_or(DropReason::NoDestination)
    }

    fn open<C: Family, S: Family>(
        &self,
        flows: &Flows<C, S>,
        job: Job<'_, C>,
        service: usize,
        chosen: Chosen,
    ) {
        let head = job.head;
        let real = self.dests.borrow()[chosen.dest].real.addr;
        let addr = S::from_any(real).unwrap_or(S::UNSPECIFIED);
        let real = Endpoint::new(addr, chosen.port);
        let plain = match chosen.method {
            Method::Fullnat => None,
            method => Conn::plain(
                head.protocol,
                method,
                head.source,
                head.destination,
                real,
                head.seq,
            ),
        };
        let (conn, local) = match plain {
            Some(conn) => (conn, None),
            None => match self.fullnat(job.rcu, flows, service, real, head) {
                Ok((conn, local)) => (conn, Some(local)),
                Err(reason) => return self.note(Note::Dropped { reason }),
            },
        };
        let serial = self.serial.get();
        self.serial.set(serial + 1);
        let held = (chosen.dest, local, chosen.template);
        let new = Connection::new(conn, serial, conn.start(self.now()), held);
        let entry = flows.insert(self, job.rcu, new);
        let snapshot = flows.step(self, entry, &head.segment(Dir::In));
        self.to_server(job, &entry, snapshot);
    }

    fn fullnat<C: Family, S: Family>(
        &self,
        rcu: &ReadLock,
        flows: &Flows<C, S>,
        service: usize,
        real: Endpoint<S>,
        head: &Head<C>,
    ) -> Result<(Conn<C, S>, usize), DropReason> {
        let (local, addr, lease) = self.lease(rcu, flows, service, real, head.protocol)?;
        // One line of numbers for all ports of a local address and a server.
        let words = addr.to_words().into_iter().chain(real.addr.to_words());
        let hash = words
            .chain([u32::from(real.port)])
            .fold(self.isn_key, |hash, word| {
                (hash ^ u64::from(word))
                    .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                    .rotate_left(23)
            });
        let generated = isn::generate(self.date_ns(), hash as u32);
        let numbers = Numbers {
            client_isn: head.seq,
            isn: isn::choose(
                generated,
                lease.sequence.filter(|_| !self.has(Planted::OldNumber)),
            ),
        };
        let features = Features {
            toa: self.settings.toa,
            lower_mss: self.settings.lower_mss,
            fast_open: false,
            strip_timestamps: self.settings.timestamps.strip(lease.last_used, self.now())
                && !self.has(Planted::OldStamps),
        };
        let source = Endpoint::new(addr, lease.port);
        let (client, virt) = (head.source, head.destination);
        let conn = Conn::fullnat(head.protocol, client, virt, source, real, numbers, features);
        Ok((conn, local))
    }

    fn lease<C: Family, S: Family>(
        &self,
        rcu: &ReadLock,
        flows: &Flows<C, S>,
        service: usize,
        real: Endpoint<S>,
        protocol: Protocol,
    ) -> Result<(usize, S, Lease), DropReason> {
        let turn = {
            let mut services = self.services.borrow_mut();
            let (locals, mut default) = (self.locals.borrow(), self.default_pool.borrow_mut());
            let service = &mut services[service];
            match service.pool(S::FAMILY, &default, &locals) {
                None => return Err(DropReason::NoLocalAddress),
                Some(laddr::Pool::Service) => service.pool.in_turn(S::FAMILY, &locals),
                Some(laddr::Pool::Default) => default.in_turn(S::FAMILY, &locals),
            }
        };
        let mut oldest = None;
        for local in turn {
            let (addr, ranges) = self.ports_of::<S>(local);
            let triple = triple(protocol, addr.into(), real.any());
            match self.port(triple, &ranges) {
                Ok(lease) => return Ok((local, addr, lease)),
                Err(port) => {
                    oldest.get_or_insert((local, addr, ranges, triple, port));
                }
            }
        }
        // All are full: one that is over but for its wait makes room.
        let (local, addr, ranges, triple, port) = oldest.ok_or(DropReason::NoLocalAddress)?;
        if flows.evict(self, rcu, (protocol, addr, real), &ranges, port) {
            if let Ok(lease) = self.port(triple, &ranges) {
                return Ok((local, addr, lease));
            }
        }
        Err(DropReason::PortsExhausted)
    }

    fn port(&self, triple: Triple, ranges: &Ranges) -> Result<Lease, u16> {
        let mut spaces = self.spaces.borrow_mut();
        let mut lease = spaces.lease(triple, ranges, self.random())?;
        if self.has(Planted::SharedPort) {
            lease.port = spaces
                .in_use_beside(&triple, ranges, lease.port)
                .unwrap_or(lease.port);
        }
        Ok(lease)
    }

    fn ports_of<S: Address>(&self, local: usize) -> (S, Ranges) {
        let local = &self.locals.borrow()[local];
        let ranges = if local.dedicated {
            Ranges::DEDICATED
        } else {
            self.settings.ports
        };
        (
            S::from_any(local.addr).expect("a member of the family"),
            ranges,
        )
    }
}
