// SPDX-License-Identifier: GPL-2.0

//! The tables and counters of a director, held against its [`Book`].

use super::{time, Book, LATE_MS};
use crate::{director::Director, inet::End};
use lvs_engine::tcp::TcpState;
use std::collections::BTreeMap;

impl Book {
    /// Holds all that is in the tables, and what is counted of it, against the
    /// book.
    pub(crate) fn audit(&self, director: &Director, now_ms: u64) -> Result<(), String> {
        let mut seen = 0;
        let mut faults = Vec::new();
        let mut dests: BTreeMap<usize, (u32, u32)> = BTreeMap::new();
        let mut locals: BTreeMap<usize, u32> = BTreeMap::new();
        director.for_each(|serial, snapshot| {
            seen += 1;
            let Some(record) = self.live.get(&serial) else {
                faults.push(format!("connection {serial} has ended and is in the table"));
                return;
            };
            let opened = &record.opened;
            let most = time::seconds(&self.times, opened.is_tcp, opened.method, snapshot) * 1000;
            let silent = now_ms.saturating_sub(record.last_ms);
            if silent > most + LATE_MS {
                let state = snapshot.state.tcp();
                faults.push(format!(
                    "{opened:?} in {state:?} lives {silent} ms in silence"
                ));
            }
            if record.is_reset && snapshot.state.tcp() == TcpState::Established && !record.is_odd {
                faults.push(format!("{opened:?} is established after a RST"));
            }
            let (total, active) = dests.entry(opened.dest).or_default();
            *total += 1;
            *active += u32::from(time::is_active(opened.is_tcp, snapshot));
            if let Some(local) = opened.local_number {
                *locals.entry(local).or_default() += 1;
            }
        });
        if seen != self.live.len() || seen != director.len() {
            faults.push(format!(
                "{} connections, {seen} in the table",
                self.live.len()
            ));
        }
        for (number, dest) in director.dests.borrow().iter().enumerate() {
            let counted = dests.get(&number).copied().unwrap_or_default();
            if counted != (dest.total, dest.active) {
                faults.push(format!(
                    "{counted:?} connections, all and active, of {dest:?}"
                ));
            }
        }
        for (number, local) in director.locals.borrow().iter().enumerate() {
            let counted = locals.get(&number).copied().unwrap_or_default();
            if counted != local.conns {
                faults.push(format!("{counted} connections of {local:?}"));
            }
        }
        match faults.into_iter().next() {
            None => Ok(()),
            Some(fault) => Err(fault),
        }
    }

    /// Holds the ports that are in use against those that connections have.
    pub(crate) fn audit_ports(&self, director: &Director) -> Result<(), String> {
        let mut ports: BTreeMap<_, Vec<u16>> = BTreeMap::new();
        for record in self
            .live
            .values()
            .filter(|record| record.opened.local_number.is_some())
        {
            let opened = &record.opened;
            let protocol = if opened.is_tcp { 6 } else { 17 };
            let triple = (protocol, opened.local.addr, opened.real);
            ports.entry(triple).or_default().push(opened.local.port);
        }
        director.for_each_space(|triple, set| {
            let conns = ports.remove(triple).unwrap_or_default();
            // Whether they are different ports has been seen when they were taken.
            match set.used() as usize == conns.len() && conns.iter().all(|port| set.is_taken(*port))
            {
                true => Ok(()),
                false => Err(format!(
                    "connections have ports {conns:?} of {triple:?}, {} are in use",
                    set.used()
                )),
            }
        })?;
        match ports.first_key_value() {
            None => Ok(()),
            Some((triple, conns)) => Err(format!("ports {conns:?} of {triple:?} are free")),
        }
    }

    /// How many connections have a port of `local` towards a server.
    pub(crate) fn ports_of(&self, local: std::net::IpAddr, is_tcp: bool, real: End) -> u32 {
        let low = (is_tcp, End::new(local, 0), real);
        let high = (is_tcp, End::new(local, u16::MAX), real);
        let all = self.quads.range(low..=high);
        all.filter(|((_, _, other), _)| *other == real).count() as u32
    }
}
