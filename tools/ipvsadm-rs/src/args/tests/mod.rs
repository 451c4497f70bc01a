// SPDX-License-Identifier: GPL-2.0

//! Lines that are taken, and as what.

mod wrong;

use super::request::{Action, Columns, Listing, MasqOnly, Request};
use super::*;
use crate::model::daemon::Role;
use crate::model::dest::{DestKey, DestSettings, Method, Tunnel};
use crate::model::service::{Family, Mask, Protocol, ServiceKey, Settings};
use crate::model::toa::Prefix;
use crate::names::tests::NoNames;
use lvs_wire::netlink::ipvs::svc_flags;

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_string).collect()
}

fn read(line: &str) -> Result<Request, Failure> {
    Parser::new(&NoNames).parse(&words(line))
}

fn action(line: &str) -> Action {
    read(line)
        .unwrap_or_else(|e| panic!("{line}: {}", e.text))
        .action
}

fn tcp(addr: &str, port: u16) -> ServiceKey {
    ServiceKey::Address {
        protocol: Protocol::TCP,
        addr: addr.parse().unwrap(),
        port,
    }
}

fn plain(scheduler: &str) -> Settings {
    Settings {
        scheduler: scheduler.into(),
        flags: 0,
        timeout: 0,
        mask: Mask::full(Family::V4),
        engine: None,
    }
}

fn server(addr: &str, port: u16) -> DestKey {
    DestKey {
        addr: addr.parse().unwrap(),
        port,
    }
}

fn by(method: Method) -> DestSettings {
    DestSettings {
        method,
        weight: 1,
        upper: 0,
        lower: 0,
        tunnel: Tunnel::default(),
    }
}

#[test]
fn no_argument_lists() {
    assert_eq!(read(""), Ok(Request::list_all()));
}

#[test]
fn services_are_added_with_stocks_defaults() {
    let key = tcp("10.0.0.1", 80);
    assert_eq!(
        action("-A -t 10.0.0.1:80"),
        Action::AddService(key, plain("wlc"), MasqOnly::Keep)
    );
    assert_eq!(
        action("--edit-service --tcp-service=10.0.0.1:80 --scheduler rr --masq-only"),
        Action::EditService(key, plain("rr"), MasqOnly::On)
    );
    assert_eq!(
        action("-At10.0.0.1:80 -srr --no-masq-only -j disable"),
        Action::AddService(key, plain("rr"), MasqOnly::Off)
    );
}

#[test]
fn persistence_has_an_optional_time() {
    let settings = |line: &str| match action(line) {
        Action::AddService(_, settings, _) => settings,
        other => panic!("{other:?}"),
    };
    let s = settings("-A -t 10.0.0.1:0 -p");
    assert_eq!((s.flags, s.timeout), (svc_flags::PERSISTENT, 360));
    let s = settings("-A -t 10.0.0.1:80 -p -s rr");
    assert_eq!((s.timeout, s.scheduler.as_str()), (360, "rr"));
    let s = settings("-A -t 10.0.0.1:80 -p 60 -M 255.255.255.0 --pe sip");
    assert_eq!(s.timeout, 60);
    assert_eq!(s.mask, Mask::V4("255.255.255.0".parse().unwrap()));
    assert_eq!(s.engine.as_deref(), Some("sip"));
    let s = settings("-A -t [2001:db8::1]:80 -p60 -M 64");
    assert_eq!(s.mask, Mask::V6(64));
    let s = settings("-A -u 10.0.0.1:53 -o -s sh -b sh-port,sh-fallback");
    assert_eq!(
        s.flags,
        svc_flags::ONE_PACKET | svc_flags::SCHED1 | svc_flags::SCHED2
    );
}

#[test]
fn every_kind_of_service() {
    assert_eq!(
        action("-D --sctp-service 10.0.0.1:2905"),
        Action::DeleteService(ServiceKey::Address {
            protocol: Protocol::SCTP,
            addr: "10.0.0.1".parse().unwrap(),
            port: 2905
        })
    );
    for (line, family) in [
        ("-D -f 7", Family::V4),
        ("-D -6 -f 7", Family::V6),
        ("-D -f 7 -6", Family::V6),
    ] {
        assert_eq!(
            action(line),
            Action::DeleteService(ServiceKey::Mark { mark: 7, family })
        );
    }
}

#[test]
fn servers_inherit_what_stock_lets_them() {
    let service = tcp("10.0.0.1", 80);
    let add = |key, settings| Action::AddDest(service, key, settings);
    let line = "-a -t 10.0.0.1:80 -r";
    assert_eq!(
        action(&format!("{line} 10.0.0.2:8080 -m")),
        add(server("10.0.0.2", 8080), by(Method::MASQ))
    );
    assert_eq!(
        action(&format!("{line} 10.0.0.2 --fullnat")),
        add(server("10.0.0.2", 80), by(Method::FULLNAT))
    );
    // Routed and tunnelled packets keep their port.
    for (switch, method) in [
        ("-g", Method::ROUTE),
        ("", Method::ROUTE),
        ("-i", Method::TUNNEL),
    ] {
        assert_eq!(
            action(&format!("{line} 10.0.0.2:8080 {switch}")),
            add(server("10.0.0.2", 80), by(method))
        );
    }
    assert_eq!(
        action("-a -f 5 -r 10.0.0.2:8080 -g"),
        Action::AddDest(
            ServiceKey::Mark {
                mark: 5,
                family: Family::V4
            },
            server("10.0.0.2", 8080),
            by(Method::ROUTE)
        )
    );
}

#[test]
fn servers_have_weights_thresholds_and_tunnels() {
    let settings = |line: &str| match action(line) {
        Action::EditDest(_, _, settings) => settings,
        other => panic!("{other:?}"),
    };
    let line = "-e -t 10.0.0.1:80 -r 10.0.0.2:80";
    let s = settings(&format!("{line} -m -w 0 -x 100 -y 50"));
    assert_eq!((s.weight, s.upper, s.lower), (0, 100, 50));
    let s = settings(&format!(
        "{line} -i --tun-type gue --tun-port 6080 --tun-csum"
    ));
    assert_eq!(
        s.tunnel,
        Tunnel {
            kind: 1,
            port: 6080,
            flags: 1
        }
    );
    let s = settings(&format!(
        "{line} -i --tun-type gue --tun-port 1 --tun-remcsum"
    ));
    assert_eq!(s.tunnel.flags, 2);
    let s = settings(&format!("{line} -i --tun-type gre --tun-nocsum"));
    assert_eq!((s.tunnel.kind, s.tunnel.flags), (2, 0));
}

#[test]
fn listings() {
    let list = |line: &str| match action(line) {
        Action::List(listing) => listing,
        other => panic!("{other:?}"),
    };
    assert_eq!(list("-Ln"), Listing::Services(None));
    assert_eq!(
        list("-l -t 10.0.0.1:80"),
        Listing::Services(Some(tcp("10.0.0.1", 80)))
    );
    assert_eq!(list("-lcn"), Listing::Conns);
    assert_eq!(list("-Lc --conn-legs"), Listing::ConnLegs);
    assert_eq!(list("-L --conn-legs -n"), Listing::ConnLegs);
    assert_eq!(list("-L --timeout"), Listing::Timeouts);
    assert_eq!(list("-L --daemon"), Listing::Daemons);
    assert_eq!(list("-L --drops"), Listing::Drops);
    assert_eq!(list("-G"), Listing::Locals(None));
    assert_eq!(
        list("-Gn -t 10.0.0.1:80"),
        Listing::Locals(Some(tcp("10.0.0.1", 80)))
    );
}

#[test]
fn how_to_print() {
    let format = |line: &str| read(line).unwrap().format;
    let f = format("-Ln --stats --exact --nosort --sort --sort --json");
    assert!(f.numeric && f.exact && f.nosort && f.json);
    assert_eq!(f.columns, Columns::Stats);
    // Of several, stock shows the first of this order.
    assert_eq!(format("-L --rate --stats").columns, Columns::Stats);
    assert_eq!(format("-L --thresholds --rate").columns, Columns::Rate);
    assert_eq!(format("-L --thresholds").columns, Columns::Thresholds);
    assert_eq!(
        format("-L --persistent-conn --tun-info").columns,
        Columns::Persistent
    );
    assert_eq!(format("-L --tun-info").columns, Columns::Tunnel);
    assert_eq!(format("-L"), Default::default());
    assert!(format("-L -X").exact);
    assert!(format("-Lc --persistent-conn").persistent);
}

#[test]
fn the_other_commands() {
    assert_eq!(action("-C"), Action::Clear);
    assert_eq!(action("-Z"), Action::Zero(None));
    assert_eq!(
        action("-Z -t 10.0.0.1:80"),
        Action::Zero(Some(tcp("10.0.0.1", 80)))
    );
    assert_eq!(action("-R"), Action::Restore);
    assert_eq!(action("-R --replace"), Action::Replace);
    assert_eq!(action("-S -n"), Action::Save);
    assert_eq!(action("-h"), Action::Help);
    assert_eq!(action("--help"), Action::Help);
    assert_eq!(action("-v"), Action::Version);
    assert_eq!(
        action("-d -t 10.0.0.1:80 -r 10.0.0.2"),
        Action::DeleteDest(tcp("10.0.0.1", 80), server("10.0.0.2", 80))
    );
    match action("--set 900 0 300") {
        Action::SetTimeouts(t) => assert_eq!((t.tcp, t.tcp_fin, t.udp), (900, 0, 300)),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        action("--stop-daemon backup"),
        Action::StopDaemon(Role::Backup)
    );
}

#[test]
fn daemons() {
    let daemon = |line: &str| match action(line) {
        Action::StartDaemon(daemon) => daemon,
        other => panic!("{other:?}"),
    };
    let d = daemon("--start-daemon master");
    assert_eq!(
        (d.role, d.interface.as_str(), d.syncid),
        (Role::Master, "eth0", 0)
    );
    let d = daemon(
        "--start-daemon backup --mcast-interface eth1 --syncid 7 --sync-maxlen 1000 --mcast-group ff02::1 --mcast-port 9000 --mcast-ttl 4",
    );
    assert_eq!(
        (d.role, d.interface.as_str(), d.syncid),
        (Role::Backup, "eth1", 7)
    );
    assert_eq!((d.maxlen, d.port, d.ttl), (1000, 9000, 4));
    assert_eq!(d.group, Some("ff02::1".parse().unwrap()));
}

#[test]
fn local_addresses() {
    let lip = "192.168.0.10".parse().unwrap();
    assert_eq!(
        action("-P -t 10.0.0.1:80 -z 192.168.0.10"),
        Action::AddLocal(Some(tcp("10.0.0.1", 80)), lip, false)
    );
    assert_eq!(
        action("-P -z 192.168.0.10"),
        Action::AddLocal(None, lip, false)
    );
    assert_eq!(
        action("-P -z 192.168.0.10 --dedicated"),
        Action::AddLocal(None, lip, true)
    );
    assert_eq!(action("-Qz192.168.0.10"), Action::DeleteLocal(None, lip));
    assert_eq!(
        action("--del-laddr -f 3 --local-address 192.168.0.10"),
        Action::DeleteLocal(
            Some(ServiceKey::Mark {
                mark: 3,
                family: Family::V4
            }),
            lip
        )
    );
}

#[test]
fn who_and_toa() {
    let request = read("who 192.168.0.10:40001 --json").unwrap();
    assert!(request.format.json);
    match request.action {
        Action::Who(local) => assert_eq!(
            (local.addr.to_string().as_str(), local.port),
            ("192.168.0.10", 40001)
        ),
        other => panic!("{other:?}"),
    }
    assert_eq!(action("toa"), Action::Toa(Default::default()));
    match action("toa --kinds 254,253 --trust 10.0.0.0/8,192.168.0.1 --trust 2001:db8::/32") {
        Action::Toa(change) => {
            assert_eq!(change.kinds, Some(vec![254, 253]));
            let prefix = |addr: &str, len| Prefix {
                addr: addr.parse().unwrap(),
                len,
            };
            assert_eq!(
                change.trusted,
                Some(vec![
                    prefix("10.0.0.0", 8),
                    prefix("192.168.0.1", 32),
                    prefix("2001:db8::", 32)
                ])
            );
        }
        other => panic!("{other:?}"),
    }
    match action("toa --trust any") {
        Action::Toa(change) => assert_eq!(change.trusted, Some(Vec::new())),
        other => panic!("{other:?}"),
    }
}

/// With every option there is a line that is taken: none is only declared.
#[test]
fn every_option_is_used_in_these_tests() {
    let source = include_str!("mod.rs");
    for name in options::names() {
        let long = format!("--{name}");
        let short = SHORT.iter().find(|(n, _)| *n == name).map(|(_, s)| *s);
        assert!(
            source.contains(&long) || short.is_some_and(|s| source.contains(s)),
            "{name}"
        );
    }
}

const SHORT: &[(&str, &str)] = &[
    ("add-service", "-A "),
    ("delete-service", "-D "),
    ("clear", "\"-C\""),
    ("zero", "\"-Z\""),
    ("add-server", "-a "),
    ("edit-server", "-e "),
    ("delete-server", "-d "),
    ("restore", "\"-R\""),
    ("save", "-S "),
    ("add-laddr", "-P "),
    ("get-laddr", "\"-G\""),
    ("version", "\"-v\""),
    ("masquerading", "-m"),
    ("ipip", "-i"),
    ("gatewaying", "-g"),
    ("numeric", "-n"),
    ("connection", "-Lc"),
    ("ipv6", "-6"),
    ("ops", "-o"),
    ("udp-service", "-u "),
    ("fwmark-service", "-f "),
    ("netmask", "-M "),
    ("real-server", "-r "),
    ("weight", "-w "),
    ("u-threshold", "-x "),
    ("l-threshold", "-y "),
    ("sched-flags", "-b "),
    ("synproxy", "-j "),
    ("list", "-L"),
    ("persistent", "-p"),
];
