// SPDX-License-Identifier: GPL-2.0

//! Packets that belong to nothing: to addresses of the director by any
//! protocol, from servers to nobody, from sources that cannot be.

use super::any;
use crate::bed::{addr, CLIENTS, CLIENT_COUNT, CLIENT_LINK, LOCALS, ROUTER, SERVERS, VIP};
use crate::flow::{client, Flow, Side};
use crate::packet::{datagram, flag, icmp_of, message, Draft, Segment, ICMP, ICMP6, TCP, UDP};
use fastrand::Rng;
use std::net::IpAddr;

pub(super) fn packet(rng: &mut Rng, flows: &[Flow]) -> (Side, Draft) {
    let flow = any(rng, flows);
    let side = if rng.bool() {
        Side::Client
    } else {
        Side::Server
    };
    match rng.u8(..6) {
        // To an address of the director, by any protocol.
        0 | 1 => {
            let six = rng.bool();
            let to = [
                addr(six, CLIENT_LINK, VIP),
                addr(six, LOCALS, 1 + rng.u8(..3)),
                addr(six, CLIENT_LINK, ROUTER),
                addr(six, SERVERS, ROUTER),
            ][rng.usize(..4)];
            let from = if side == Side::Client {
                client(six, rng.u8(..))
            } else {
                addr(six, SERVERS, 10 + rng.u8(..12))
            };
            (side, anything(rng, from, to))
        }
        // A server to a local address, at a port that nobody asked from.
        2 => {
            let (real, six) = (flow.real, flow.real.0.is_ipv6());
            let to = (addr(six, LOCALS, 1 + rng.u8(..3)), rng.u16(..));
            (Side::Server, between(rng, flow.tcp, real, to))
        }
        // A server to a client that is in no connection with it.
        3 => {
            let from = (flow.service().real(flow.place, flow.six), flow.virt.1);
            let six = from.0.is_ipv6();
            let to = (addr(six, CLIENTS, 1 + rng.u8(..CLIENT_COUNT)), rng.u16(..));
            (Side::Server, between(rng, flow.tcp, from, to))
        }
        // A source that cannot be, to a service.
        4 => {
            let from = [impossible(rng, flow.six), flow.virt.0, flow.local.0][rng.usize(..3)];
            let from = if from.is_ipv6() == flow.six {
                from
            } else {
                impossible(rng, flow.six)
            };
            (
                Side::Client,
                between(rng, flow.tcp, (from, flow.client.1), flow.virt),
            )
        }
        // From anybody to anybody.
        _ => {
            let (from, to) = (random(rng, flow.six), random(rng, flow.six));
            (side, anything(rng, from, to))
        }
    }
}

fn between(rng: &mut Rng, tcp: bool, from: (IpAddr, u16), to: (IpAddr, u16)) -> Draft {
    let ports = (from.1, to.1);
    if tcp {
        let flags = [
            flag::SYN,
            flag::ACK,
            flag::SYN | flag::ACK,
            flag::RST,
            flag::FIN | flag::ACK,
            rng.u8(..),
        ][rng.usize(..6)];
        let segment = Segment {
            ports,
            seq: rng.u32(..),
            ack: rng.u32(..),
            flags,
            window: 9,
            ..Segment::default()
        };
        Draft::new(from.0, to.0, TCP, segment.bytes())
    } else {
        let len = rng.usize(..50);
        Draft::new(from.0, to.0, UDP, datagram(ports, &vec![5; len]))
    }
}

fn anything(rng: &mut Rng, from: IpAddr, to: IpAddr) -> Draft {
    let protocol = [
        TCP, UDP, ICMP, ICMP6, 2, 4, 41, 47, 50, 51, 132, 136, 0, 43, 44, 59, 60, 255,
    ][rng.usize(..18)];
    let len = rng.usize(..120);
    let mut l4: Vec<u8> = (0..len).map(|_| rng.u8(..)).collect();
    if protocol == icmp_of(from) && rng.bool() {
        l4 = message(if from.is_ipv6() { 128 } else { 8 }, 0, rng.u32(..), &l4);
    }
    Draft::new(from, to, protocol, l4)
}

fn impossible(rng: &mut Rng, six: bool) -> IpAddr {
    let text = if six {
        [
            "::",
            "::1",
            "ff02::1",
            "ff0e::1",
            "::ffff:10.64.0.1",
            "fe80::1",
        ][rng.usize(..6)]
    } else {
        [
            "0.0.0.0",
            "127.0.0.1",
            "255.255.255.255",
            "224.0.0.1",
            "240.0.0.1",
            "10.1.0.255",
        ][rng.usize(..6)]
    };
    text.parse().unwrap()
}

fn random(rng: &mut Rng, six: bool) -> IpAddr {
    if six {
        let mut octets = rng.u128(..).to_be_bytes();
        octets[0] = 0xfd;
        IpAddr::from(octets)
    } else {
        IpAddr::from([10, rng.u8(..), 0, rng.u8(..)])
    }
}
