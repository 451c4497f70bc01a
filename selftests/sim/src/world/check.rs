// SPDX-License-Identifier: GPL-2.0

//! What must hold at the end of a run, and of a connection that was reset.

use super::World;
use crate::{
    config::Config,
    oracle::Record,
    talk::{Ending, Outcome, Talk},
};

/// Packets that the network may have lost of a conversation before an end has
/// the right to give up.
const PATIENCE: u32 = 4;

impl World {
    /// Both ends of a connection that the director has reset know it, when the
    /// network has delivered all that was said about it.
    pub(super) fn check_told(&mut self, record: &Record) -> Result<(), String> {
        let (opened, tag) = (&record.opened, record.tag);
        self.at.0 = tag;
        let vanished = super::is_gone(self.talks[tag as usize].ending);
        let ends = [
            (&self.clients, opened.client, opened.virt),
            (&self.servers, opened.real, opened.local),
        ];
        for (hosts, local, remote) in ends {
            let mut sockets = hosts.iter().filter_map(|host| host.socket(local, remote));
            if let Some(socket) = sockets.find(|socket| socket.tag == tag && !socket.is_deaf) {
                let state = socket.state;
                return Err(format!(
                    "{local} was reset, and is in {state:?} towards {remote}"
                ));
            }
        }
        self.tally.add(match vanished {
            true => "silent connections of whose reset the server knows",
            false => "silent connections of whose reset both ends know",
        });
        Ok(())
    }

    /// The end of the run.
    pub(super) fn check_end(&mut self) -> Result<(), String> {
        for (number, talk) in self.talks.iter().enumerate().skip(1) {
            if let Some(what) = unexplained(talk) {
                self.at.0 = number as u32;
                return Err(what);
            }
        }
        for (number, director) in self.directors.iter().enumerate() {
            if director.len() != 0 || !self.books[number].live.is_empty() {
                return Err(format!("director {number} still has connections"));
            }
            // No connection has one any more.
            self.books[number].audit_ports(director)?;
            if let Some(dest) = director
                .dests
                .borrow()
                .iter()
                .find(|dest| dest.templates > 0)
            {
                return Err(format!("templates are left of {dest:?}"));
            }
            if director.largest_table() > 256 {
                self.tally.add("director: tables that have grown");
            }
            let remembered = self.books[number].remembered;
            self.tally.add_many(
                "new connections whose ports a server may remember",
                remembered,
            );
            let shares = self.books[number].shares.values();
            let checked = shares.map(|shares| shares.checked).sum();
            self.tally.add_many(
                "choices of a server held against its scheduler's rule",
                checked,
            );
        }
        self.count_talks();
        self.check_worth()
    }

    /// A run of the usual length that opens few connections, or whose
    /// conversations nearly all have an excuse, would prove little.
    fn check_worth(&self) -> Result<(), String> {
        if self.config.events < Config::FULL.events {
            return Ok(());
        }
        let tally = &self.tally;
        let opened = tally.of_all("opened: ");
        let ends =
            ["Whole", "Reset", "TimedOut"].map(|how| tally.of(&format!("ended, TCP: {how}")));
        let (untroubled, all) = (tally.of_all("untroubled, "), tally.of_all("ended, "));
        match opened >= 100 && !ends.contains(&0) && untroubled * 5 >= all {
            true => Ok(()),
            false => Err(format!(
                "{opened} connections, ended by FIN, RST and timeout {ends:?}, {untroubled} of {all} without excuse"
            )),
        }
    }
}

/// Why a conversation may not have gone as it did.
fn unexplained(talk: &Talk) -> Option<String> {
    let Some(outcome) = talk.outcome else {
        return Some(format!("it never ended: {talk:?}"));
    };
    if !talk.is_untroubled() {
        return None;
    }
    let lost = match talk.is_tcp {
        true => talk.lost > PATIENCE,
        false => talk.lost > 0,
    };
    let right = match talk.ending {
        _ if !talk.is_tcp => outcome == Outcome::Whole,
        Ending::ClientFin | Ending::ServerFin | Ending::BothFin => outcome == Outcome::Whole,
        Ending::ClientRst | Ending::ClientRstEarly | Ending::ServerRst | Ending::SynRst => {
            outcome == Outcome::Reset
        }
        Ending::ClientHalf | Ending::ServerHalf => {
            matches!(outcome, Outcome::TimedOut | Outcome::Refused)
        }
        Ending::Silence => matches!(outcome, Outcome::SilenceReset | Outcome::TimedOut),
        Ending::Vanish | Ending::SynOnly => outcome == Outcome::TimedOut,
    };
    let all = outcome != Outcome::Whole
        || !talk.is_tcp
        || (talk.client_got, talk.server_got) == (talk.replies(), talk.requests());
    match (right || lost) && all {
        true => None,
        false => Some(format!(
            "it ended by {outcome:?}, and nothing explains it: {talk:?}"
        )),
    }
}
