// SPDX-License-Identifier: GPL-2.0

//! A leak: an address that has left by the wrong side. Clients know the virtual
//! addresses alone, and servers of FULLNAT the local ones.

use crate::bed::{self, addr, Method, CLIENTS, LOCALS, SERVERS, SERVICES};
use crate::flow::Side;
use crate::paths;
use crate::verify::{Ends, Seen};
use std::collections::VecDeque;
use std::net::IpAddr;

/// For so many frames what has been sent may be met again as it was: forwarded
/// by the host alone, or answered by it.
const REMEMBERED: usize = 256;

/// The ends of what was sent last.
#[derive(Default)]
pub(crate) struct Latest(VecDeque<(IpAddr, IpAddr)>);

impl Latest {
    pub(crate) fn note(&mut self, src: IpAddr, dst: IpAddr) {
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back((src, dst));
    }

    /// Whether a packet between these ends is no translation.
    fn explains(&self, ends: Ends) -> bool {
        let (there, back) = ((ends.src, ends.dst), (ends.dst, ends.src));
        self.0.iter().any(|&pair| pair == there || pair == back)
    }
}

/// What the receiver of a packet that left by `side` has learnt and should not.
pub(crate) fn leak(side: Side, seen: &Seen, latest: &Latest) -> Option<&'static str> {
    let named = named(side, seen)?;
    (!latest.explains(seen.ends)).then_some(named)
}

fn named(side: Side, seen: &Seen) -> Option<&'static str> {
    let ends = seen.ends;
    // A router's own errors quote what it has got, long ago if it has waited for a neighbour.
    if seen.about.is_some() && bed::is_router(ends.src) {
        return None;
    }
    let about = seen.about.map(|about| (about.src, about.dst));
    if about.is_some_and(|(src, _)| src != ends.dst) {
        return Some("an error is about a packet of somebody else's");
    }
    let hidden: fn(IpAddr) -> bool = match side {
        Side::Client => |addr| is_server(addr) || is_in(addr, LOCALS),
        Side::Server if is_fullnat(ends.dst) => |addr| is_in(addr, CLIENTS),
        Side::Server => return None,
    };
    if hidden(ends.src) {
        Some("an address has left that is not to be seen there")
    } else if about.is_some_and(|(_, dst)| hidden(dst)) {
        Some("an address has left, in an error, that is not to be seen there")
    } else {
        None
    }
}

fn is_fullnat(server: IpAddr) -> bool {
    paths::by_server(server).is_some_and(|(place, _)| SERVICES[place].method == Method::Fullnat)
}

fn is_server(one: IpAddr) -> bool {
    is_in(one, SERVERS) && !bed::is_router(one)
}

fn is_in(one: IpAddr, net: u8) -> bool {
    match (one, addr(one.is_ipv6(), net, 0)) {
        (IpAddr::V4(one), IpAddr::V4(net)) => one.octets()[..3] == net.octets()[..3],
        (IpAddr::V6(one), IpAddr::V6(net)) => one.octets()[..8] == net.octets()[..8],
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bed::{CLIENT_LINK, ROUTER, VIP};
    use crate::packet::{icmp_of, message, Draft, UDP};
    use crate::verify::look;
    use crate::vnet::Vnet;
    use crate::world::Frame;

    fn seen(side: Side, draft: Draft) -> Seen {
        look(
            &Vnet::default(),
            &Frame::of(side, &draft.summed().bytes()).bytes,
        )
        .unwrap()
    }

    fn datagram(from: IpAddr, to: IpAddr) -> Draft {
        Draft::new(from, to, UDP, crate::packet::datagram((1, 2), b"x"))
    }

    #[test]
    fn clients_see_the_virtual_addresses_alone() {
        for six in [false, true] {
            let client = addr(six, CLIENTS, 1);
            let from = |net, host| seen(Side::Client, datagram(addr(six, net, host), client));
            let latest = Latest::default();
            assert_eq!(leak(Side::Client, &from(CLIENT_LINK, VIP), &latest), None);
            assert!(leak(Side::Client, &from(SERVERS, 10), &latest).is_some());
            assert!(leak(Side::Client, &from(LOCALS, 1), &latest).is_some());
        }
    }

    #[test]
    fn servers_of_fullnat_see_the_local_addresses_alone() {
        for six in [false, true] {
            for (place, service) in SERVICES.iter().enumerate() {
                let server = service.real(place, six);
                let six = server.is_ipv6();
                let (client, local) = (addr(six, CLIENTS, 1), addr(six, LOCALS, 1));
                let to = |from| seen(Side::Server, datagram(from, server));
                let latest = Latest::default();
                let hides = paths::by_server(server).is_some() && service.method == Method::Fullnat;
                assert_eq!(leak(Side::Server, &to(local), &latest), None);
                assert_eq!(leak(Side::Server, &to(client), &latest).is_some(), hides);
            }
        }
    }

    #[test]
    fn what_the_host_forwards_or_answers_is_no_leak() {
        let (client, server) = (addr(false, CLIENTS, 1), addr(false, SERVERS, 10));
        for (from, to) in [(client, server), (server, client)] {
            let mut latest = Latest::default();
            latest.note(from, to);
            let out = seen(Side::Client, datagram(server, client));
            assert_eq!(leak(Side::Client, &out, &latest), None);
        }
    }

    #[test]
    fn the_packet_that_an_error_is_about_has_no_address_that_is_not_to_be_seen() {
        for six in [false, true] {
            let (client, virt) = (addr(six, CLIENTS, 1), addr(six, CLIENT_LINK, VIP));
            let about = |from, to| {
                let kind = if six { 1 } else { 3 };
                let quote = datagram(from, to).summed().bytes();
                let l4 = message(kind, 3, 0, &quote);
                seen(Side::Client, Draft::new(virt, client, icmp_of(client), l4))
            };
            let latest = Latest::default();
            let found = |out: &Seen| leak(Side::Client, out, &latest);
            assert_eq!(found(&about(client, virt)), None);
            assert!(found(&about(client, addr(six, SERVERS, 10))).is_some());
            assert!(found(&about(addr(six, LOCALS, 1), virt)).is_some());
            let router = addr(six, CLIENT_LINK, ROUTER);
            let quote = datagram(client, addr(six, SERVERS, 10)).summed().bytes();
            let l4 = message(if six { 1 } else { 3 }, 3, 0, &quote);
            let own = seen(
                Side::Client,
                Draft::new(router, client, icmp_of(client), l4),
            );
            assert_eq!(found(&own), None);
        }
    }
}
