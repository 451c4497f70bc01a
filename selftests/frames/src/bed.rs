// SPDX-License-Identifier: GPL-2.0

//! The bed: which services the director has, and where clients, servers and
//! local addresses are. It stands here alone: what the case feeds to programs
//! is printed from it ([`text`]).
//!
//! ```text
//!   clients 10.64.0.x -- gateway 10.1.0.2 -- 10.1.0.1 director 10.2.0.1 -- 10.2.0.x servers
//!                        tap `client`      VIPs, local addresses on lo     tap `server`
//! ```
//!
//! 10.64.0.5 is fd00:40::5 in IPv6, and so with all others.

pub(crate) mod text;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Networks, for [`addr`].
pub(crate) const CLIENT_LINK: u8 = 1;
pub(crate) const SERVERS: u8 = 2;
pub(crate) const LOCALS: u8 = 9;
pub(crate) const CLIENTS: u8 = 64;

/// Hosts of the client's link: the virtual addresses.
pub(crate) const VIP: u8 = 100;
pub(crate) const MARKED_VIP: u8 = 101;
pub(crate) const WHOLE_VIP: u8 = 102;

/// The director there, and among the servers.
pub(crate) const ROUTER: u8 = 1;

/// The clients' gateway.
const GATEWAY: u8 = 2;

/// The servers, from here on.
const FIRST_SERVER: u8 = 10;

/// How many local addresses there are.
pub(crate) const LOCAL_COUNT: u8 = 3;

/// How many clients there are.
pub(crate) const CLIENT_COUNT: u8 = 8;

/// Their ports on virtual addresses of which all ports are served.
pub(crate) const ANY_PORT: u16 = 7000;

/// Where tunnels of GUE end.
pub(crate) const GUE_PORT: u16 = 6080;

/// MAC addresses: of the director's two taps, and of who is at the other end.
pub(crate) const DIRECTOR_MAC: [[u8; 6]; 2] = [[2, 0, 0, 0, 1, 1], [2, 0, 0, 0, 2, 1]];
pub(crate) const PEER_MAC: [[u8; 6]; 2] = [[2, 0, 0, 0, 1, 2], [2, 0, 0, 0, 2, 2]];

/// An address of the bed in either family.
pub(crate) fn addr(six: bool, net: u8, host: u8) -> IpAddr {
    if six {
        let (net, host) = (u16::from(net), u16::from(host));
        Ipv6Addr::new(0xfd00, net, 0, 0, 0, 0, 0, host).into()
    } else {
        Ipv4Addr::new(10, net, 0, host).into()
    }
}

/// Who is at the other end of a tap, and the director's address there.
pub(crate) fn link(side: usize, six: bool) -> (IpAddr, IpAddr) {
    let (net, host) = [(CLIENT_LINK, GATEWAY), (SERVERS, FIRST_SERVER)][side];
    (addr(six, net, host), addr(six, net, ROUTER))
}

/// Whether an address is the director's as a router.
pub(crate) fn is_router(one: IpAddr) -> bool {
    [CLIENT_LINK, SERVERS]
        .iter()
        .any(|&net| one == addr(one.is_ipv6(), net, ROUTER))
}

/// What an address of the director is for.
pub(crate) enum Part {
    Virtual,
    Local,
}

/// What an address is for, if it is a virtual or a local one.
pub(crate) fn part(one: IpAddr) -> Option<Part> {
    let six = one.is_ipv6();
    if [VIP, MARKED_VIP, WHOLE_VIP]
        .iter()
        .any(|&host| one == addr(six, CLIENT_LINK, host))
    {
        Some(Part::Virtual)
    } else if (1..=LOCAL_COUNT).any(|host| one == addr(six, LOCALS, host)) {
        Some(Part::Local)
    } else {
        None
    }
}

/// How packets of a service get to its server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Method {
    Fullnat,
    Nat,
    Direct,
    Ipip,
    Gre,
    Gue,
}

impl Method {
    fn options(self) -> &'static str {
        match self {
            Self::Fullnat => "--fullnat",
            Self::Nat => "-m",
            Self::Direct => "-g",
            Self::Ipip => "-i",
            Self::Gre => "-i --tun-type gre --tun-csum",
            Self::Gue => "-i --tun-type gue --tun-port 6080 --tun-csum",
        }
    }

    /// Whether replies come back through the director.
    pub(crate) fn sees_replies(self) -> bool {
        matches!(self, Self::Fullnat | Self::Nat)
    }
}

/// How a packet is known to be for a service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Key {
    /// By a port of the VIP, for TCP and for UDP; 0 is none.
    Ports(u16, u16),
    /// By a firewall mark, which all packets to an address of its own have.
    Mark,
    /// All ports of an address, TCP.
    Whole,
}

/// Where a service's server is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Server {
    /// Among the servers.
    Own,
    /// There, with an address of IPv4 though the clients' are of IPv6.
    Other,
    /// Where no route leads.
    Unrouted,
    Loopback,
    /// The director itself.
    Director,
}

/// What a conversation with a service comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// It always works.
    Works,
    /// It works but when its pool is dry or its server is away.
    May,
    /// It never does.
    Never,
}

/// A virtual service, there for either family.
pub(crate) struct Service {
    pub(crate) name: &'static str,
    pub(crate) key: Key,
    pub(crate) method: Method,
    pub(crate) server: Server,
    pub(crate) fate: Fate,
    /// Its local addresses.
    pool: &'static [u8],
    /// More words for the service, and for its server.
    words: (&'static str, &'static str),
}

/// Local addresses with all ports, and one with the few of the settings.
const ALL_PORTS: &[u8] = &[1, 2];
const FEW_PORTS: &[u8] = &[LOCAL_COUNT];

/// Whose servers come and go.
const FICKLE: &str = "fickle";

const USUAL: Service = Service {
    name: "",
    key: Key::Mark,
    method: Method::Fullnat,
    server: Server::Own,
    fate: Fate::Works,
    pool: ALL_PORTS,
    words: ("", ""),
};

const fn by(name: &'static str, tcp: u16, udp: u16, method: Method) -> Service {
    let pool: &[u8] = match method {
        Method::Fullnat => ALL_PORTS,
        _ => &[],
    };
    Service {
        name,
        key: Key::Ports(tcp, udp),
        method,
        pool,
        ..USUAL
    }
}

/// All services. The place of one in here tells its server.
pub(crate) const SERVICES: &[Service] = &[
    by("fullnat", 80, 5000, Method::Fullnat),
    by("nat", 81, 5001, Method::Nat),
    by("direct", 82, 5002, Method::Direct),
    by("ipip", 83, 5003, Method::Ipip),
    by("gre", 84, 5004, Method::Gre),
    by("gue", 85, 5005, Method::Gue),
    Service {
        server: Server::Other,
        ..by("nat64", 86, 5006, Method::Fullnat)
    },
    Service {
        words: ("-p 10", ""),
        ..by("sticky", 87, 5007, Method::Fullnat)
    },
    Service {
        words: ("-p 10", ""),
        ..by("ftp", 21, 0, Method::Fullnat)
    },
    Service {
        name: "mark",
        ..USUAL
    },
    Service {
        name: "whole",
        key: Key::Whole,
        method: Method::Nat,
        pool: &[],
        words: ("-p 10", ""),
        ..USUAL
    },
    Service {
        fate: Fate::May,
        pool: FEW_PORTS,
        ..by("small", 88, 5008, Method::Fullnat)
    },
    Service {
        fate: Fate::May,
        ..by(FICKLE, 89, 5009, Method::Fullnat)
    },
    Service {
        words: ("--ops", ""),
        ..by("single", 0, 5010, Method::Direct)
    },
    Service {
        fate: Fate::Never,
        pool: &[],
        ..by("poolless", 90, 5011, Method::Fullnat)
    },
    Service {
        fate: Fate::Never,
        words: ("", "-w 0"),
        ..by("idle", 91, 5012, Method::Fullnat)
    },
    Service {
        fate: Fate::Never,
        server: Server::Unrouted,
        ..by("unrouted", 92, 5013, Method::Fullnat)
    },
    Service {
        fate: Fate::Never,
        server: Server::Loopback,
        ..by("loopback", 93, 5014, Method::Fullnat)
    },
    Service {
        fate: Fate::Never,
        server: Server::Director,
        ..by("local", 94, 5015, Method::Direct)
    },
    Service {
        server: Server::Other,
        ..by("6in4", 95, 5016, Method::Ipip)
    },
];

impl Service {
    /// Whether clients of that family have it.
    pub(crate) fn has(&self, six: bool) -> bool {
        six || self.server != Server::Other
    }

    /// The address that clients ask, and its port.
    pub(crate) fn virt(&self, six: bool, tcp: bool) -> Option<(IpAddr, u16)> {
        let (host, port) = match self.key {
            Key::Ports(port, _) if tcp => (VIP, port),
            Key::Ports(_, port) => (VIP, port),
            Key::Mark => (MARKED_VIP, ANY_PORT),
            Key::Whole => (WHOLE_VIP, if tcp { ANY_PORT } else { 0 }),
        };
        (port != 0 && self.has(six)).then(|| (addr(six, CLIENT_LINK, host), port))
    }

    /// Whether its server's packets are of IPv6 when the client's are.
    pub(crate) fn server_is_six(&self, six: bool) -> bool {
        six && self.server != Server::Other
    }

    /// Its server.
    pub(crate) fn real(&self, place: usize, six: bool) -> IpAddr {
        let six = self.server_is_six(six);
        match (self.server, six) {
            // A server that clients of both families meet by one of its addresses would be one path for two.
            (Server::Own | Server::Other, _) => {
                addr(six, SERVERS, FIRST_SERVER + u8::try_from(place).unwrap())
            }
            (Server::Unrouted, false) => Ipv4Addr::new(203, 0, 113, 9).into(),
            (Server::Unrouted, true) => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9).into(),
            (Server::Loopback, false) => Ipv4Addr::LOCALHOST.into(),
            (Server::Loopback, true) => Ipv6Addr::LOCALHOST.into(),
            (Server::Director, six) => addr(six, CLIENT_LINK, VIP),
        }
    }
}
