// SPDX-License-Identifier: GPL-2.0

//! The end of what nobody closes (`lvs_core/module/expiry.rs`).

use super::{flows::Flows, Director, Note};
use crate::planted::Planted;
use lvs_engine::conn::Reset;
use lvs_wire::{addr::Address, build};

impl Director {
    /// What runs once a second (`lvs_core/module/expiry.rs`).
    pub(crate) fn tick(&self) {
        self.turn(&self.v4);
        self.turn(&self.v6);
        self.turn(&self.v64);
        let mut dests = self.dests.borrow_mut();
        let now = self.now();
        self.templates
            .borrow_mut()
            .expire(now, |dest| dests[dest].templates -= 1);
        self.spaces.borrow_mut().tidy(now);
    }

    pub(super) fn turn<C: Address, S: Address>(&self, flows: &Flows<C, S>) {
        let mut resets = Vec::new();
        flows.expire(self, |entry, snapshot| {
            let pair = entry
                .conn
                .expiry_resets(snapshot)
                .filter(|_| self.settings.expire_rst && entry.local.is_some())?;
            resets.push((entry.serial, pair));
            Some(entry.conn.linger(snapshot, self.now()))
        });
        for (serial, (client, server)) in resets {
            self.reset_and_ask(serial, &client);
            self.reset_and_ask(serial, &server);
            self.note(Note::Lingers { serial });
        }
    }

    pub(super) fn reset<A: Address>(&self, serial: u64, reset: &Reset<A>) {
        let (seq, ack) = match self.has(Planted::CrossedReset) {
            true => (reset.ack, reset.seq),
            false => (reset.seq, reset.ack),
        };
        let bytes = build::rst(reset.src, reset.dst, seq, ack);
        let bytes = bytes.as_slice().to_vec();
        self.note(Note::Made { serial, bytes });
    }

    pub(super) fn reset_and_ask<A: Address>(&self, serial: u64, reset: &Reset<A>) {
        self.reset(serial, reset);
        let bytes = build::ack(reset.src, reset.dst, reset.probe_seq(), reset.ack);
        let bytes = bytes.as_slice().to_vec();
        self.note(Note::Made { serial, bytes });
    }
}
