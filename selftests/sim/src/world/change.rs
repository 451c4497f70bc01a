// SPDX-License-Identifier: GPL-2.0

//! What operators do meanwhile: weights, servers, local addresses.

use super::{Event, World};
use crate::director::service::Dest;
use lvs_engine::conn::Method;

impl World {
    /// One change; whether there was one.
    pub(super) fn change(&mut self) -> bool {
        if self.over {
            return false;
        }
        let pause = self.rng.range(500_000, 6_000_000);
        self.queue.after(pause, Event::Change);
        let number = self.rng.index(self.directors.len());
        let director = &self.directors[number];
        let services = director.services.borrow().len();
        let at = self.rng.index(services);
        let what = match self.rng.index(9) {
            0 | 1 => self.change_weight(number, at),
            2 => self.remove_server(number, at),
            3 | 4 => self.restore_server(number, at),
            5 => self.remove_local(number, at),
            6 => self.restore_local(number, at),
            7 => self.set_clock_back(number),
            _ => self.change_scheduler(number, at),
        };
        let Some(what) = what else {
            return false;
        };
        self.tally.add(format!("changes: {what}"));
        let director = &self.directors[number];
        director.services.borrow_mut()[at].refresh(&director.dests.borrow());
        let now_ms = self.now_ms();
        self.books[number].changed(at, now_ms);
        self.tell(0, || format!("director {number}, service {at}: {what}"));
        true
    }

    /// A server of a service: its number.
    fn server(&mut self, director: usize, service: usize) -> Option<usize> {
        let services = self.directors[director].services.borrow();
        let dests = &services[service].dests;
        (!dests.is_empty()).then(|| *self.rng.pick(dests))
    }

    fn change_weight(&mut self, director: usize, service: usize) -> Option<&'static str> {
        let server = self.server(director, service)?;
        let weight = if self.rng.chance(3000) {
            0
        } else {
            self.rng.range(1, 6)
        };
        let mut dests = self.directors[director].dests.borrow_mut();
        let mut config = dests[server].config;
        config.weight = weight as u32;
        dests[server].change(config);
        Some(if weight == 0 {
            "server quiesced"
        } else {
            "weight"
        })
    }

    fn remove_server(&mut self, director: usize, service: usize) -> Option<&'static str> {
        let server = self.server(director, service)?;
        let director = &self.directors[director];
        let mut services = director.services.borrow_mut();
        let list = &mut services[service].dests;
        if list.len() < 2 {
            return None;
        }
        list.retain(|at| *at != server);
        director.dests.borrow_mut()[server].available = false;
        Some("server removed")
    }

    /// A server that was removed comes back, with its connections if it still
    /// has some.
    fn restore_server(&mut self, director: usize, service: usize) -> Option<&'static str> {
        let director = &self.directors[director];
        let mut services = director.services.borrow_mut();
        let mut dests = director.dests.borrow_mut();
        let list = &mut services[service].dests;
        let port = list.first().map(|at| dests[*at].real)?;
        let same_service = |dest: &Dest| {
            dest.real.port == port.port && dest.real.addr.is_ipv4() == port.addr.is_ipv4()
        };
        let gone = |dest: &Dest| !dest.available && same_service(dest);
        let found = dests.iter().position(gone)?;
        let (real, config) = (dests[found].real, dests[found].config);
        if list.iter().any(|at| dests[*at].real == real) {
            return None;
        }
        if (dests[found].total, dests[found].templates) == (0, 0) {
            list.push(dests.len());
            dests.push(Dest::new(real, config));
            return Some("server added");
        }
        dests[found].available = true;
        list.push(found);
        Some("server brought back")
    }

    fn remove_local(&mut self, director: usize, service: usize) -> Option<&'static str> {
        let director = &self.directors[director];
        let own = self.rng.chance(7000);
        let mut services = director.services.borrow_mut();
        let mut default = director.default_pool.borrow_mut();
        let members = match own {
            true => &mut services[service].pool.members,
            false => &mut default.members,
        };
        if members.is_empty() {
            return None;
        }
        members.remove(self.rng.index(members.len()));
        Some("local address removed")
    }

    /// A local address that is in no pool goes to the service's, if its servers
    /// are of its family.
    fn restore_local(&mut self, director: usize, service: usize) -> Option<&'static str> {
        let director = &self.directors[director];
        let mut services = director.services.borrow_mut();
        let mut default = director.default_pool.borrow_mut();
        let (locals, dests) = (director.locals.borrow(), director.dests.borrow());
        let in_use = |at: &usize| {
            default.members.contains(at) || services.iter().any(|s| s.pool.members.contains(at))
        };
        let free = (0..locals.len()).find(|at| !in_use(at))?;
        let to_service = services[service].dests.first().is_some_and(|at| {
            let dest = &dests[*at];
            dest.config.method != Method::Droute
                && dest.real.addr.is_ipv4() == locals[free].addr.is_ipv4()
        });
        match to_service && !services[service].masq_only {
            true => services[service].pool.members.push(free),
            false => default.members.push(free),
        }
        Some("local address added")
    }

    fn change_scheduler(&mut self, director: usize, service: usize) -> Option<&'static str> {
        let scheduler = super::build::scheduler(&mut self.rng);
        let mut services = self.directors[director].services.borrow_mut();
        services[service].config.scheduler = scheduler;
        Some("scheduler")
    }

    fn set_clock_back(&mut self, director: usize) -> Option<&'static str> {
        let seconds = self.rng.range(1, 60);
        let done = self.directors[director].set_back(seconds);
        done.then_some("clock set back")
    }
}
