// SPDX-License-Identifier: GPL-2.0

//! Connections that this host opens to a virtual address: they are made in the
//! sender's own context, where allocations can be failed. Made or not, what is
//! counted is what there is.

use std::{
    net::{SocketAddr, TcpStream, UdpSocket},
    time::Duration,
};

use lvs_wire::netlink::{
    ipvs::{cmd, fwd},
    lvs::{self, cmd as own, dest, laddr},
};

use crate::{family::Family, fields::Fields, model::Key, run::Outcome, tally::errno_name};

use super::{
    fixture::Fixture,
    is_no_memory,
    nth::Injection,
    requests::{local_at, of, server, service, tcp, udp},
    Seen, Walk,
};

/// How long a client waits for a server that does not exist.
const PATIENCE: Duration = Duration::from_millis(1);

/// A service of each protocol and family, by every method.
pub(super) fn all(walk: &mut Walk) -> Outcome {
    let mut fixture = Fixture::new()?;
    let methods = [
        ("FULLNAT", fwd::FULLNAT),
        ("NAT", fwd::MASQ),
        ("direct", fwd::DROUTE),
        ("tunnel", fwd::TUNNEL),
    ];
    let families = [
        ("10.1.0.100", "10.2.0.2", "10.9.0.1"),
        ("fd00:1::100", "fd00:2::2", "fd00:9::1"),
    ];
    for (virt, real, lip) in families {
        for (name, method) in methods {
            for key in [udp(virt, 80), tcp(virt, 80)] {
                let mut before = vec![service(cmd::NEW_SERVICE, &key, "rr")];
                if method == fwd::FULLNAT {
                    before.push(local_at(own::NEW_LADDR, Some(&key), lip));
                }
                before.push(server(cmd::NEW_DEST, &key, real, method, 1));
                fixture.reset(&before)?;
                opened(walk, &mut fixture, name, &key)?;
            }
        }
    }
    fixture.reset(&[])
}

fn opened(walk: &mut Walk, fixture: &mut Fixture, method: &str, key: &Key) -> Outcome {
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
        let before = count(fixture, key)?;
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
        // What a hook drops is not permitted; and nobody answers.
        let errno = match done {
            Ok(()) => 0,
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => 0,
            Err(error) => error.raw_os_error().unwrap_or(libc::EIO),
        };
        if !(errno == 0 || errno == libc::EPERM || is_no_memory(errno)) {
            return Err(format!("the client sees {}", errno_name(errno)));
        }
        let grown = count(fixture, key)? - before;
        match (injection, grown) {
            (Injection::NotReached, 1) | (Injection::Done, 0 | 1) => Ok(Seen { injection, errno }),
            _ => Err(format!(
                "{grown} connections more ({injection:?}, {})",
                errno_name(errno)
            )),
        }
    })
}

/// How many connections there are: by every way to count them the same.
fn count(fixture: &mut Fixture, key: &Key) -> Outcome<i64> {
    let state = fixture.state().clone();
    let mut observer = fixture.observer();
    let listed = observer
        .ask(Family::Lvs, own::GET_CONN, true, vec![])?
        .len() as i64;
    let info = observer.ask(Family::Lvs, own::GET_INFO, false, vec![])?;
    let info = Fields::of(info.first().ok_or("no reply")?).nest(lvs::attr::INFO)?;
    let total = i64::from(info.u32(lvs::info::CONNS)?);
    // Of former services connections stay: these are of this one.
    let mut of_servers = 0;
    for told in observer.ask(Family::Lvs, own::GET_DEST, true, vec![of(key)])? {
        let told = Fields::of(&told).nest(lvs::attr::DEST)?;
        of_servers += i64::from(told.u32(dest::ACTIVE)?) + i64::from(told.u32(dest::INACTIVE)?);
    }
    let mut of_locals = 0;
    for told in observer.ask(Family::Lvs, own::GET_LADDR, true, vec![of(key)])? {
        of_locals += i64::from(
            Fields::of(&told)
                .nest(lvs::attr::LADDR)?
                .u32(laddr::CONNS)?,
        );
    }
    if listed != total {
        return Err(format!("{listed} connections are listed, {total} counted"));
    }
    let has_locals = state
        .pools
        .get(&Some(key.clone()))
        .is_some_and(|pool| !pool.is_empty());
    if has_locals && of_locals != of_servers {
        return Err(format!(
            "servers have {of_servers} connections, local addresses {of_locals}"
        ));
    }
    Ok(of_servers)
}
