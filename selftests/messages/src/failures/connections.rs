// SPDX-License-Identifier: GPL-2.0

//! Connections that this host opens to a virtual address: they are made in the
//! sender's own context, where allocations can be failed. Made or not, what is
//! counted is what there is.

use std::{
    net::{SocketAddr, TcpStream, UdpSocket},
    time::Duration,
};

use lvs_engine::drop_reason::DropReason;
use lvs_wire::netlink::{
    ipvs::{cmd, fwd},
    lvs::{self, cmd as own, conn, dest, drop, laddr},
};

use crate::{
    family::Family, fields::Fields, message::Message, model::Key, run::Outcome, tally::errno_name,
};

use super::{
    fixture::Fixture,
    is_no_memory,
    nth::Injection,
    requests::{local_at, new, of, others, persistent, server_at, tcp, udp},
    Seen, Walk,
};

/// How long a client waits for a server that does not exist.
const PATIENCE: Duration = Duration::from_millis(1);
/// The first and the last port that a client may have that does not say which.
const CLIENT_PORTS: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// A way to a server, and what a service takes to go it.
struct Way {
    name: &'static str,
    method: u32,
    /// Clients come back to their server: a connection has a template.
    persists: bool,
}

const fn way(name: &'static str, method: u32) -> Way {
    Way {
        name,
        method,
        persists: false,
    }
}

const WAYS: [Way; 5] = [
    way("FULLNAT", fwd::FULLNAT),
    way("NAT", fwd::MASQ),
    way("direct", fwd::DROUTE),
    way("tunnel", fwd::TUNNEL),
    Way {
        persists: true,
        ..way("persistent", fwd::FULLNAT)
    },
];

/// A service of each protocol and family, by every way; and between the families.
pub(super) fn all(walk: &mut Walk) -> Outcome {
    let mut fixture = Fixture::new()?;
    fixture.reset(&others().each_ref().map(new))?;
    let families = [
        (&WAYS[..], "10.1.0.100", "10.2.0.2", "10.9.0.1"),
        (&WAYS[..], "fd00:1::100", "fd00:2::2", "fd00:9::1"),
        (
            &[way("NAT64", fwd::FULLNAT)],
            "fd00:1::100",
            "10.2.0.2",
            "10.9.0.1",
        ),
    ];
    // Each time another client and another server: of those that were there before there are connections.
    let mut last_port = 2000;
    for (ways, virt, real, lip) in families {
        for way in ways {
            for key in [udp(virt, 80), tcp(virt, 80)] {
                let before = |port| {
                    let service = if way.persists {
                        persistent(&key)
                    } else {
                        new(&key)
                    };
                    let mut before = vec![service];
                    if way.method == fwd::FULLNAT {
                        before.push(local_at(own::NEW_LADDR, Some(&key), lip));
                    }
                    let real = (real, port);
                    before.push(server_at(cmd::NEW_DEST, &key, real, way.method, 1));
                    before
                };
                let name = (way.name, &key);
                opened(walk, &mut fixture, name, &mut last_port, &before)?;
            }
        }
    }
    // A connection without memory is a dropped packet, and that is what it is counted as.
    if no_memory(&mut fixture)? == 0 {
        return Err("no packet is counted as dropped for lack of memory".to_string());
    }
    fixture.reset(&[])
}

/// How many packets have been dropped for lack of memory.
fn no_memory(fixture: &mut Fixture) -> Outcome<u64> {
    let reason = DropReason::NoMemory.id() as u32;
    for told in fixture
        .observer()
        .ask(Family::Lvs, own::GET_DROPS, false, vec![])?
    {
        for one in Fields::of(&told).nests(lvs::attr::DROP) {
            if one.u32(drop::ID)? == reason {
                return one.u64(drop::COUNT);
            }
        }
    }
    Err("nobody counts packets dropped for lack of memory".to_string())
}

/// `before` configures the service with a server at a port. That and the client's is the one that follows
/// `last_port`.
fn opened(
    walk: &mut Walk,
    fixture: &mut Fixture,
    (method, key): (&str, &Key),
    last_port: &mut u16,
    before: &dyn Fn(u16) -> Vec<Message>,
) -> Outcome {
    let others = others();
    let Key::Address(protocol, addr, port) = key else {
        return Err("a mark cannot be connected to".to_string());
    };
    let (to, is_udp) = (SocketAddr::new(*addr, *port), *protocol == 17);
    let any = SocketAddr::new(
        if to.is_ipv6() {
            [0; 16].into()
        } else {
            [0; 4].into()
        },
        0,
    );
    let kind = if is_udp { "UDP" } else { "TCP" };
    walk.operation(&format!("{kind} to {to}, {method}"), |nth, n| {
        *last_port += 1;
        fixture.set(&before(*last_port), &others)?;
        std::fs::write(CLIENT_PORTS, format!("{last_port} {last_port}"))
            .map_err(|error| format!("{CLIENT_PORTS}: {error}"))?;
        let socket = UdpSocket::bind(any).map_err(|error| error.to_string())?;
        let (done, injection) = nth
            .fail(n, || {
                if is_udp {
                    socket.send_to(b"?", to).map(|_| ())
                } else {
                    TcpStream::connect_timeout(&to, PATIENCE).map(|_| ())
                }
            })
            .map_err(|error| error.to_string())?;
        // What a hook drops is not permitted, a socket that cannot be made one too many, a route of IPv6 that cannot be
        // made (a CPU's own, of which the kernel says no more) is none; and nobody answers.
        let errno = match done {
            Ok(()) => 0,
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => 0,
            Err(error) => error.raw_os_error().unwrap_or(libc::EIO),
        };
        let is_lack =
            matches!(errno, libc::EPERM | libc::ENFILE | libc::ENETUNREACH) || is_no_memory(errno);
        if errno != 0 && !(is_lack && injection == Injection::Done) {
            return Err(format!("the client sees {}", errno_name(errno)));
        }
        match (injection, count(fixture, key)?) {
            (Injection::NotReached, 1) | (Injection::Done, 0 | 1) => Ok(Seen { injection, errno }),
            (_, opened) => Err(format!(
                "{opened} connections ({injection:?}, {})",
                errno_name(errno)
            )),
        }
    })
}

/// How many connections the one server of a service has, once all who count
/// say the same: older ones may end between two questions.
fn count(fixture: &mut Fixture, key: &Key) -> Outcome<usize> {
    const TRIES: u32 = 5;
    let mut counted = Err("nobody has counted".to_string());
    for _ in 0..TRIES {
        counted = count_once(fixture, key)?;
        if counted.is_ok() {
            break;
        }
    }
    counted
}

fn count_once(fixture: &mut Fixture, key: &Key) -> Outcome<Outcome<usize>> {
    let Key::Address(protocol, virt, port) = key else {
        return Err("a mark has no address".to_string());
    };
    let mut observer = fixture.observer();
    let (mut of_servers, mut of_locals, mut server_port) = (0, 0, 0);
    for told in observer.ask(Family::Lvs, own::GET_DEST, true, vec![of(key)])? {
        let told = Fields::of(&told).nest(lvs::attr::DEST)?;
        of_servers += told.u32(dest::ACTIVE)? + told.u32(dest::INACTIVE)?;
        server_port = told.be16(dest::PORT)?;
    }
    for told in observer.ask(Family::Lvs, own::GET_LADDR, true, vec![of(key)])? {
        of_locals += Fields::of(&told)
            .nest(lvs::attr::LADDR)?
            .u32(laddr::CONNS)?;
    }
    let info = observer.ask(Family::Lvs, own::GET_INFO, false, vec![])?;
    let info = Fields::of(info.first().ok_or("no reply")?).nest(lvs::attr::INFO)?;
    let counted = [info.u32(lvs::info::CONNS)?, of_servers, of_locals];
    let mut listed = [0; 3];
    for told in observer.ask(Family::Lvs, own::GET_CONN, true, vec![])? {
        let told = Fields::of(&told).nest(lvs::attr::CONN)?;
        let is_of_service = told.u16(conn::PROTOCOL)? == *protocol
            && told.addr(conn::VADDR, conn::CAF)? == *virt
            && told.be16(conn::VPORT)? == *port;
        let is_to_server = told.be16(conn::DPORT)? == server_port;
        let has_local = told.u32(conn::METHOD)? == fwd::FULLNAT;
        listed[0] += 1;
        listed[1] += u32::from(is_of_service && is_to_server);
        listed[2] += u32::from(is_of_service && has_local);
    }
    if listed == counted {
        Ok(Ok(of_servers as usize))
    } else {
        Ok(Err(format!(
            "connections in all, of the server, of local addresses: {listed:?} are listed, {counted:?} counted"
        )))
    }
}
