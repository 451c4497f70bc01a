// SPDX-License-Identifier: GPL-2.0

//! The YAML specs say what `lvs_wire` says, number for number.

use lvs_wire::netlink::{ipvs, lvs, toa};

/// `section/name = number` for each attribute and operation of a spec. Reads
/// just the layout our specs have: two blanks a level.
fn numbers(spec: &str) -> Vec<(String, u16)> {
    let mut found = Vec::new();
    let (mut set, mut name) = (String::new(), String::new());
    for line in spec.lines() {
        let depth = line.len().saturating_sub(line.trim_start().len());
        let line = line.trim();
        match (depth, line.split_once(": ")) {
            (0, _) => set = line.trim_end_matches(':').to_string(),
            (4, Some(("name", value))) => set = value.to_string(),
            (6 | 8, Some(("name", value))) => name = value.to_string(),
            (6 | 8 | 10, Some(("value", value))) => {
                found.push((format!("{set}/{name}"), value.parse().unwrap()));
            }
            _ => {}
        }
    }
    found
}

/// Every pair is in the spec, and in each of the sets there is nothing else.
fn agree(spec: &str, set: &str, pairs: &[(&str, u16)]) {
    let all = numbers(spec);
    let prefix = format!("{set}/");
    let there: Vec<(String, u16)> = all
        .into_iter()
        .filter(|(n, _)| n.starts_with(&prefix))
        .collect();
    let wanted: Vec<(String, u16)> = pairs
        .iter()
        .map(|(n, v)| (format!("{prefix}{n}"), *v))
        .collect();
    assert_eq!(there, wanted);
}

const LVS: &str = include_str!("../../../../Documentation/netlink/specs/lvs.yaml");
const TOA: &str = include_str!("../../../../Documentation/netlink/specs/toa.yaml");
const IPVS: &str = include_str!("../../../../Documentation/netlink/specs/ipvs.yaml");

fn stats_pairs() -> Vec<(&'static str, u16)> {
    use ipvs::stats as s;
    vec![
        ("conns", s::CONNS),
        ("inpkts", s::INPKTS),
        ("outpkts", s::OUTPKTS),
        ("inbytes", s::INBYTES),
        ("outbytes", s::OUTBYTES),
        ("cps", s::CPS),
        ("inpps", s::INPPS),
        ("outpps", s::OUTPPS),
        ("inbps", s::INBPS),
        ("outbps", s::OUTBPS),
        ("pad", s::PAD),
    ]
}

#[test]
fn the_names_are_the_kernels() {
    for (spec, name) in [(LVS, lvs::NAME), (TOA, toa::NAME), (IPVS, ipvs::NAME)] {
        assert!(spec.contains(&format!("\nname: {name}\n")));
    }
}

#[test]
fn lvs_attributes() {
    use lvs::{attr, conn, dest, drop, info, laddr, rule, svc};
    agree(
        LVS,
        "lvs",
        &[
            ("service", attr::SERVICE),
            ("dest", attr::DEST),
            ("laddr", attr::LADDR),
            ("conn", attr::CONN),
            ("drop", attr::DROP),
            ("info", attr::INFO),
            ("filter", attr::FILTER),
            ("rule", attr::RULE),
        ],
    );
    agree(
        LVS,
        "rule",
        &[
            ("service", rule::SERVICE),
            ("dest", rule::DEST),
            ("laddr", rule::LADDR),
            ("flags", rule::FLAGS),
        ],
    );
    // Of a service and a destination, what can be set.
    let told = |name: &str| ["stats", "conns"].iter().any(|end| name.contains(end));
    for (set, of) in [("rule-service", "service"), ("rule-dest", "dest")] {
        let prefix = format!("{of}/");
        let all = numbers(IPVS);
        let wanted: Vec<(&str, u16)> = all
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix(&prefix)?, *value)))
            .filter(|(name, _)| !told(name))
            .collect();
        agree(LVS, set, &wanted);
    }
    agree(
        LVS,
        "service",
        &[
            ("af", svc::AF),
            ("protocol", svc::PROTOCOL),
            ("addr", svc::ADDR),
            ("port", svc::PORT),
            ("fwmark", svc::FWMARK),
            ("flags", svc::FLAGS),
            ("laddrs", svc::LADDRS),
            ("sched", svc::SCHED),
        ],
    );
    agree(
        LVS,
        "dest",
        &[
            ("af", dest::AF),
            ("addr", dest::ADDR),
            ("port", dest::PORT),
            ("method", dest::METHOD),
            ("configured", dest::CONFIGURED),
            ("weight", dest::WEIGHT),
            ("active", dest::ACTIVE),
            ("inactive", dest::INACTIVE),
            ("stats", dest::STATS),
        ],
    );
    agree(
        LVS,
        "laddr",
        &[
            ("af", laddr::AF),
            ("addr", laddr::ADDR),
            ("conns", laddr::CONNS),
            ("ports", laddr::PORTS),
            ("exhausted", laddr::EXHAUSTED),
            ("draining", laddr::DRAINING),
            ("stats", laddr::STATS),
            ("flags", laddr::FLAGS),
        ],
    );
    agree(
        LVS,
        "conn",
        &[
            ("protocol", conn::PROTOCOL),
            ("caf", conn::CAF),
            ("caddr", conn::CADDR),
            ("cport", conn::CPORT),
            ("vaddr", conn::VADDR),
            ("vport", conn::VPORT),
            ("laf", conn::LAF),
            ("laddr", conn::LADDR),
            ("lport", conn::LPORT),
            ("daddr", conn::DADDR),
            ("dport", conn::DPORT),
            ("state", conn::STATE),
            ("expires", conn::EXPIRES),
            ("method", conn::METHOD),
            ("flags", conn::FLAGS),
        ],
    );
    agree(
        LVS,
        "drop",
        &[
            ("id", drop::ID),
            ("name", drop::NAME),
            ("hint", drop::HINT),
            ("count", drop::COUNT),
        ],
    );
    agree(
        LVS,
        "info",
        &[
            ("version", info::VERSION),
            ("conn-tab-size", info::CONN_TAB_SIZE),
            ("conns", info::CONNS),
            ("services", info::SERVICES),
            ("default-laddrs", info::DEFAULT_LADDRS),
        ],
    );
    agree(LVS, "stats", &stats_pairs());
}

#[test]
fn lvs_commands() {
    use lvs::cmd;
    agree(
        LVS,
        "operations",
        &[
            ("get-info", cmd::GET_INFO.into()),
            ("get-service", cmd::GET_SERVICE.into()),
            ("set-service", cmd::SET_SERVICE.into()),
            ("get-dest", cmd::GET_DEST.into()),
            ("new-laddr", cmd::NEW_LADDR.into()),
            ("del-laddr", cmd::DEL_LADDR.into()),
            ("get-laddr", cmd::GET_LADDR.into()),
            ("get-conn", cmd::GET_CONN.into()),
            ("get-drops", cmd::GET_DROPS.into()),
            ("get-events", cmd::GET_EVENTS.into()),
            ("replace", cmd::REPLACE.into()),
        ],
    );
}

#[test]
fn toa_numbers() {
    use toa::{attr, cmd, counter, trusted};
    agree(
        TOA,
        "toa",
        &[
            ("counter", attr::COUNTER),
            ("kinds", attr::KINDS),
            ("trusted", attr::TRUSTED),
            ("entries", attr::ENTRIES),
            ("trusted-reset", attr::TRUSTED_RESET),
        ],
    );
    agree(
        TOA,
        "counter",
        &[
            ("name", counter::NAME),
            ("value", counter::VALUE),
            ("hint", counter::HINT),
        ],
    );
    agree(
        TOA,
        "trusted",
        &[("addr", trusted::ADDR), ("prefix", trusted::PREFIX)],
    );
    agree(
        TOA,
        "operations",
        &[
            ("get-stats", cmd::GET_STATS.into()),
            ("get-config", cmd::GET_CONFIG.into()),
            ("set-config", cmd::SET_CONFIG.into()),
        ],
    );
}

#[test]
fn ipvs_attributes() {
    use ipvs::{attr, daemon, dest, info, svc};
    agree(
        IPVS,
        "ipvs",
        &[
            ("service", attr::SERVICE),
            ("dest", attr::DEST),
            ("daemon", attr::DAEMON),
            ("timeout-tcp", attr::TIMEOUT_TCP),
            ("timeout-tcp-fin", attr::TIMEOUT_TCP_FIN),
            ("timeout-udp", attr::TIMEOUT_UDP),
        ],
    );
    agree(
        IPVS,
        "info",
        &[
            ("version", info::VERSION),
            ("conn-tab-size", info::CONN_TAB_SIZE),
        ],
    );
    agree(
        IPVS,
        "service",
        &[
            ("af", svc::AF),
            ("protocol", svc::PROTOCOL),
            ("addr", svc::ADDR),
            ("port", svc::PORT),
            ("fwmark", svc::FWMARK),
            ("sched-name", svc::SCHED_NAME),
            ("flags", svc::FLAGS),
            ("timeout", svc::TIMEOUT),
            ("netmask", svc::NETMASK),
            ("stats", svc::STATS),
            ("pe-name", svc::PE_NAME),
            ("stats64", svc::STATS64),
        ],
    );
    agree(
        IPVS,
        "dest",
        &[
            ("addr", dest::ADDR),
            ("port", dest::PORT),
            ("fwd-method", dest::FWD_METHOD),
            ("weight", dest::WEIGHT),
            ("u-thresh", dest::U_THRESH),
            ("l-thresh", dest::L_THRESH),
            ("active-conns", dest::ACTIVE_CONNS),
            ("inact-conns", dest::INACT_CONNS),
            ("persist-conns", dest::PERSIST_CONNS),
            ("stats", dest::STATS),
            ("addr-family", dest::ADDR_FAMILY),
            ("stats64", dest::STATS64),
            ("tun-type", dest::TUN_TYPE),
            ("tun-port", dest::TUN_PORT),
            ("tun-flags", dest::TUN_FLAGS),
        ],
    );
    agree(
        IPVS,
        "daemon",
        &[
            ("state", daemon::STATE),
            ("mcast-ifn", daemon::MCAST_IFN),
            ("sync-id", daemon::SYNC_ID),
            ("sync-maxlen", daemon::SYNC_MAXLEN),
            ("mcast-group", daemon::MCAST_GROUP),
            ("mcast-group6", daemon::MCAST_GROUP6),
            ("mcast-port", daemon::MCAST_PORT),
            ("mcast-ttl", daemon::MCAST_TTL),
        ],
    );
    agree(IPVS, "stats", &stats_pairs());
    agree(IPVS, "stats64", &stats_pairs());
}

#[test]
fn ipvs_commands() {
    use ipvs::cmd;
    // Request, then reply where there is one; get-service dumps too.
    agree(
        IPVS,
        "operations",
        &[
            ("new-service", cmd::NEW_SERVICE.into()),
            ("set-service", cmd::SET_SERVICE.into()),
            ("del-service", cmd::DEL_SERVICE.into()),
            ("get-service", cmd::GET_SERVICE.into()),
            ("get-service", cmd::NEW_SERVICE.into()),
            ("get-service", cmd::GET_SERVICE.into()),
            ("get-service", cmd::NEW_SERVICE.into()),
            ("new-dest", cmd::NEW_DEST.into()),
            ("set-dest", cmd::SET_DEST.into()),
            ("del-dest", cmd::DEL_DEST.into()),
            ("get-dest", cmd::GET_DEST.into()),
            ("get-dest", cmd::NEW_DEST.into()),
            ("new-daemon", cmd::NEW_DAEMON.into()),
            ("del-daemon", cmd::DEL_DAEMON.into()),
            ("get-daemon", cmd::GET_DAEMON.into()),
            ("get-daemon", cmd::NEW_DAEMON.into()),
            ("set-config", cmd::SET_CONFIG.into()),
            ("get-config", cmd::GET_CONFIG.into()),
            ("get-config", cmd::SET_CONFIG.into()),
            ("get-info", cmd::GET_INFO.into()),
            ("get-info", cmd::SET_INFO.into()),
            ("zero", cmd::ZERO.into()),
            ("flush", cmd::FLUSH.into()),
        ],
    );
}
