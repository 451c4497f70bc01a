// SPDX-License-Identifier: GPL-2.0

//! Every command of the three families, where it changes something and where it
//! is first to need something.

use std::collections::BTreeSet;

use lvs_wire::netlink::{
    ipvs::{attr as top, cmd, daemon, fwd},
    lvs::{self, cmd as own},
    toa::cmd as toa,
};

use crate::{
    family::Family,
    message::{attr, nest, Message},
    model::Key,
    run::Outcome,
};

use super::{
    fixture::{asked, Fixture},
    requests::{
        ipvs, local_at, lvs, new, of, others, replace, server, service, tcp, timeouts, trust,
    },
    Walk,
};

/// A request, and what there is before it.
struct Operation {
    what: &'static str,
    before: Vec<Message>,
    message: Message,
    /// There is nothing else: what a namespace has while it has services is made, or goes.
    alone: bool,
}

fn op(what: &'static str, before: Vec<Message>, message: Message) -> Operation {
    Operation {
        what,
        before,
        message,
        alone: false,
    }
}

fn alone(what: &'static str, before: Vec<Message>, message: Message) -> Operation {
    Operation {
        what,
        before,
        message,
        alone: true,
    }
}

/// All of them.
pub(super) fn all(walk: &mut Walk) -> Outcome {
    let mut fixture = Fixture::new()?;
    let mut tried = BTreeSet::new();
    let others = others();
    fixture.reset(&others.each_ref().map(new))?;
    for Operation {
        what,
        before,
        message,
        alone,
    } in operations()
    {
        let (family, command) = asked(&message);
        tried.insert((family, command));
        let name = format!("{} {}, {what}", family.name(), family.command_name(command));
        walk.operation(&name, |nth, n| {
            // What failed has changed nothing.
            if n.0 == 1 || !fixture.is_set() {
                fixture.set(&before, if alone { &[] } else { &others })?;
            }
            fixture.fail(nth, n, &message)
        })?;
        if alone {
            fixture.reset(&others.each_ref().map(new))?;
        }
    }
    fixture.reset(&[])?;
    let all = Family::ALL.iter().flat_map(|family| {
        family
            .commands()
            .iter()
            .map(|command| (*family, command.number))
    });
    let left: Vec<_> = all.filter(|command| !tried.contains(command)).collect();
    if left.is_empty() {
        Ok(())
    } else {
        Err(format!("commands that were not tried: {left:?}"))
    }
}

fn operations() -> Vec<Operation> {
    let mut all = services();
    all.extend(servers());
    all.extend(locals());
    all.extend(sets());
    all.extend(rest());
    all
}

fn v4() -> Key {
    tcp("10.1.0.100", 80)
}

fn v6() -> Key {
    tcp("fd00:1::100", 80)
}

/// Some services and servers.
fn many() -> Vec<Message> {
    let server = |key, addr| server(cmd::NEW_DEST, key, addr, fwd::MASQ, 1);
    vec![
        new(&v4()),
        server(&v4(), "10.2.0.2"),
        server(&v4(), "10.2.0.3"),
        new(&v6()),
        server(&v6(), "fd00:2::2"),
    ]
}

fn services() -> Vec<Operation> {
    let mark = Key::Mark(7, false);
    let hashed = |scheduler| service(cmd::SET_SERVICE, &v4(), scheduler);
    vec![
        alone("the first", vec![], new(&v4())),
        alone("the first of IPv6", vec![new(&v4())], new(&v6())),
        op("another", many(), new(&tcp("10.1.0.100", 443))),
        op("by a mark", vec![new(&v4())], new(&mark)),
        op("one that is there", many(), new(&v4())),
        op("to a table of few", many(), hashed("sh")),
        op("to a table of many", many(), hashed("mh")),
        op(
            "to no table",
            [many(), vec![hashed("sh")]].concat(),
            hashed("wlc"),
        ),
        alone(
            "the last",
            vec![new(&v4())],
            ipvs(cmd::DEL_SERVICE, vec![of(&v4())]),
        ),
        op(
            "one of several",
            many(),
            ipvs(cmd::DEL_SERVICE, vec![of(&v6())]),
        ),
        alone("several", many(), ipvs(cmd::FLUSH, vec![])),
        alone("none", vec![], ipvs(cmd::FLUSH, vec![])),
        op("one", many(), ipvs(cmd::GET_SERVICE, vec![of(&v4())])),
        op(
            "all",
            many(),
            Message::new(Family::Ipvs, cmd::GET_SERVICE, true, vec![]),
        ),
        op("one", many(), ipvs(cmd::ZERO, vec![of(&v4())])),
        op("all", many(), ipvs(cmd::ZERO, vec![])),
    ]
}

fn servers() -> Vec<Operation> {
    let one = || {
        vec![
            new(&v4()),
            server(cmd::NEW_DEST, &v4(), "10.2.0.2", fwd::MASQ, 1),
        ]
    };
    let mut table = one();
    table.push(service(cmd::SET_SERVICE, &v4(), "sh"));
    let gone = [
        one(),
        vec![server(cmd::DEL_DEST, &v4(), "10.2.0.2", fwd::MASQ, 1)],
    ]
    .concat();
    let method = |command, method| server(command, &v4(), "10.2.0.3", method, 1);
    vec![
        op("NAT", one(), method(cmd::NEW_DEST, fwd::MASQ)),
        op("FULLNAT", one(), method(cmd::NEW_DEST, fwd::FULLNAT)),
        op("a tunnel", one(), method(cmd::NEW_DEST, fwd::TUNNEL)),
        op("direct", one(), method(cmd::NEW_DEST, fwd::DROUTE)),
        op(
            "into a table",
            table.clone(),
            method(cmd::NEW_DEST, fwd::MASQ),
        ),
        alone(
            "the first of its family",
            vec![new(&v6())],
            server(cmd::NEW_DEST, &v6(), "10.2.0.2", fwd::FULLNAT, 1),
        ),
        op(
            "one that was removed",
            gone,
            server(cmd::NEW_DEST, &v4(), "10.2.0.2", fwd::MASQ, 2),
        ),
        op(
            "its weight",
            one(),
            server(cmd::SET_DEST, &v4(), "10.2.0.2", fwd::MASQ, 3),
        ),
        op(
            "its weight in a table",
            table.clone(),
            server(cmd::SET_DEST, &v4(), "10.2.0.2", fwd::MASQ, 3),
        ),
        op(
            "to a tunnel",
            one(),
            server(cmd::SET_DEST, &v4(), "10.2.0.2", fwd::TUNNEL, 1),
        ),
        op(
            "the only one",
            one(),
            server(cmd::DEL_DEST, &v4(), "10.2.0.2", fwd::MASQ, 1),
        ),
        op(
            "out of a table",
            table,
            server(cmd::DEL_DEST, &v4(), "10.2.0.2", fwd::MASQ, 1),
        ),
        op(
            "of one",
            many(),
            Message::new(Family::Ipvs, cmd::GET_DEST, true, vec![of(&v4())]),
        ),
        op(
            "of one",
            many(),
            Message::new(Family::Lvs, own::GET_DEST, true, vec![of(&v4())]),
        ),
    ]
}

fn locals() -> Vec<Operation> {
    let add = |key: Option<&Key>, addr: &str| local_at(own::NEW_LADDR, key, addr);
    let delete = |key: Option<&Key>, addr: &str| local_at(own::DEL_LADDR, key, addr);
    let key = v4();
    let two = || {
        vec![
            new(&v4()),
            add(Some(&v4()), "10.9.0.1"),
            add(Some(&v4()), "10.9.0.2"),
        ]
    };
    let gone = [two(), vec![delete(Some(&key), "10.9.0.1")]].concat();
    let dump = |attrs| Message::new(Family::Lvs, own::GET_LADDR, true, attrs);
    vec![
        op("of no service", vec![], add(Some(&key), "10.9.0.1")),
        op("one more", two(), add(Some(&key), "10.9.0.3")),
        alone(
            "the first of IPv6",
            vec![new(&v6())],
            add(Some(&v6()), "fd00:9::1"),
        ),
        op("for everybody", two(), add(None, "10.9.0.3")),
        op("one that was removed", gone, add(Some(&key), "10.9.0.1")),
        op("one of two", two(), delete(Some(&key), "10.9.0.1")),
        op(
            "for everybody",
            vec![add(None, "10.9.0.3")],
            delete(None, "10.9.0.3"),
        ),
        op("unknown", two(), delete(Some(&v6()), "fd00:9::1")),
        op("all", two(), dump(vec![])),
        op("of one", two(), dump(vec![of(&key)])),
    ]
}

/// A set in place of another.
fn sets() -> Vec<Operation> {
    let local = |key: Option<&Key>, addr: &str| local_at(own::NEW_LADDR, key, addr);
    let with_locals = || {
        let locals = [local(Some(&v4()), "10.9.0.1"), local(None, "10.9.0.3")];
        [many(), locals.to_vec()].concat()
    };
    let gone = [
        with_locals(),
        vec![
            server(cmd::DEL_DEST, &v4(), "10.2.0.3", fwd::MASQ, 1),
            local_at(own::DEL_LADDR, Some(&v4()), "10.9.0.1"),
        ],
    ]
    .concat();
    // Of each kind something that stays, that changes, that goes and that comes.
    let another = || {
        vec![
            service(cmd::NEW_SERVICE, &v4(), "sh"),
            local(Some(&v4()), "10.9.0.2"),
            local(Some(&v4()), "10.9.0.1"),
            server(cmd::NEW_DEST, &v4(), "10.2.0.3", fwd::FULLNAT, 3),
            server(cmd::NEW_DEST, &v4(), "10.2.0.4", fwd::TUNNEL, 1),
            new(&Key::Mark(7, false)),
            local(Some(&tcp("10.1.0.100", 443)), "10.9.0.4"),
        ]
    };
    let others = || others().each_ref().map(new).to_vec();
    let beside = |set: Vec<Message>| replace(&[others(), set].concat());
    vec![
        op("by the same", with_locals(), beside(with_locals())),
        op("by another", with_locals(), beside(another())),
        op("by what was removed", gone, beside(with_locals())),
        alone("by the first", vec![], replace(&another())),
        alone("by nothing", with_locals(), replace(&[])),
    ]
}

fn rest() -> Vec<Operation> {
    let mut masq_only = of(&v4());
    if let crate::message::Value::Nest(attrs) = &mut masq_only.value {
        attrs.push(attr(
            lvs::svc::FLAGS,
            lvs::svc_flags::MASQ_ONLY.to_ne_bytes(),
        ));
    }
    let sync = vec![
        attr(daemon::STATE, [1, 0, 0, 0]),
        attr(daemon::MCAST_IFN, "lo\0"),
        attr(daemon::SYNC_ID, [7, 0, 0, 0]),
    ];
    let sync = || vec![nest(top::DAEMON, sync.clone())];
    let ask = |command| lvs(command, vec![]);
    let toa_ask = |command| Message::new(Family::Toa, command, false, vec![]);
    vec![
        op("all three", vec![], timeouts([100, 200, 300])),
        op("", vec![], ipvs(cmd::GET_CONFIG, vec![])),
        op("", many(), ipvs(cmd::GET_INFO, vec![])),
        op("refused", vec![], ipvs(cmd::NEW_DAEMON, sync())),
        op("refused", vec![], ipvs(cmd::DEL_DAEMON, sync())),
        alone(
            "none",
            vec![],
            Message::new(Family::Ipvs, cmd::GET_DAEMON, true, vec![]),
        ),
        op("", many(), ask(own::GET_INFO)),
        op("one", many(), lvs(own::GET_SERVICE, vec![of(&v4())])),
        op(
            "all",
            many(),
            Message::new(Family::Lvs, own::GET_SERVICE, true, vec![]),
        ),
        op(
            "NAT stays NAT",
            many(),
            lvs(own::SET_SERVICE, vec![masq_only]),
        ),
        alone(
            "none",
            many(),
            Message::new(Family::Lvs, own::GET_CONN, true, vec![]),
        ),
        op("", vec![], ask(own::GET_DROPS)),
        op("", vec![], ask(own::GET_EVENTS)),
        op(
            "one more source",
            vec![trust("192.0.2.2", false)],
            trust("2001:db8::1", false),
        ),
        op(
            "one source alone",
            vec![trust("192.0.2.2", false)],
            trust("2001:db8::1", true),
        ),
        op("", vec![], toa_ask(toa::GET_CONFIG)),
        op("", vec![], toa_ask(toa::GET_STATS)),
    ]
}
