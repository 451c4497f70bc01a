// SPDX-License-Identifier: GPL-2.0

//! Well-formed requests, most of which the state so far lets succeed. Few
//! names, so that requests meet; the addresses are those of the namespace that
//! `selftests/lib/messages.sh` makes.

mod ipvs;
mod lvs;
mod toa;

use std::net::IpAddr;

use fastrand::Rng;
use lvs_wire::netlink::ipvs::{attr as top, svc};

use crate::{
    family::Family,
    fields::named,
    message::{nest, Attr, Message, Value},
    model::{Key, Setting, State, SETTINGS},
};

// Two are local addresses, too: each can be the one or the other.
const VIRTUAL: [&str; 5] = [
    "10.1.0.100",
    "10.1.0.101",
    "10.9.0.1",
    "fd00:1::100",
    "fd00:9::1",
];
const LOCAL: [&str; 8] = [
    "10.9.0.1",
    "10.9.0.2",
    "10.9.0.3",
    "10.9.0.4",
    "fd00:9::1",
    "fd00:9::2",
    "fd00:9::3",
    "fd00:9::4",
];
const NOT_LOCAL: [&str; 8] = [
    "0.0.0.0",
    "127.0.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "::ffff:10.9.0.9",
];
const SERVERS: [&str; 8] = [
    "10.2.0.2",
    "10.2.0.3",
    "10.2.0.4",
    "10.2.0.5",
    "fd00:2::2",
    "fd00:2::3",
    "fd00:2::4",
    "fd00:2::5",
];
const ODD_SERVERS: [&str; 10] = [
    "0.0.0.0",
    "224.0.0.5",
    "255.255.255.255",
    "10.2.0.255",
    "203.0.113.9",
    "::",
    "ff02::1",
    "fe80::1",
    "2001:db8::9",
    "::ffff:10.2.0.2",
];
const SCHEDULERS: [&str; 13] = [
    "rr", "wrr", "lc", "wlc", "sed", "nq", "fo", "ovf", "twos", "sh", "dh", "mh", "none",
];
const NO_SCHEDULERS: [&str; 5] = ["lblc", "lblcr", "nosuch", "", "rrr"];
const PORTS: [u16; 4] = [80, 443, 5353, 0];

/// A generator of requests for one state.
pub(crate) struct Generator<'a> {
    pub(crate) rng: &'a mut Rng,
    pub(crate) state: &'a State,
}

fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.usize(..from.len())]
}

impl Generator<'_> {
    /// One in `n`.
    fn rarely(&mut self, n: u32) -> bool {
        self.rng.u32(..n) == 0
    }

    fn addr(&mut self, usual: &[&str], odd: &[&str]) -> IpAddr {
        let list = if self.rarely(25) { odd } else { usual };
        pick(self.rng, list).parse().expect("they are addresses")
    }

    /// A server's address, of the service's family most often.
    fn server(&mut self, v6: bool) -> IpAddr {
        let (own, other) = SERVERS.split_at(SERVERS.len() / 2);
        let list = if v6 != self.rarely(6) { other } else { own };
        self.addr(list, &ODD_SERVERS)
    }

    /// The key of a service: of one that there is, or of any.
    fn key(&mut self, known: bool) -> Key {
        if known && !self.state.services.is_empty() && !self.rarely(8) {
            let place = self.rng.usize(..self.state.services.len());
            return self.state.services[place].key.clone();
        }
        if self.rarely(8) {
            return Key::Mark(pick(self.rng, &[1, 2, 7, u32::MAX]), self.rng.bool());
        }
        let protocol = if self.rarely(30) {
            pick(self.rng, &[0, 1, 132, 262])
        } else {
            pick(self.rng, &[6, 17])
        };
        let addr = self.addr(&VIRTUAL, &VIRTUAL);
        Key::Address(protocol, addr, pick(self.rng, &PORTS))
    }

    /// Its name, in one of the ways that it may be written.
    fn named(&mut self, key: &Key) -> Vec<Attr> {
        let mut attrs = named(key);
        if self.rng.bool() {
            self.pad(&mut attrs, svc::ADDR);
        }
        attrs
    }

    /// An address in 16 bytes, as stock sends it.
    fn pad(&mut self, attrs: &mut [Attr], number: u16) {
        for attr in attrs.iter_mut().filter(|attr| attr.kind == number) {
            if let Value::Bytes(bytes) = &mut attr.value {
                bytes.resize(16, 0);
            }
        }
    }

    /// A request of a family.
    pub(crate) fn request(&mut self) -> Message {
        match self.rng.u32(..100) {
            0..=59 => self.ipvs(),
            60..=89 => self.lvs(),
            _ => self.toa(),
        }
    }

    fn one_or_all(&mut self, family: Family, command: u8) -> Message {
        if self.rng.bool() {
            return Message::new(family, command, true, vec![]);
        }
        let key = self.key(true);
        Message::new(
            family,
            command,
            false,
            vec![nest(top::SERVICE, self.named(&key))],
        )
    }

    fn listing(&mut self, family: Family, command: u8) -> Message {
        let key = self.key(true);
        Message::new(
            family,
            command,
            true,
            vec![nest(top::SERVICE, self.named(&key))],
        )
    }

    /// A setting, and what is written to it.
    pub(crate) fn setting(&mut self) -> (Setting, String) {
        let (name, min, max) = pick(self.rng, &SETTINGS);
        let value = match self.rng.u32(..10) {
            0 => min - 1,
            1 => max + 1,
            2 => pick(
                self.rng,
                &[
                    i64::from(i32::MAX),
                    1 << 31,
                    1 << 32,
                    1 << 40,
                    -1,
                    i64::from(i32::MIN),
                ],
            ),
            3 => min,
            4 => max,
            _ => self.rng.i64(min..=max),
        };
        let text = if self.rarely(20) {
            "x".to_string()
        } else {
            format!("{value}\n")
        };
        ((name, min, max), text)
    }

    /// What is written to the secret: one, or something else.
    pub(crate) fn secret(&mut self) -> String {
        let length = pick(self.rng, &[32, 32, 31, 33, 1, 63, 64, 200]);
        let mut text: String = (0..length)
            .map(|_| pick(self.rng, &['0', '9', 'a', 'F']))
            .collect();
        if self.rarely(4) {
            text.replace_range(0..1, "g");
        }
        text
    }
}
