// SPDX-License-Identifier: GPL-2.0

//! Requests by hand, each in one line.

use std::net::IpAddr;

use lvs_wire::netlink::{
    ipvs::{self, dest, svc},
    lvs::{self, laddr},
    toa,
};

use crate::{
    family::{Family, TIMEOUTS},
    fields::{family, named, octets},
    message::{attr, nest, Attr, Message},
    model::{Key, State},
};

/// A service by its address: TCP.
pub(super) fn tcp(addr: &str, port: u16) -> Key {
    Key::Address(6, ip(addr), port)
}

/// A service by its address: UDP.
pub(super) fn udp(addr: &str, port: u16) -> Key {
    Key::Address(17, ip(addr), port)
}

fn ip(addr: &str) -> IpAddr {
    addr.parse().expect("it is an address")
}

/// Services that stay while others come and go: with the last one of a family
/// much would go, and be made anew.
pub(super) fn others() -> [Key; 2] {
    [udp("10.1.0.101", 9), udp("fd00:1::101", 9)]
}

/// Adds a service, by turns.
pub(super) fn new(key: &Key) -> Message {
    service(ipvs::cmd::NEW_SERVICE, key, "rr")
}

/// A request of the family `IPVS`.
pub(super) fn ipvs(command: u8, attrs: Vec<Attr>) -> Message {
    Message::new(Family::Ipvs, command, false, attrs)
}

/// A request of the family `LVS`.
pub(super) fn lvs(command: u8, attrs: Vec<Attr>) -> Message {
    Message::new(Family::Lvs, command, false, attrs)
}

/// The service that a request is about.
pub(super) fn of(key: &Key) -> Attr {
    nest(ipvs::attr::SERVICE, named(key))
}

/// As [`new`], and clients come back to their server.
pub(super) fn persistent(key: &Key) -> Message {
    service_as(ipvs::cmd::NEW_SERVICE, key, "rr", 360)
}

/// Adds or edits a service.
pub(super) fn service(command: u8, key: &Key, scheduler: &str) -> Message {
    service_as(command, key, scheduler, 0)
}

/// As [`service`]; clients come back for so many seconds, or not with 0.
fn service_as(command: u8, key: &Key, scheduler: &str, seconds: u32) -> Message {
    let mut attrs = named(key);
    let mask = if key.is_v6() {
        128u32.to_ne_bytes()
    } else {
        [255; 4]
    };
    attrs.extend([
        attr(svc::SCHED_NAME, format!("{scheduler}\0")),
        attr(
            svc::FLAGS,
            [u8::from(seconds > 0), 0, 0, 0, 255, 255, 255, 255],
        ),
        attr(svc::TIMEOUT, seconds.to_ne_bytes()),
        attr(svc::NETMASK, mask),
    ]);
    ipvs(command, vec![nest(ipvs::attr::SERVICE, attrs)])
}

/// Adds, edits or removes a destination at port 80.
pub(super) fn server(command: u8, key: &Key, addr: &str, method: u32, weight: u32) -> Message {
    server_at(command, key, (addr, 80), method, weight)
}

/// As [`server`], at any port.
pub(super) fn server_at(
    command: u8,
    key: &Key,
    (addr, port): (&str, u16),
    method: u32,
    weight: u32,
) -> Message {
    let addr = ip(addr);
    let attrs = vec![
        attr(dest::ADDR, octets(addr)),
        attr(dest::PORT, port.to_be_bytes()),
        attr(dest::ADDR_FAMILY, family(addr.is_ipv6())),
        attr(dest::FWD_METHOD, method.to_ne_bytes()),
        attr(dest::WEIGHT, weight.to_ne_bytes()),
        attr(dest::U_THRESH, [0; 4]),
        attr(dest::L_THRESH, [0; 4]),
    ];
    ipvs(command, vec![of(key), nest(ipvs::attr::DEST, attrs)])
}

/// Adds or removes a local address, of a service or for everybody.
pub(super) fn local(command: u8, key: Option<&Key>, addr: IpAddr) -> Message {
    let inner = vec![
        attr(laddr::AF, family(addr.is_ipv6())),
        attr(laddr::ADDR, octets(addr)),
    ];
    let mut attrs: Vec<Attr> = key.map(of).into_iter().collect();
    attrs.push(nest(lvs::attr::LADDR, inner));
    lvs(command, attrs)
}

/// Lets what requests would add take the place of all that there is: a rule has
/// its service, destination and local address under the numbers that requests
/// have them.
pub(super) fn replace(additions: &[Message]) -> Message {
    let rules = additions
        .iter()
        .map(|message| nest(lvs::attr::RULE, message.attrs.clone()));
    lvs(lvs::cmd::REPLACE, rules.collect())
}

/// As [`local`], by text.
pub(super) fn local_at(command: u8, key: Option<&Key>, addr: &str) -> Message {
    local(command, key, ip(addr))
}

/// Trusts a source, and sets the kinds.
pub(super) fn trust(addr: &str, is_alone: bool) -> Message {
    let mut attrs = vec![attr(toa::attr::KINDS, [254, 253])];
    if is_alone {
        attrs.push(attr(toa::attr::TRUSTED_RESET, []));
    }
    attrs.push(nest(
        toa::attr::TRUSTED,
        vec![attr(toa::trusted::ADDR, octets(ip(addr)))],
    ));
    Message::new(Family::Toa, toa::cmd::SET_CONFIG, false, attrs)
}

/// The three timeouts.
pub(super) fn timeouts(seconds: [u32; 3]) -> Message {
    let attrs = TIMEOUTS
        .iter()
        .zip(seconds)
        .map(|(number, seconds)| attr(*number, seconds.to_ne_bytes()));
    ipvs(ipvs::cmd::SET_CONFIG, attrs.collect())
}

/// What takes everything out of a namespace that is set to `state`, but for the
/// services `kept`.
pub(super) fn nothing(state: &State, kept: &[Key]) -> Vec<Message> {
    let mut messages = vec![timeouts([900, 120, 300]), trust("192.0.2.1", true)];
    for (owner, pool) in &state.pools {
        messages.extend(
            pool.iter()
                .map(|each| local(lvs::cmd::DEL_LADDR, owner.as_ref(), each.addr)),
        );
    }
    if kept.is_empty() {
        messages.push(ipvs(ipvs::cmd::FLUSH, vec![]));
    } else {
        let gone = state
            .services
            .iter()
            .filter(|service| !kept.contains(&service.key));
        messages.extend(gone.map(|service| ipvs(ipvs::cmd::DEL_SERVICE, vec![of(&service.key)])));
    }
    messages
}
