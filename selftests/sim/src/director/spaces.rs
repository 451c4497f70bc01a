// SPDX-License-Identifier: GPL-2.0

//! The ports of local addresses, as the module keeps them
//! (`lvs_core/module/spaces.rs`): one [`PortSet`] for each protocol, local
//! address and server.

use lvs_engine::{
    conn::Protocol,
    isn,
    ports::{PortSet, Ranges, Turn},
    tcp::seq,
    time::Ticks,
};
use lvs_wire::addr::{AnyAddr, AnyEndpoint};
use std::collections::BTreeMap;

/// Which ports: of a local address, towards a server.
pub(crate) type Triple = (u8, AnyAddr, AnyEndpoint);

pub(crate) fn triple(protocol: Protocol, local: AnyAddr, real: AnyEndpoint) -> Triple {
    (protocol.number(), local, real)
}

struct Space {
    ports: PortSet<Box<[u64; 1024]>>,
    turn: Turn,
    released: Option<Ticks>,
    sequence: Option<u32>,
}

/// What a new connection gets.
pub(crate) struct Lease {
    pub(crate) port: u16,
    pub(crate) last_used: Option<Ticks>,
    pub(crate) sequence: Option<u32>,
}

#[derive(Default)]
pub(crate) struct Spaces(BTreeMap<Triple, Space>);

impl Spaces {
    /// A port, or, if all are in use, that which is for longest.
    pub(crate) fn lease(
        &mut self,
        triple: Triple,
        ranges: &Ranges,
        random: u32,
    ) -> Result<Lease, u16> {
        let space = self.0.entry(triple).or_insert_with(|| Space {
            ports: PortSet {
                words: Box::new([0; 1024]),
            },
            turn: Turn::new(ranges.nth(random)),
            released: None,
            sequence: None,
        });
        let taken = space.turn.take(&mut space.ports, ranges);
        let (port, is_again) = taken.ok_or(space.turn.cursor())?;
        Ok(Lease {
            port,
            last_used: space.released.filter(|_| is_again),
            sequence: space.sequence,
        })
    }

    /// Another port that is in use.
    pub(crate) fn in_use_beside(&self, triple: &Triple, ranges: &Ranges, port: u16) -> Option<u16> {
        let set = &self.0.get(triple)?.ports;
        ranges
            .round_from(port)
            .skip(1)
            .find(|other| set.is_taken(*other))
    }

    pub(crate) fn release(
        &mut self,
        triple: &Triple,
        port: u16,
        sequence: Option<u32>,
        now: Ticks,
    ) {
        if let Some(space) = self.0.get_mut(triple) {
            space.ports.free(port);
            space.released = Some(now);
            if let Some(sequence) = sequence {
                let known = space.sequence.map(|known| seq::later(known, sequence));
                space.sequence = Some(known.unwrap_or(sequence));
            }
        }
    }

    pub(crate) fn tidy(&mut self, now: Ticks) {
        self.0.retain(|_, space| {
            let quiet = |at: Ticks| now.is_after(at.after_seconds(isn::QUIET_SECONDS));
            !(space.ports.is_empty() && space.released.is_some_and(quiet))
        });
    }

    /// All there are.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Triple, &PortSet<Box<[u64; 1024]>>)> {
        self.0.iter().map(|(triple, space)| (triple, &space.ports))
    }
}
