// SPDX-License-Identifier: GPL-2.0

//! What a seed makes of the world at its beginning.

use super::{Event, Place, Target, World};
use crate::{
    config::Config,
    director::{
        service::{Dest, Local, Service},
        Director, Settings,
    },
    host::Host,
    inet::End,
    network::{Network, Weather},
    oracle::{time::Times, Book},
    queue::Queue,
    rng::Rng,
    talk::{Outcome, Talk},
    tally::Tally,
};
use lvs_engine::{
    conn::{Method, ReusePolicy},
    dest::{DestConfig, Thresholds},
    isn::Timestamps,
    ports::Ranges,
    sched::Scheduler,
    service::{ServiceConfig, ServiceKey},
    timeouts::{Setting, Timeouts},
    tunnel::Tunnel,
};
use lvs_wire::netlink::ipvs::svc_flags;
use std::{
    collections::BTreeMap,
    hash::DefaultHasher,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Kinds of services: method, TCP, families of clients and servers, whether a
/// client stays with its server.
const KINDS: [(Method, bool, u8, u8, bool); 13] = [
    (Method::Fullnat, true, 4, 4, false),
    (Method::Fullnat, true, 4, 4, false),
    (Method::Fullnat, true, 6, 6, false),
    (Method::Fullnat, true, 6, 4, false),
    (Method::Fullnat, false, 4, 4, false),
    (Method::Fullnat, false, 6, 4, false),
    (Method::Fullnat, false, 6, 6, false),
    (Method::Fullnat, true, 4, 4, true),
    (Method::Nat, true, 4, 4, false),
    (Method::Nat, true, 6, 6, false),
    (Method::Nat, false, 4, 4, false),
    (Method::Droute, true, 4, 4, false),
    (Method::Droute, true, 6, 6, false),
];

fn addr(version: u8, net: u16, group: usize, number: usize) -> IpAddr {
    if version == 4 {
        Ipv4Addr::new(10, net as u8, group as u8, number as u8 + 1).into()
    } else {
        Ipv6Addr::new(0xfd00, net, group as u16, 0, 0, 0, 0, number as u16 + 1).into()
    }
}

const CLIENTS: u16 = 1;
const VIRTUAL: u16 = 2;
const LOCAL: u16 = 3;
const SERVERS: u16 = 4;

/// The virtual end of a service.
pub(super) fn virt_of(key: &ServiceKey) -> End {
    match key {
        ServiceKey::Address { addr, port, .. } => End::new(*addr, *port),
        ServiceKey::Fwmark { family, .. } => End::new(
            match family {
                lvs_wire::addr::Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
                lvs_wire::addr::Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
            },
            0,
        ),
    }
}

pub(super) fn is_tcp(key: &ServiceKey) -> bool {
    matches!(key, ServiceKey::Address { protocol: 6, .. })
}

fn times(rng: &mut Rng) -> (Times, Timeouts) {
    let times = Times {
        established: rng.range(15, 40),
        fin_wait: rng.range(15, 120),
        udp: rng.range(8, 30),
        fullnat_time_wait: if rng.chance(5000) {
            7
        } else {
            rng.range(3, 20)
        },
    };
    let mut timeouts = Timeouts::DEFAULT;
    for (setting, seconds) in [
        (Setting::Established, times.established),
        (Setting::FinWait, times.fin_wait),
        (Setting::Udp, times.udp),
        (Setting::FullnatTimeWait, times.fullnat_time_wait),
    ] {
        // One that is the default is left to it.
        if u64::from(timeouts.get(setting)) != seconds {
            timeouts
                .set(setting, seconds as u32)
                .expect("a timeout in range");
        }
    }
    (times, timeouts)
}

fn settings(rng: &mut Rng) -> Settings {
    let first = rng.range(1024, 60_000) as u16;
    let ports = rng.range(3, 24) as u16;
    Settings {
        reuse: ReusePolicy {
            conn_reuse_mode: *rng.pick(&[1, 1, 1, 0, 2]),
            fullnat_conn_reused: !rng.chance(1000),
            expire_nodest_conn: rng.chance(3000),
        },
        ports: Ranges::new(first, first + ports - 1).expect("a range"),
        timestamps: *rng.pick(&[Timestamps::Auto, Timestamps::Auto, Timestamps::Always]),
        toa: !rng.chance(1000),
        lower_mss: true,
        sloppy_tcp: rng.chance(500),
        expire_rst: !rng.chance(500),
        expire_quiescent_template: rng.chance(5000),
        conn_lfactor: -(rng.range(0, 4) as i32),
    }
}

pub(super) fn scheduler(rng: &mut Rng) -> Scheduler {
    const OFTEN: [Scheduler; 9] = [
        Scheduler::Rr,
        Scheduler::Wrr,
        Scheduler::Wrr,
        Scheduler::Wlc,
        Scheduler::Wlc,
        Scheduler::Lc,
        Scheduler::Sed,
        Scheduler::Sh,
        Scheduler::Mh,
    ];
    match rng.chance(8000) {
        true => *rng.pick(&OFTEN),
        false => *rng.pick(&Scheduler::ALL[1..]),
    }
}

impl World {
    pub(crate) fn new(seed: u64, config: Config) -> Self {
        let mut rng = Rng::new(seed);
        let weather = Weather::any(&mut rng);
        let network = Network::new(weather, &mut rng);
        let (times, timeouts) = times(&mut rng);
        let nobody = End::new(Ipv4Addr::UNSPECIFIED.into(), 0);
        let mut none = Talk::plan(&mut rng, nobody, nobody, false);
        none.outcome = Some(Outcome::TimedOut);
        let mut world = Self {
            config,
            network,
            queue: Queue::new(),
            clients: Vec::new(),
            servers: Vec::new(),
            gateways: Vec::new(),
            directors: Vec::new(),
            books: Vec::new(),
            owners: BTreeMap::new(),
            targets: Vec::new(),
            times,
            talks: vec![none],
            pace_us: rng.range(100_000, 250_000),
            events: 0,
            over: false,
            tally: Tally::default(),
            trace: DefaultHasher::new(),
            log: None,
            at: (0, None),
            rng,
        };
        for number in 0..world.rng.range(2, 6) as usize {
            let addrs = vec![addr(4, CLIENTS, 0, number), addr(6, CLIENTS, 0, number)];
            world.own(&addrs, Place::Client(number));
            let host = Host::new(addrs, true, &mut world.rng);
            world.clients.push(host);
        }
        for _ in 0..world.rng.range(1, 2) {
            world.add_director(timeouts);
        }
        world.queue.after(1, Event::Begin);
        for number in 0..world.directors.len() {
            let phase = world.rng.range(1, 1_000_000);
            world.queue.after(phase, Event::Tick(number));
        }
        world.queue.after(2_000_000, Event::Change);
        world
    }

    fn own(&mut self, addrs: &[IpAddr], place: Place) {
        for addr in addrs {
            self.owners.insert(*addr, place);
        }
    }

    fn add_director(&mut self, timeouts: Timeouts) {
        let number = self.directors.len();
        let rng = &mut self.rng;
        let vips: Vec<_> = [4, 6]
            .map(|version| addr(version, VIRTUAL, number, 0))
            .to_vec();
        let director = Director::new(
            vips.clone(),
            settings(rng),
            timeouts,
            64,
            self.config.planted,
            rng,
        );
        let servers = self.servers.len()..self.servers.len() + rng.range(3, 6) as usize;
        for at in servers.clone() {
            let own = vec![addr(4, SERVERS, number, at), addr(6, SERVERS, number, at)];
            self.owners.insert(own[0], Place::Server(at));
            self.owners.insert(own[1], Place::Server(at));
            self.servers.push(Host::new(own, false, &mut self.rng));
            self.gateways.push(number);
        }
        self.own(&vips, Place::Director(number));
        self.directors.push(director);
        self.books.push(Book::new(self.times));
        for version in [4, 6] {
            for at in 0..self.rng.range(1, 2) as usize {
                let local = self.add_local(number, addr(version, LOCAL, number, at));
                self.directors[number]
                    .default_pool
                    .borrow_mut()
                    .members
                    .push(local);
            }
        }
        let kinds = self.rng.range(5, KINDS.len() as u64) as usize;
        let skip = self.rng.index(KINDS.len());
        for (at, kind) in KINDS.iter().cycle().skip(skip).take(kinds).enumerate() {
            self.add_service(number, at, *kind, servers.clone());
        }
    }

    /// A local address of a director, by its number.
    pub(super) fn add_local(&mut self, director: usize, addr: IpAddr) -> usize {
        self.own(&[addr], Place::Director(director));
        let mut locals = self.directors[director].locals.borrow_mut();
        locals.push(Local {
            addr,
            dedicated: self.rng.chance(1000),
            conns: 0,
        });
        locals.len() - 1
    }

    fn add_service(
        &mut self,
        director: usize,
        at: usize,
        (method, is_tcp, clients, servers, persistent): (Method, bool, u8, u8, bool),
        hosts: std::ops::Range<usize>,
    ) {
        let vip = self.directors[director].vips[usize::from(clients == 6)];
        // By direct routing servers listen where clients call.
        let (port, real_port) = (8000 + at as u16, 9000 + at as u16);
        let key = ServiceKey::Address {
            protocol: if is_tcp { 6 } else { 17 },
            addr: vip,
            port,
        };
        let persistence = match clients {
            4 => 0xffff_ff00,
            _ => u32::from_be_bytes(128u32.to_ne_bytes()),
        };
        let config = ServiceConfig {
            scheduler: scheduler(&mut self.rng),
            flags: if persistent { svc_flags::PERSISTENT } else { 0 },
            timeout: self.rng.range(5, 40) as u32,
            netmask: if persistent { u32::MAX } else { persistence },
        };
        let mut service = Service::new(key, config, self.rng.u64());
        service.masq_only = method == Method::Nat;
        if method == Method::Fullnat && self.rng.chance(5000) {
            for extra in 0..self.rng.range(1, 2) as usize {
                let addr = addr(servers, LOCAL, director, 16 + at * 4 + extra);
                let local = self.add_local(director, addr);
                service.pool.members.push(local);
            }
        }
        let mut dests = self.directors[director].dests.borrow_mut();
        for host in hosts {
            if service.dests.len() >= 2 && self.rng.chance(4000) {
                continue;
            }
            let real = self.servers[host].addrs[usize::from(servers == 6)];
            let port = if method == Method::Droute {
                port
            } else {
                real_port
            };
            // Alibaba's number, or NAT where there are local addresses.
            let method = match method {
                Method::Fullnat if self.rng.chance(3000) => Method::Nat,
                method => method,
            };
            let config = DestConfig {
                method,
                weight: self.rng.range(1, 6) as u32,
                thresholds: Thresholds::default(),
                tunnel: Tunnel::default(),
            };
            service.dests.push(dests.len());
            dests.push(Dest::new(End::new(real, port), config));
        }
        service.refresh(&dests);
        drop(dests);
        self.directors[director].services.borrow_mut().push(service);
        self.targets.push(Target {
            director,
            virt: End::new(vip, port),
            is_tcp,
        });
    }
}
