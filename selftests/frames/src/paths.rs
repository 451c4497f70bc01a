// SPDX-License-Identifier: GPL-2.0

//! A path: by which service a packet went, as what, and which way.

use crate::bed::{self, Fate, Key, Method, Server, CLIENT_LINK, ROUTER, SERVERS, SERVICES};
use crate::flow::Side;
use crate::packet::{TCP, UDP};
use crate::verify::Seen;
use std::net::IpAddr;

/// What a packet is when it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Tcp,
    Udp,
    /// An ICMP error about either.
    Error,
    /// Segments are still to be made of it.
    Big,
    /// The first piece of a datagram.
    Piece,
}

impl Kind {
    pub(crate) const ALL: [(Self, &'static str); 5] = [
        (Self::Tcp, "tcp"),
        (Self::Udp, "udp"),
        (Self::Error, "error"),
        (Self::Big, "big"),
        (Self::Piece, "piece"),
    ];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Path {
    pub(crate) place: usize,
    pub(crate) six: bool,
    pub(crate) kind: Kind,
    /// Whether it goes to a server.
    pub(crate) inward: bool,
}

impl Path {
    /// The path of what has left. `None`: it is none of the services', or what
    /// the director says itself about a packet.
    pub(crate) fn of(side: Side, seen: &Seen, big: bool) -> Option<Self> {
        let inner = seen.innermost();
        let (ends, about) = (inner.ends, inner.about);
        if about.is_some() && is_director(ends.src) {
            return None;
        }
        let kind = match ends.protocol {
            _ if big => Kind::Big,
            _ if seen.piece.is_some() => Kind::Piece,
            _ if about.is_some() => Kind::Error,
            TCP => Kind::Tcp,
            UDP => Kind::Udp,
            _ => return None,
        };
        let inward = side == Side::Server;
        let (place, six) = if inward {
            let port = about.map_or(ends.ports.1, |about| about.ports.0);
            by_server(seen.ends.dst).or_else(|| by_virt(ends.dst, port, ends.protocol))
        } else {
            let of = about.map_or((ends.src, ends.ports.0, ends.protocol), |about| {
                (about.dst, about.ports.1, about.protocol)
            });
            by_virt(of.0, of.1, of.2)
        }?;
        Some(Self {
            place,
            six,
            kind,
            inward,
        })
    }

    /// Whether there is such a path, for a run to take.
    pub(crate) fn exists(self) -> bool {
        let service = &SERVICES[self.place];
        let has = |tcp| service.virt(self.six, tcp).is_some();
        let (tcp, udp, sees) = (has(true), has(false), service.method.sees_replies());
        if service.fate == Fate::Never || !service.has(self.six) || !self.inward && !sees {
            return false;
        }
        match self.kind {
            Kind::Tcp => tcp,
            Kind::Udp => udp,
            // Of one packet alone nothing is remembered that an error could be about.
            Kind::Error => service.name != "single",
            // What wraps packets cuts a big one itself, and of a big datagram
            // pieces are made before it leaves.
            Kind::Big => tcp && (sees || service.method == Method::Direct),
            Kind::Piece => udp,
        }
    }

    /// All that there are.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let rows = (0..SERVICES.len()).flat_map(|place| [(place, false), (place, true)]);
        rows.flat_map(|(place, six)| {
            Kind::ALL.into_iter().flat_map(move |(kind, _)| {
                [true, false].map(|inward| Self {
                    place,
                    six,
                    kind,
                    inward,
                })
            })
        })
        .filter(|path| path.exists())
    }
}

/// The service that a server is of.
pub(crate) fn by_server(addr: IpAddr) -> Option<(usize, bool)> {
    (0..SERVICES.len()).find_map(|place| {
        let service = &SERVICES[place];
        let own = matches!(service.server, Server::Own | Server::Other);
        let six = addr.is_ipv6() || service.server == Server::Other;
        (own && service.real(place, six) == addr).then_some((place, six))
    })
}

/// Whether that is an address of the director's own towards clients or servers.
fn is_director(addr: IpAddr) -> bool {
    [CLIENT_LINK, SERVERS]
        .into_iter()
        .any(|net| bed::addr(addr.is_ipv6(), net, ROUTER) == addr)
}

fn by_virt(addr: IpAddr, port: u16, protocol: u8) -> Option<(usize, bool)> {
    let six = addr.is_ipv6();
    let place = SERVICES.iter().position(|service| {
        [true, false].into_iter().any(|tcp| {
            service.virt(six, tcp).is_some_and(|(virt, own)| {
                let any_port = !matches!(service.key, Key::Ports(..));
                virt == addr
                    && (any_port
                        || own == port && tcp == (protocol == TCP)
                        || own == port && !matches!(protocol, TCP | UDP))
            })
        })
    })?;
    Some((place, six))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{testing::flows, Flow};
    use crate::packet::flag;
    use crate::verify::look;
    use crate::vnet::Vnet;
    use crate::world::Frame;

    /// What leaves for one end of a flow when the other has sent something.
    fn leaves(flow: &Flow, to: Side) -> Seen {
        let ((src, dst), sent) = (flow.arriving(to.other()), to.other());
        let mut draft = flow.packet(sent, flag::ACK, Vec::new(), Vec::new());
        (draft.src, draft.dst) = (src.0, dst.0);
        draft.l4[..2].copy_from_slice(&src.1.to_be_bytes());
        draft.l4[2..4].copy_from_slice(&dst.1.to_be_bytes());
        let frame = Frame::of(to, &draft.summed().bytes());
        look(&Vnet::default(), &frame.bytes).unwrap()
    }

    #[test]
    fn what_leaves_is_of_the_path_of_its_service() {
        for flow in flows() {
            for (side, inward) in [(Side::Server, true), (Side::Client, false)] {
                let path = Path {
                    place: flow.place,
                    six: flow.six,
                    kind: if flow.tcp { Kind::Tcp } else { Kind::Udp },
                    inward,
                };
                if path.exists() && (!inward || flow.service().method.sees_replies()) {
                    let seen = leaves(&flow, side);
                    assert_eq!(Path::of(side, &seen, false), Some(path), "{seen:?}");
                }
            }
        }
    }

    #[test]
    fn there_are_paths_of_every_service_that_serves() {
        let served = SERVICES.iter().filter(|s| s.fate != Fate::Never).count();
        let places: std::collections::BTreeSet<_> = Path::all().map(|path| path.place).collect();
        assert_eq!(places.len(), served);
    }
}
