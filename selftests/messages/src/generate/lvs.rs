// SPDX-License-Identifier: GPL-2.0

//! Requests of the family `LVS`.

use std::net::IpAddr;

use lvs_wire::netlink::lvs::{self, conn, laddr, rule};

use super::{Generator, LOCAL, NOT_LOCAL, ODD_SERVERS, SERVERS};
use crate::{
    family::Family,
    fields::{family, octets},
    message::{attr, nest, Attr, Message},
};

impl Generator<'_> {
    pub(super) fn lvs(&mut self) -> Message {
        use lvs::cmd;
        let all = |command, attrs| Message::new(Family::Lvs, command, true, attrs);
        match self.rng.u32(..100) {
            0..=4 => Message::new(Family::Lvs, cmd::GET_INFO, false, vec![]),
            5..=14 => self.one_or_all(Family::Lvs, cmd::GET_SERVICE),
            15..=29 => {
                let key = self.key(true);
                let mut attrs = self.named(&key);
                let flags = if self.rarely(10) {
                    2
                } else {
                    self.rng.u32(..2)
                };
                attrs.push(attr(lvs::svc::FLAGS, flags.to_ne_bytes()));
                Message::new(
                    Family::Lvs,
                    cmd::SET_SERVICE,
                    false,
                    vec![nest(lvs::attr::SERVICE, attrs)],
                )
            }
            30..=36 => self.listing(Family::Lvs, cmd::GET_DEST),
            37..=66 => self.local(cmd::NEW_LADDR),
            67..=79 => self.local(cmd::DEL_LADDR),
            80..=84 if self.rng.bool() => all(cmd::GET_LADDR, vec![]),
            80..=84 => self.listing(Family::Lvs, cmd::GET_LADDR),
            85..=89 => {
                let attrs = self.filter();
                all(cmd::GET_CONN, attrs)
            }
            90..=92 => Message::new(Family::Lvs, cmd::GET_DROPS, false, vec![]),
            93..=94 => self.replace(),
            _ => Message::new(Family::Lvs, cmd::GET_EVENTS, false, vec![]),
        }
    }

    fn local(&mut self, command: u8) -> Message {
        let mut owner = (!self.rarely(5)).then(|| self.key(true));
        let mut addr = self.addr(&LOCAL, &NOT_LOCAL);
        // One that is there, which else hardly anybody would hit.
        if command == lvs::cmd::DEL_LADDR && self.rng.bool() {
            let pools: Vec<_> = self
                .state
                .pools
                .iter()
                .filter(|(_, pool)| !pool.is_empty())
                .collect();
            if let Some((key, pool)) = self.rng.choice(&pools) {
                owner.clone_from(key);
                addr = pool[self.rng.usize(..pool.len())].addr;
            }
        }
        let mut top = Vec::new();
        if let Some(key) = owner {
            top.push(nest(lvs::attr::SERVICE, self.named(&key)));
        }
        top.push(nest(lvs::attr::LADDR, self.local_attrs(addr)));
        Message::new(Family::Lvs, command, false, top)
    }

    fn local_attrs(&mut self, addr: IpAddr) -> Vec<Attr> {
        let mut attrs = vec![
            attr(laddr::AF, family(addr.is_ipv6())),
            attr(laddr::ADDR, octets(addr)),
        ];
        if self.rng.bool() {
            let flags = if self.rarely(10) {
                2
            } else {
                self.rng.u32(..2)
            };
            attrs.push(attr(laddr::FLAGS, flags.to_ne_bytes()));
        }
        attrs
    }

    /// A set, of what there is and what there might be.
    fn replace(&mut self) -> Message {
        let mut rules = Vec::new();
        for _ in 0..self.rng.u32(..5) {
            let known = self.rng.bool();
            let key = self.key(known);
            let mut service = vec![nest(rule::SERVICE, self.service_attrs(&key))];
            if self.rarely(3) {
                let flags = if self.rarely(20) { 2u32 } else { 1 };
                service.push(attr(rule::FLAGS, flags.to_ne_bytes()));
            }
            rules.push(service);
            let named = |this: &mut Self| nest(rule::SERVICE, this.named(&key));
            for _ in 0..self.rng.u32(..3) {
                let owner = named(self);
                let dest = self.dest_attrs(&key);
                rules.push(vec![owner, nest(rule::DEST, dest)]);
            }
            if self.rng.bool() {
                let addr = self.addr(&LOCAL, &NOT_LOCAL);
                let local = nest(rule::LADDR, self.local_attrs(addr));
                let owner = (!self.rarely(4)).then(|| named(self));
                rules.push(owner.into_iter().chain([local]).collect());
            }
        }
        // Something of its service before it, or of two kinds at once.
        if self.rarely(20) {
            self.rng.shuffle(&mut rules);
        }
        if self.rarely(20) {
            let odd: Vec<_> = rules.drain(..rules.len().min(2)).flatten().collect();
            rules.push(odd);
        }
        let rules = rules.into_iter().map(|attrs| nest(lvs::attr::RULE, attrs));
        Message::new(Family::Lvs, lvs::cmd::REPLACE, false, rules.collect())
    }

    fn filter(&mut self) -> Vec<Attr> {
        let mut attrs = Vec::new();
        for number in conn::PROTOCOL..=conn::DPORT {
            if !self.rarely(4) {
                continue;
            }
            let is_addr = [conn::CADDR, conn::VADDR, conn::LADDR, conn::DADDR].contains(&number);
            let value = if is_addr {
                octets(self.addr(&SERVERS, &ODD_SERVERS))
            } else {
                vec![0, 80]
            };
            attrs.push(attr(number, value));
        }
        if self.rarely(3) {
            vec![]
        } else {
            vec![nest(lvs::attr::FILTER, attrs)]
        }
    }
}
