// SPDX-License-Identifier: GPL-2.0

use super::*;
use crate::args::request::{Format, MasqOnly};
use crate::model::dest::{Dest, DestKey, DestSettings, Method, Methods, Tunnel};
use crate::model::laddr::LocalAddress;
use crate::model::service::{Extra, Family, Mask, Protocol, Service, ServiceKey, Settings};
use crate::model::stats::Stats;
use crate::names::tests::NoNames;
use crate::show::place::Namer;
use crate::show::{rule, Style};
use lvs_wire::netlink::ipvs::svc_flags;
use proptest::prelude::*;
use std::net::IpAddr;

fn read(text: &str) -> Result<Vec<Rule>, BadLine> {
    parse(text, &NoNames)
}

fn style() -> Style<'static> {
    Style {
        format: Format::default(),
        namer: Namer { names: &NoNames },
    }
}

#[test]
fn blank_lines_and_comments_are_counted_and_skipped() {
    let rules = read("# services\n\n  -A -t 10.0.0.1:80 -s rr # web\r\nipvsadm -C\n").unwrap();
    let lines: Vec<usize> = rules.iter().map(|r| r.line).collect();
    assert_eq!(lines, [3, 4]);
    assert_eq!(rules[1].request.action, Action::Clear);
}

#[test]
fn a_bad_line_is_named() {
    let bad = read("-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r x -m\n").unwrap_err();
    assert_eq!(
        (bad.line, bad.text.as_str()),
        (2, "-a -t 10.0.0.1:80 -r x -m")
    );
    let failure = bad.failure("Nothing was changed.");
    assert_eq!(failure.status, 2);
    assert!(failure
        .text
        .starts_with("line 2: `-a -t 10.0.0.1:80 -r x -m`: "));
    assert!(failure.text.ends_with(" Nothing was changed."));
}

#[test]
fn a_rules_file_does_not_read_another() {
    assert!(read("-R").is_err());
    assert!(read("toa").is_err());
}

#[test]
fn stocks_negative_marks_are_understood() {
    let rules = read("-D -f -294967296").unwrap();
    assert_eq!(
        rules[0].request.action,
        Action::DeleteService(ServiceKey::Mark {
            mark: 4_000_000_000,
            family: Family::V4
        })
    );
}

fn addresses() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<std::net::Ipv4Addr>().prop_map(IpAddr::V4),
        any::<std::net::Ipv6Addr>().prop_map(IpAddr::V6),
    ]
}

fn keys() -> impl Strategy<Value = ServiceKey> {
    let protocols = prop_oneof![
        Just(Protocol::TCP),
        Just(Protocol::UDP),
        Just(Protocol::SCTP)
    ];
    let families = prop_oneof![Just(Family::V4), Just(Family::V6)];
    prop_oneof![
        (protocols, addresses(), 1_u16..).prop_map(|(protocol, addr, port)| ServiceKey::Address {
            protocol,
            addr,
            port
        }),
        (1_u32.., families).prop_map(|(mark, family)| ServiceKey::Mark { mark, family }),
    ]
}

fn services() -> impl Strategy<Value = Service> {
    let persistence = prop::option::of((1_u32..2_678_400, any::<u32>(), 1_u32..129, any::<bool>()));
    let schedulers = prop_oneof![Just("rr"), Just("sh"), Just("mh"), Just("wlc")];
    (keys(), persistence, schedulers, 0_u32..8, any::<bool>()).prop_map(
        |(key, persistence, scheduler, bits, masq_only)| {
            let mut settings = Settings {
                scheduler: scheduler.into(),
                flags: bits << 3,
                timeout: 0,
                mask: Mask::full(key.family()),
                engine: None,
            };
            if let Some((timeout, mask, prefix, engine)) = persistence {
                settings.flags |= svc_flags::PERSISTENT;
                settings.timeout = timeout;
                settings.mask = match key.family() {
                    Family::V4 => Mask::V4(mask.into()),
                    Family::V6 => Mask::V6(prefix),
                };
                settings.engine = engine.then(|| "sip".into());
            }
            Service {
                key,
                settings,
                stats: Stats::default(),
                extra: Some(Extra {
                    masq_only,
                    local_addresses: 0,
                }),
            }
        },
    )
}

fn tunnels() -> impl Strategy<Value = Tunnel> {
    prop_oneof![
        Just(Tunnel::default()),
        (1_u16.., 0_u16..3).prop_map(|(port, flags)| Tunnel {
            kind: 1,
            port,
            flags
        }),
        (0_u16..2).prop_map(|flags| Tunnel {
            kind: 2,
            port: 0,
            flags
        }),
    ]
}

fn dests() -> impl Strategy<Value = (ServiceKey, Dest)> {
    let methods = prop_oneof![
        Just(Method::MASQ),
        Just(Method::FULLNAT),
        Just(Method::TUNNEL),
        Just(Method::ROUTE)
    ];
    let limits = (0_u32..0x8000_0000, 0_u32..0x8000_0000);
    (
        keys(),
        any::<[u8; 16]>(),
        any::<u16>(),
        methods,
        0_i32..65536,
        limits,
        tunnels(),
    )
        .prop_map(
            |(service, addr, port, method, weight, (upper, lower), tunnel)| {
                let addr = match service.family() {
                    Family::V4 => IpAddr::from([addr[0], addr[1], addr[2], addr[3]]),
                    Family::V6 => IpAddr::from(addr),
                };
                let routed = [Method::TUNNEL, Method::ROUTE].contains(&method);
                let named = matches!(service, ServiceKey::Address { .. });
                let port = if routed && named {
                    service.port()
                } else {
                    port
                };
                let tunnel = if method == Method::TUNNEL {
                    tunnel
                } else {
                    Tunnel::default()
                };
                let dest = Dest {
                    key: DestKey { addr, port },
                    settings: DestSettings {
                        // What the IPVS family says of a FULLNAT destination.
                        method: if method == Method::FULLNAT {
                            Method::MASQ
                        } else {
                            method
                        },
                        weight,
                        upper,
                        lower,
                        tunnel,
                    },
                    active: 0,
                    inactive: 0,
                    persistent: 0,
                    stats: Stats::default(),
                    methods: Some(Methods {
                        effective: method,
                        configured: method,
                    }),
                };
                (service, dest)
            },
        )
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[-a-zA-Z0-9.:\\[\\]/# \t\r\n]{0,200}") {
        let _ = read(&text);
    }

    #[test]
    fn services_come_back_as_they_were(service in services()) {
        let rules = read(&rule::service(&service, &style())).unwrap();
        let masq_only = match service.extra {
            Some(Extra { masq_only: true, .. }) => MasqOnly::On,
            _ => MasqOnly::Keep,
        };
        prop_assert_eq!(
            &rules[0].request.action,
            &Action::AddService(service.key, service.settings, masq_only)
        );
    }

    #[test]
    fn destinations_come_back_as_they_were((key, dest) in dests()) {
        let rules = read(&rule::dest(&key, &dest, &style())).unwrap();
        let settings = DestSettings { method: dest.method_configured(), ..dest.settings };
        prop_assert_eq!(&rules[0].request.action, &Action::AddDest(key, dest.key, settings));
    }

    #[test]
    fn local_addresses_come_back_as_they_were(
        service in prop::option::of(keys()), addr in addresses(), dedicated in any::<bool>(),
    ) {
        let local = LocalAddress {
            service, addr, dedicated, conns: 1, ports: 2, exhausted: 3, draining: false, stats: Stats::default(),
        };
        let rules = read(&rule::local(&local, &style())).unwrap();
        prop_assert_eq!(&rules[0].request.action, &Action::AddLocal(service, addr, dedicated));
    }
}
