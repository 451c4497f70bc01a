// SPDX-License-Identifier: GPL-2.0

//! Requests of the family `IPVS`.

use lvs_wire::netlink::ipvs::{self, daemon, dest, svc, svc_flags};

use super::{pick, Generator, NO_SCHEDULERS, SCHEDULERS};
use crate::{
    family::{Family, TIMEOUTS},
    fields::{family, octets},
    message::{attr, nest, Attr, Message},
    model::{Dest, Key},
};

impl Generator<'_> {
    pub(super) fn ipvs(&mut self) -> Message {
        use ipvs::cmd;
        let does = |command, attrs| Message::new(Family::Ipvs, command, false, attrs);
        match self.rng.u32(..1000) {
            0..=139 => self.service(cmd::NEW_SERVICE),
            140..=219 => self.service(cmd::SET_SERVICE),
            220..=269 => {
                let key = self.key(true);
                does(
                    cmd::DEL_SERVICE,
                    vec![nest(ipvs::attr::SERVICE, self.named(&key))],
                )
            }
            270..=319 => self.one_or_all(Family::Ipvs, cmd::GET_SERVICE),
            320..=569 => self.dest(cmd::NEW_DEST),
            570..=689 => self.dest(cmd::SET_DEST),
            690..=769 => self.dest(cmd::DEL_DEST),
            770..=809 => self.listing(Family::Ipvs, cmd::GET_DEST),
            810..=829 => does(cmd::NEW_DAEMON, vec![self.daemon()]),
            830..=849 => does(cmd::DEL_DAEMON, vec![self.daemon()]),
            850..=869 => Message::new(Family::Ipvs, cmd::GET_DAEMON, true, vec![]),
            870..=929 => does(cmd::SET_CONFIG, self.timeouts()),
            930..=944 => does(cmd::GET_CONFIG, vec![]),
            945..=959 => does(cmd::GET_INFO, vec![]),
            960..=998 if self.rng.bool() => does(cmd::ZERO, vec![]),
            960..=998 => {
                let key = self.key(true);
                does(cmd::ZERO, vec![nest(ipvs::attr::SERVICE, self.named(&key))])
            }
            _ => does(cmd::FLUSH, vec![]),
        }
    }

    fn service(&mut self, command: u8) -> Message {
        let key = self.key(command != ipvs::cmd::NEW_SERVICE);
        let attrs = self.service_attrs(&key);
        Message::new(
            Family::Ipvs,
            command,
            false,
            vec![nest(ipvs::attr::SERVICE, attrs)],
        )
    }

    /// A service with everything that it is to be set to.
    pub(super) fn service_attrs(&mut self, key: &Key) -> Vec<Attr> {
        let mut attrs = self.named(key);
        let list: &[&str] = if self.rarely(20) {
            &NO_SCHEDULERS
        } else {
            &SCHEDULERS
        };
        let mut scheduler = pick(self.rng, list).as_bytes().to_vec();
        // Tables of 65,521 places take their time.
        if scheduler == b"mh" && !self.rarely(4) {
            scheduler = b"wlc".to_vec();
        }
        scheduler.push(0);
        attrs.push(attr(svc::SCHED_NAME, scheduler));
        let mut flags = 0;
        for (flag, one_in) in [
            (svc_flags::PERSISTENT, 3),
            (svc_flags::HASHED, 4),
            (svc_flags::ONE_PACKET, 10),
            (svc_flags::SCHED1, 12),
            (svc_flags::SCHED2, 12),
            (svc_flags::SCHED3, 40),
            (0x40, 60),
        ] {
            flags |= if self.rarely(one_in) { flag } else { 0 };
        }
        let mask = if self.rarely(4) {
            self.rng.u32(..64)
        } else {
            u32::MAX
        };
        attrs.push(attr(
            svc::FLAGS,
            [flags.to_ne_bytes(), mask.to_ne_bytes()].concat(),
        ));
        attrs.push(attr(
            svc::TIMEOUT,
            pick(self.rng, &[0u32, 300, 360, u32::MAX]).to_ne_bytes(),
        ));
        let netmask = if key.is_v6() {
            let odd = self.rarely(12);
            pick(
                self.rng,
                if odd {
                    &[0u32, 129, u32::MAX]
                } else {
                    &[128u32, 64, 1]
                },
            )
            .to_ne_bytes()
        } else {
            let odd = self.rarely(12);
            pick(
                self.rng,
                if odd {
                    &[0xff00_ff00u32, 1, 128]
                } else {
                    &[u32::MAX, 0xffff_ff00, 0]
                },
            )
            .to_be_bytes()
        };
        attrs.push(attr(svc::NETMASK, netmask));
        if self.rarely(30) {
            attrs.push(attr(
                svc::PE_NAME,
                pick(self.rng, &["sip\0", "\0", "other\0"]),
            ));
        }
        attrs
    }

    /// Of a service that there is, most often: what it has, or might have.
    fn dest(&mut self, command: u8) -> Message {
        let key = self.key(true);
        let known: Option<Dest> = self
            .state
            .service(&key)
            .and_then(|service| self.rng.choice(&service.dests).cloned());
        let known = known.filter(|_| command != ipvs::cmd::NEW_DEST && !self.rng.u32(..8).eq(&0));
        let mut attrs = self.dest_name(&key, known);
        if command != ipvs::cmd::DEL_DEST || self.rarely(3) {
            self.numbers(&mut attrs);
        }
        let service = nest(ipvs::attr::SERVICE, self.named(&key));
        Message::new(
            Family::Ipvs,
            command,
            false,
            vec![service, nest(ipvs::attr::DEST, attrs)],
        )
    }

    /// A destination with everything that it is to be set to.
    pub(super) fn dest_attrs(&mut self, key: &Key) -> Vec<Attr> {
        let mut attrs = self.dest_name(key, None);
        self.numbers(&mut attrs);
        attrs
    }

    /// What names a destination: this one, or any that the service might have.
    fn dest_name(&mut self, key: &Key, known: Option<Dest>) -> Vec<Attr> {
        let (addr, port) = match known {
            Some(dest) => (dest.addr, dest.port),
            None => (self.server(key.is_v6()), pick(self.rng, &[80, 8080, 0])),
        };
        let mut attrs = vec![
            attr(dest::ADDR, octets(addr)),
            attr(dest::PORT, port.to_be_bytes()),
        ];
        if self.rng.bool() {
            self.pad(&mut attrs, dest::ADDR);
        }
        if addr.is_ipv6() != key.is_v6() || self.rng.bool() {
            attrs.push(attr(dest::ADDR_FAMILY, family(addr.is_ipv6())));
        }
        attrs
    }

    fn numbers(&mut self, attrs: &mut Vec<Attr>) {
        let odd = self.rarely(25);
        let method: u32 = pick(
            self.rng,
            if odd {
                &[4, 6, 7, 13, 0x100]
            } else {
                &[0, 0, 1, 2, 3, 5]
            },
        );
        let weight = if self.rarely(30) {
            u32::MAX
        } else {
            self.rng.u32(..4)
        };
        let upper = if self.rarely(30) {
            u32::MAX
        } else {
            pick(self.rng, &[0, 5, 1000])
        };
        let lower = if self.rarely(20) { 2000 } else { upper.min(5) };
        for (number, value) in [
            (dest::FWD_METHOD, method),
            (dest::WEIGHT, weight),
            (dest::U_THRESH, upper),
            (dest::L_THRESH, lower),
        ] {
            attrs.push(attr(number, value.to_ne_bytes()));
        }
        if self.rarely(3) {
            attrs.push(attr(dest::TUN_TYPE, [pick(self.rng, &[0u8, 1, 1, 2, 3])]));
            attrs.push(attr(
                dest::TUN_PORT,
                pick(self.rng, &[6080u16, 6080, 0]).to_be_bytes(),
            ));
            attrs.push(attr(
                dest::TUN_FLAGS,
                pick(self.rng, &[0u16, 0, 1, 2, 3, 0x100]).to_ne_bytes(),
            ));
        }
    }

    fn daemon(&mut self) -> Attr {
        let mut attrs = vec![attr(
            daemon::STATE,
            pick(self.rng, &[1u32, 2, 3]).to_ne_bytes(),
        )];
        if self.rng.bool() {
            attrs.push(attr(daemon::MCAST_IFN, "lo\0"));
        }
        if self.rng.bool() {
            attrs.push(attr(daemon::SYNC_ID, 7u32.to_ne_bytes()));
        }
        nest(ipvs::attr::DAEMON, attrs)
    }

    fn timeouts(&mut self) -> Vec<Attr> {
        let mut attrs = Vec::new();
        for number in TIMEOUTS {
            if self.rarely(4) {
                continue;
            }
            let seconds = if self.rarely(15) {
                pick(self.rng, &[8_589_935, u32::MAX])
            } else {
                self.rng.u32(..8_589_935)
            };
            attrs.push(attr(number, seconds.to_ne_bytes()));
        }
        attrs
    }
}
