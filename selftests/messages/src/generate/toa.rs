// SPDX-License-Identifier: GPL-2.0

//! Requests of the family `TOA`.

use lvs_wire::netlink::toa;

use super::{Generator, ODD_SERVERS, SERVERS};
use crate::{
    family::Family,
    fields::octets,
    message::{attr, nest, Message},
};

impl Generator<'_> {
    pub(super) fn toa(&mut self) -> Message {
        use toa::cmd;
        match self.rng.u32(..10) {
            0 => Message::new(Family::Toa, cmd::GET_STATS, false, vec![]),
            1 => Message::new(Family::Toa, cmd::GET_CONFIG, false, vec![]),
            _ => {
                let mut attrs = Vec::new();
                if self.rng.bool() {
                    let count = self.rng.usize(1..=4);
                    let kinds = self.rng.choose_multiple([253u8, 254, 252, 100, 99], count);
                    attrs.push(attr(toa::attr::KINDS, kinds));
                }
                if self.rarely(6) {
                    attrs.push(attr(toa::attr::TRUSTED_RESET, []));
                }
                for _ in 0..self.rng.usize(..4) {
                    let addr = self.addr(&SERVERS, &ODD_SERVERS);
                    let most = if addr.is_ipv6() { 129 } else { 33 };
                    let mut source = vec![attr(toa::trusted::ADDR, octets(addr))];
                    if self.rng.bool() {
                        source.push(attr(toa::trusted::PREFIX, [self.rng.u8(..=most)]));
                    }
                    attrs.push(nest(toa::attr::TRUSTED, source));
                }
                Message::new(Family::Toa, cmd::SET_CONFIG, false, attrs)
            }
        }
    }
}
