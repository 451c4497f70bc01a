// SPDX-License-Identifier: GPL-2.0

//! What stock has no text for.

use super::*;
use lvs_wire::netlink::lvs;

#[test]
fn fullnat_and_masq_only_stand_in_stocks_columns() {
    let (mut service, mut dests) = table().remove(1);
    service.extra = Some(Extra {
        masq_only: true,
        local_addresses: 0,
    });
    let last = dests.last_mut().unwrap();
    last.methods = Some(Methods {
        effective: Method::FULLNAT,
        configured: Method::MASQ,
    });
    let style = style(Columns::Usual);
    assert_eq!(
        service::line(&service, &style),
        "TCP  10.0.0.1:80 rr masq-only\n"
    );
    assert_eq!(
        dest::line(last, service.key.protocol(), &style),
        "  -> 10.0.0.2:8080                FullNat 3      0          0         \n"
    );
    // A rules file has what was asked for, not what came of it.
    assert_eq!(
        rule::dest(&service.key, last, &style),
        "-a -t 10.0.0.1:80 -r 10.0.0.2:8080 -m -w 3 -x 100 -y 50\n"
    );
    last.methods = Some(Methods {
        effective: Method::FULLNAT,
        configured: Method::FULLNAT,
    });
    assert!(rule::dest(&service.key, last, &style).contains(" --fullnat -w 3"));
    assert_eq!(
        rule::service(&service, &style),
        "-A -t 10.0.0.1:80 -s rr --masq-only\n"
    );
    // Between families the word for NAT would be refused.
    last.methods = None;
    last.settings.method = Method::MASQ;
    last.key.addr = "2001:db8::2".parse().unwrap();
    assert!(rule::dest(&service.key, last, &style).contains("]:8080 --fullnat -w 3"));
}

fn local(words: &[&str], addr: &str, state: &str) -> LocalAddress {
    let dedicated = u32::from(state == "dedicated");
    let draining = state == "draining";
    let mut b = Builder::default();
    if !words.is_empty() {
        b.nest(lvs::attr::SERVICE, |n| name(n, words));
    }
    b.nest(lvs::attr::LADDR, |n| {
        n.u16(lvs::laddr::AF, 2);
        n.addr(lvs::laddr::ADDR, addr.parse().unwrap());
        n.u32(lvs::laddr::CONNS, 7);
        n.u32(lvs::laddr::PORTS, 36280);
        n.bytes(lvs::laddr::EXHAUSTED, &2_u64.to_ne_bytes());
        n.u8(lvs::laddr::DRAINING, draining.into());
        stats(n, lvs::laddr::STATS, [9, 8, 7, 6, 5], NONE);
        n.u32(lvs::laddr::FLAGS, dedicated);
    });
    nl_lvs::laddr::decode(&b.into_bytes()).unwrap()
}

#[test]
fn local_addresses_are_listed_owner_by_owner() {
    let style = style(Columns::Usual);
    let service = ["TCP", "10.0.0.1", "80"];
    let owned = [
        local(&service, "192.168.0.10", "active"),
        local(&service, "192.168.0.11", "draining"),
    ];
    let out = [
        laddr::title(),
        laddr::lines(&[local(&[], "192.168.0.9", "dedicated")], &style),
        laddr::lines(&owned, &style),
    ]
    .concat();
    assert_eq!(
        out,
        "\
Prot VIP:VPORT                    TOTAL    SNAT_IP              CONFLICTS  CONNS      PORTS      STATE
default pool                      1        192.168.0.9          2          7          36280      dedicated
TCP  10.0.0.1:80                  2        192.168.0.10         2          7          36280      active
                                           192.168.0.11         2          7          36280      draining
"
    );
    let value = json::locals(&owned);
    assert_eq!(value["local_addresses"][1]["draining"], true);
    assert_eq!(value["local_addresses"][0]["service"]["port"], 80);
    assert_eq!(value["local_addresses"][0]["stats"]["connections"], 9);
}

fn connection(local: bool) -> Vec<u8> {
    use lvs::conn as id;
    let mut b = Builder::default();
    b.nest(lvs::attr::CONN, |n| {
        n.u16(id::PROTOCOL, 6);
        n.u16(id::CAF, 2);
        n.addr(id::CADDR, "203.0.113.5".parse().unwrap());
        n.u16_be(id::CPORT, 51000);
        n.addr(id::VADDR, "10.0.0.1".parse().unwrap());
        n.u16_be(id::VPORT, 80);
        n.u16(id::LAF, 2);
        if local {
            n.addr(id::LADDR, "192.168.0.10".parse().unwrap());
            n.u16_be(id::LPORT, 1025);
        }
        n.addr(id::DADDR, "172.16.0.2".parse().unwrap());
        n.u16_be(id::DPORT, 8080);
        n.string(id::STATE, "ESTABLISHED");
        n.u32(id::EXPIRES, 899);
        n.u32(id::METHOD, if local { 5 } else { 0 });
        n.u32(id::FLAGS, if local { 3 } else { 0 });
    });
    b.into_bytes()
}

#[test]
fn connections_show_both_legs() {
    let style = style(Columns::Usual);
    let full = nl_lvs::conn::decode(&connection(true)).unwrap();
    let plain = nl_lvs::conn::decode(&connection(false)).unwrap();
    assert_eq!(
        [conn::title(), conn::line(&full, &style), conn::line(&plain, &style)].concat(),
        "\
LVS connection entries
pro expire state       source                virtual               local                 destination           forward flags
TCP 14:59  ESTABLISHED 203.0.113.5:51000     10.0.0.1:80           192.168.0.10:1025     172.16.0.2:8080       FullNat toa,acked
TCP 14:59  ESTABLISHED 203.0.113.5:51000     10.0.0.1:80           -                     172.16.0.2:8080       Masq    -
"
    );
    let value = json::conns(&[full, plain]);
    assert_eq!(value["connections"][0]["local"]["port"], 1025);
    assert!(value["connections"][1].get("local").is_none());
}

#[test]
fn drops_have_hints() {
    use lvs::drop as id;
    let mut b = Builder::default();
    for (number, name, count) in [(0, "no_local_address", 3_u64), (1, "no_service", 0)] {
        b.nest(lvs::attr::DROP, |n| {
            n.u32(id::ID, number);
            n.string(id::NAME, name);
            n.string(id::HINT, "add one with -P");
            n.bytes(id::COUNT, &count.to_ne_bytes());
        });
    }
    let list = nl_lvs::drops::decode(&b.into_bytes()).unwrap();
    assert_eq!(
        drops::table(&list, &[]),
        "     Packets  Reason                     Hint\n           \
         3  no_local_address           add one with -P\n           \
         0  no_service                 add one with -P\n\n     \
         Packets  Event                      Hint\n"
    );
    assert_eq!(json::drops(&list, &list)["drops"][0]["count"], 3);
}

#[test]
fn toa_shows_settings_and_counters() {
    let state = Toa {
        counters: vec![Counter {
            name: "captured".into(),
            value: 12,
            hint: "clients learned".into(),
        }],
        kinds: vec![254, 253],
        trusted: vec![Prefix {
            addr: "10.0.0.0".parse().unwrap(),
            len: 8,
        }],
        entries: Some(4),
    };
    assert_eq!(
        toa::table(&state),
        "\
Kinds: 254,253
Trusted sources: 10.0.0.0/8
Connections with a client address: 4
       Count  Counter                  Meaning
          12  captured                 clients learned
"
    );
    assert_eq!(json::toa(&state)["counters"][0]["value"], 12);
    assert!(toa::table(&Toa::default()).contains("Trusted sources: any\n"));
}
