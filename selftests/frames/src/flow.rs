// SPDX-License-Identifier: GPL-2.0

//! A flow: one connection of a client with a service, as both ends know it.

use crate::bed::{self, Service, SERVICES};
use crate::packet::{datagram, Draft, Segment, TCP, UDP};
use std::net::IpAddr;

/// Which end of the director a frame is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

impl Side {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

pub(crate) type End = (IpAddr, u16);

#[derive(Clone, Debug)]
pub(crate) struct Flow {
    pub(crate) place: usize,
    pub(crate) six: bool,
    pub(crate) tcp: bool,
    pub(crate) client: End,
    pub(crate) virt: End,
    /// As the server knows the client, once its first packet has come.
    pub(crate) local: End,
    pub(crate) real: End,
    /// The next number of each, as the client counts.
    pub(crate) client_next: u32,
    pub(crate) server_next: u32,
    /// What the server's count of the client's bytes is ahead by.
    pub(crate) delta: u32,
    /// Whether `local` and `delta` are still to be learnt.
    pub(crate) unmet: bool,
}

impl Flow {
    /// `None`: the service has no such clients.
    pub(crate) fn new(
        place: usize,
        six: bool,
        tcp: bool,
        client: End,
        numbers: (u32, u32),
    ) -> Option<Self> {
        let service = &SERVICES[place];
        let virt = service.virt(six, tcp)?;
        let real = if service.method.sees_replies() {
            (service.real(place, six), virt.1)
        } else {
            virt
        };
        Some(Self {
            place,
            six,
            tcp,
            client,
            virt,
            local: client,
            real,
            client_next: numbers.0,
            server_next: numbers.1,
            delta: 0,
            unmet: true,
        })
    }

    pub(crate) fn service(&self) -> &'static Service {
        &SERVICES[self.place]
    }

    fn protocol(&self) -> u8 {
        if self.tcp {
            TCP
        } else {
            UDP
        }
    }

    /// What one end sends: the flags, options and payload of a segment, of a datagram the payload.
    pub(crate) fn packet(
        &self,
        from: Side,
        flags: u8,
        options: Vec<u8>,
        payload: Vec<u8>,
    ) -> Draft {
        let ((src, sport), (dst, dport), seq, ack) = match from {
            Side::Client => (self.client, self.virt, self.client_next, self.server_next),
            Side::Server => (
                self.real,
                self.local,
                self.server_next,
                self.client_next.wrapping_add(self.delta),
            ),
        };
        let ports = (sport, dport);
        let l4 = if self.tcp {
            Segment {
                ports,
                seq,
                ack,
                flags,
                window: 0xfaf0,
                options,
                payload,
            }
            .bytes()
        } else {
            datagram(ports, &payload)
        };
        Draft::new(src, dst, self.protocol(), l4)
    }

    /// The address that one end sends from.
    pub(crate) fn sent_by(&self, from: Side) -> IpAddr {
        match from {
            Side::Client => self.client.0,
            Side::Server => self.real.0,
        }
    }

    /// Its ends, as a packet has them that arrives on the other side.
    pub(crate) fn arriving(&self, from: Side) -> (End, End) {
        match from {
            Side::Client => (self.local, self.real),
            Side::Server => (self.virt, self.client),
        }
    }
}

/// The address of a client.
pub(crate) fn client(six: bool, which: u8) -> IpAddr {
    bed::addr(six, bed::CLIENTS, 1 + which % bed::CLIENT_COUNT)
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A flow of each service that serves, as if both ends had met.
    pub(crate) fn flows() -> Vec<Flow> {
        let mut all = Vec::new();
        for (place, service) in SERVICES.iter().enumerate() {
            if service.fate == bed::Fate::Never {
                continue;
            }
            for (six, tcp) in [(false, true), (true, true), (false, false), (true, false)] {
                let met = Flow::new(place, six, tcp, (client(six, 3), 10_003), (7, 8));
                all.extend(met.map(|mut flow| {
                    if service.method == bed::Method::Fullnat {
                        flow.local = (bed::addr(flow.real.0.is_ipv6(), bed::LOCALS, 1), 2000);
                    }
                    flow.unmet = false;
                    flow
                }));
            }
        }
        all
    }
}
