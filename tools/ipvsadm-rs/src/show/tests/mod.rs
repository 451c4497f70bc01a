// SPDX-License-Identifier: GPL-2.0

//! From netlink messages to text, compared with what stock ipvsadm 1.31
//! printed for the same table on Linux 7.3. The files under `golden` are its
//! output, untouched.

mod beyond_stock;

use std::net::IpAddr;

use lvs_wire::netlink::ipvs::{attr, dest as dest_id, stats as stats_id, svc, svc_flags};

use super::{
    conn, dest, drops, json, laddr, place::Namer, proc_conn, rule, service, title, toa, Style,
};
use crate::args::request::{Columns, Format};
use crate::model::dest::{Dest, Method, Methods};
use crate::model::info::Info;
use crate::model::laddr::LocalAddress;
use crate::model::service::{Extra, Service};
use crate::model::sort;
use crate::model::toa::{Counter, Prefix, Toa};
use crate::names::tests::NoNames;
use crate::nl::attrs::Malformed;
use crate::nl::builder::Builder;
use crate::nl::{ipvs, lvs as nl_lvs};

fn style(columns: Columns) -> Style<'static> {
    Style {
        format: Format {
            columns,
            ..Format::default()
        },
        namer: Namer { names: &NoNames },
    }
}

/// `PROTOCOL ADDRESS PORT` or `FWM MARK FAMILY`.
fn name(b: &mut Builder, words: &[&str]) {
    let number = |at: usize| words[at].parse::<u16>().unwrap();
    if words[0] == "FWM" {
        b.u16(svc::AF, number(2));
        b.u32(svc::FWMARK, number(1).into());
        return;
    }
    let addr: IpAddr = words[1].parse().unwrap();
    b.u16(svc::AF, if addr.is_ipv6() { 10 } else { 2 });
    b.u16(svc::PROTOCOL, if words[0] == "TCP" { 6 } else { 17 });
    b.addr16(svc::ADDR, addr);
    b.u16_be(svc::PORT, number(2));
}

fn stats(b: &mut Builder, kind: u16, totals: [u64; 5], rates: [u64; 5]) {
    b.nest(kind, |n| {
        for (at, value) in (stats_id::CONNS..).zip(totals.into_iter().chain(rates)) {
            n.bytes(at, &value.to_ne_bytes());
        }
    });
}

/// A service's message: its name, scheduler and engine, flags, timeout, mask.
fn service_message(
    words: &str,
    flags: u32,
    timeout: u32,
    mask: [u8; 4],
    totals: [u64; 5],
    rates: [u64; 5],
) -> Vec<u8> {
    let words: Vec<&str> = words.split(' ').collect();
    let mut b = Builder::default();
    b.nest(attr::SERVICE, |n| {
        name(n, &words);
        n.string(svc::SCHED_NAME, words[3]);
        if let Some(engine) = words.get(4) {
            n.string(svc::PE_NAME, engine);
        }
        let word = (flags | svc_flags::HASHED).to_ne_bytes();
        n.bytes(svc::FLAGS, &[word, [0xff; 4]].concat());
        n.u32(svc::TIMEOUT, timeout);
        n.bytes(svc::NETMASK, &mask);
        stats(n, svc::STATS64, totals, rates);
    });
    b.into_bytes()
}

/// A destination's message: address, port, method, weight; thresholds;
/// connections; tunnel's type, port, flags.
fn dest_message(
    words: &str,
    thresholds: [u32; 2],
    conns: [u32; 3],
    tunnel: [u16; 3],
    totals: [u64; 5],
    rates: [u64; 5],
) -> Vec<u8> {
    let words: Vec<&str> = words.split(' ').collect();
    let addr: IpAddr = words[0].parse().unwrap();
    let mut b = Builder::default();
    b.nest(attr::DEST, |n| {
        n.addr16(dest_id::ADDR, addr);
        n.u16_be(dest_id::PORT, words[1].parse().unwrap());
        n.u32(dest_id::FWD_METHOD, words[2].parse().unwrap());
        n.u32(dest_id::WEIGHT, words[3].parse().unwrap());
        n.u8(dest_id::TUN_TYPE, tunnel[0] as u8);
        n.u16_be(dest_id::TUN_PORT, tunnel[1]);
        n.u16(dest_id::TUN_FLAGS, tunnel[2]);
        n.u32(dest_id::U_THRESH, thresholds[0]);
        n.u32(dest_id::L_THRESH, thresholds[1]);
        n.u32(dest_id::ACTIVE_CONNS, conns[0]);
        n.u32(dest_id::INACT_CONNS, conns[1]);
        n.u32(dest_id::PERSIST_CONNS, conns[2]);
        n.u16(dest_id::ADDR_FAMILY, if addr.is_ipv6() { 10 } else { 2 });
        stats(n, dest_id::STATS64, totals, rates);
    });
    b.into_bytes()
}

const NONE: [u64; 5] = [0; 5];
const FULL: [u8; 4] = [255; 4];
const PERSISTENT: u32 = svc_flags::PERSISTENT;

/// The table of the golden files, in an order the kernel might give.
fn table() -> Vec<(Service, Vec<Dest>)> {
    let v6_mask = |prefix: u32| prefix.to_ne_bytes();
    let udp = [0, 0, 0, 1, 0];
    let services = [
        service_message("FWM 8 10 wrr", PERSISTENT, 100, v6_mask(64), NONE, NONE),
        service_message(
            "TCP 2001:db8::1 80 lc",
            0,
            0,
            v6_mask(128),
            [4, 4, 0, 320, 0],
            udp,
        ),
        service_message(
            "UDP 10.0.0.1 53 sh",
            svc_flags::ONE_PACKET | svc_flags::SCHED1 | svc_flags::SCHED2,
            0,
            FULL,
            NONE,
            NONE,
        ),
        service_message(
            "TCP 10.0.0.1 80 rr",
            0,
            0,
            FULL,
            [4, 4, 4, 240, 352],
            [0, 0, 0, 1, 1],
        ),
        service_message(
            "UDP 10.0.0.1 5060 rr sip",
            PERSISTENT,
            60,
            FULL,
            [4, 4, 0, 304, 0],
            udp,
        ),
        service_message(
            "TCP 192.168.200.1 443 wlc",
            PERSISTENT,
            300,
            [255, 255, 255, 0],
            NONE,
            NONE,
        ),
        service_message(
            "UDP 10.0.0.1 54 rr",
            PERSISTENT,
            50,
            FULL,
            [4, 4, 0, 512, 0],
            udp,
        ),
        service_message("FWM 7 2 wrr", PERSISTENT, 360, FULL, NONE, NONE),
    ];
    let services = services
        .iter()
        .map(|m| ipvs::service::decode(m).unwrap())
        .collect();
    sort::services(services)
        .into_iter()
        .map(|service| {
            let dests = dests_of(&service);
            (service, dests)
        })
        .collect()
}

fn dests_of(service: &Service) -> Vec<Dest> {
    let one = [1, 1, 1, 60, 88];
    let udp = [0, 0, 0, 1, 0];
    let (v4, none) = ([0; 2], [0; 3]);
    let messages = match service::name(&service.key, &style(Columns::Usual)).as_str() {
        "TCP  10.0.0.1:80" => vec![
            dest_message("172.16.0.9 80 2 1", v4, [1, 0, 0], none, one, NONE),
            dest_message("172.16.0.7 80 2 1", v4, [1, 0, 0], [2, 0, 0], one, NONE),
            dest_message("172.16.0.5 80 2 1", v4, [1, 0, 0], [1, 6080, 1], one, NONE),
            dest_message("172.16.0.3 80 3 1", v4, [1, 0, 0], none, one, NONE),
            dest_message("192.168.0.3 8080 0 0", v4, none_conns(), none, NONE, NONE),
            dest_message(
                "10.0.0.2 8080 0 3",
                [100, 50],
                none_conns(),
                none,
                NONE,
                NONE,
            ),
        ],
        "UDP  10.0.0.1:54" => vec![dest_message(
            "10.0.0.54 54 0 1",
            v4,
            [0, 4, 1],
            none,
            [4, 4, 0, 512, 0],
            udp,
        )],
        "UDP  10.0.0.1:5060" => {
            vec![dest_message(
                "10.0.0.54 5060 0 1",
                v4,
                [0, 4, 4],
                none,
                [4, 4, 0, 304, 0],
                udp,
            )]
        }
        "TCP  [2001:db8::1]:80" => {
            vec![dest_message(
                "2001:db8::2 8080 0 1",
                v4,
                [4, 0, 0],
                none,
                [4, 4, 0, 320, 0],
                udp,
            )]
        }
        "FWM  8 IPv6" => vec![dest_message(
            "2001:db8::8 0 3 1",
            v4,
            none_conns(),
            none,
            NONE,
            NONE,
        )],
        _ => Vec::new(),
    };
    let family = service.key.family();
    sort::dests(
        messages
            .iter()
            .map(|m| ipvs::dest::decode(m, family).unwrap())
            .collect(),
    )
}

fn none_conns() -> [u32; 3] {
    [0; 3]
}

fn listing(columns: Columns) -> String {
    let info = Info {
        version: 0x01_02_01,
        size: 512,
    };
    let style = style(columns);
    let mut out = title::banner(&info);
    out.push_str(&title::columns(columns));
    for (service, dests) in table() {
        out.push_str(&service::line(&service, &style));
        for dest in &dests {
            out.push_str(&dest::line(dest, service.key.protocol(), &style));
        }
    }
    out
}

#[test]
fn listings_are_stocks() {
    for (columns, golden) in [
        (Columns::Usual, include_str!("../golden/usual.txt")),
        (Columns::Stats, include_str!("../golden/stats.txt")),
        (Columns::Rate, include_str!("../golden/rate.txt")),
        (
            Columns::Thresholds,
            include_str!("../golden/thresholds.txt"),
        ),
        (
            Columns::Persistent,
            include_str!("../golden/persistent.txt"),
        ),
        (Columns::Tunnel, include_str!("../golden/tunnel.txt")),
    ] {
        assert_eq!(listing(columns), golden, "{columns:?}");
    }
}

#[test]
fn rules_are_stocks_and_the_thresholds() {
    let style = style(Columns::Usual);
    let mut out = String::new();
    for (service, dests) in table() {
        out.push_str(&rule::service(&service, &style));
        for dest in &dests {
            out.push_str(&rule::dest(&service.key, dest, &style));
        }
    }
    let golden = include_str!("../golden/rules.txt").replace(
        "10.0.0.2:8080 -m -w 3",
        "10.0.0.2:8080 -m -w 3 -x 100 -y 50",
    );
    assert_eq!(out, golden);
}

fn proc_listing(persistent: bool, golden: &str) {
    let mut style = style(Columns::Usual);
    style.format.persistent = persistent;
    let mut out = proc_conn::title(persistent);
    for line in include_str!("../golden/ip_vs_conn.txt").lines().skip(1) {
        out.push_str(&proc_conn::line(&proc_conn::parse(line).unwrap(), &style));
    }
    // The file and the two listings were read at different moments.
    assert_eq!(without_expiry(&out), without_expiry(golden));
}

fn without_expiry(text: &str) -> Vec<String> {
    let lines = text.lines();
    lines
        .map(|line| match line.get(4..9) {
            Some(time) if time.contains(':') => line.replace(time, "mm:ss"),
            _ => line.to_string(),
        })
        .collect()
}

#[test]
fn connections_are_stocks() {
    proc_listing(false, include_str!("../golden/conns.txt"));
    proc_listing(true, include_str!("../golden/conns-persistent.txt"));
    assert_eq!(conn::minutes(59), "00:59");
    assert_eq!(conn::minutes(900), "15:00");
    assert_eq!(conn::minutes(6_000), "100:00");
}

#[test]
fn a_message_that_lacks_something_is_an_error() {
    let whole = service_message("TCP 10.0.0.1 80 rr", 0, 0, FULL, NONE, NONE);
    assert!(ipvs::service::decode(&whole).is_ok());
    let mut b = Builder::default();
    b.nest(attr::SERVICE, |n| name(n, &["TCP", "10.0.0.1", "80"]));
    assert_eq!(
        ipvs::service::decode(&b.into_bytes()).unwrap_err(),
        Malformed::Missing(svc::SCHED_NAME)
    );
    for cut in 0..whole.len() {
        let _ = ipvs::service::decode(&whole[..cut]);
    }
}

#[test]
fn json_has_every_figure() {
    let info = Info {
        version: 0x01_02_01,
        size: 512,
    };
    let value = json::services(&info, &table());
    assert_eq!(value["version"], "1.2.1");
    let service = &value["services"][1];
    assert_eq!(service["address"], "10.0.0.1");
    assert_eq!(service["stats"]["out_bytes"], 352);
    assert_eq!(service["rates"]["in_bytes"], 1);
    assert_eq!(service["destinations"][1]["tunnel"]["port"], 6080);
    assert_eq!(service["destinations"][5]["upper_threshold"], 100);
    let marked = value["services"].as_array().unwrap().last().unwrap();
    assert_eq!(marked["fwmark"], 8);
    assert_eq!(marked["persistence"]["prefix_length"], 64);
}
