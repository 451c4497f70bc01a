// SPDX-License-Identifier: GPL-2.0

//! The end of connections that nobody closes.

use crate::{
    conns::{each_pair, now, Flows, Last},
    family::Family,
    ns::Ns,
    packet::reset,
};
use core::{
    cell::Cell,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};
use kernel::sync::Arc;
use lvs_engine::{conn::Reset, drop_reason::Event};
use lvs_kapi::{
    gfp::Gfp,
    rcu::ReadLock,
    vec::Vec,
    work::{Again, Job},
};

/// What runs once a second in a namespace with services or connections.
pub(crate) struct Expiry {
    ns: Arc<Ns>,
    /// Of how many connections both ends can be told in the next turn.
    room: AtomicUsize,
}

/// As long as few are due.
const FEW: usize = 64;

/// When a link has failed and all are due at once: the others wait for the next
/// turns.
const MOST: usize = 16_384;

impl Expiry {
    pub(crate) const PERIOD_MS: u32 = 1000;

    pub(crate) fn new(ns: Arc<Ns>) -> Self {
        Self {
            ns,
            room: AtomicUsize::new(FEW),
        }
    }

    /// Ends what is due, and tells both ends of what was established, `room`
    /// pairs at most; whether others wait for the next turn.
    fn turn<C: Family, S: Family>(&self, flows: &Flows<C, S>, room: usize) -> bool {
        let ns = &self.ns;
        let timeouts = *ns.settings.timeouts(&ReadLock::new());
        // Filled under a lock, where no memory can be waited for. Without it
        // they end untold.
        let wanted = ns.settings.expire_rst.load(Relaxed) != 0 && !flows.is_empty();
        let room = if wanted { room } else { 0 };
        let list = Vec::<(Reset<C>, Reset<S>)>::with_capacity(room, Gfp::Kernel);
        let tell = wanted && list.is_ok();
        let resets = Cell::new(list.unwrap_or_else(|_| Vec::new()));
        let wait = Cell::new(false);
        flows.expire(
            &timeouts,
            ns.settings.conn_lfactor(),
            |entry, snapshot| {
                let pair = entry
                    .conn
                    .expiry_resets(snapshot)
                    .filter(|_| tell && entry.local.is_some());
                let Some(pair) = pair else {
                    return Last::Ends;
                };
                // Sent when the lock is gone that this is called under.
                let mut list = resets.take();
                let pushed = list.push_within(pair);
                resets.set(list);
                match pushed {
                    Ok(()) => Last::GoesOn(entry.conn.linger(snapshot, now())),
                    Err(_) => {
                        wait.set(true);
                        Last::Waits
                    }
                }
            },
            |taken| {
                if !taken {
                    let mut list = resets.take();
                    list.pop();
                    resets.set(list);
                }
            },
        );
        let resets = resets.into_inner();
        ns.with_net(|net| {
            for (client, server) in resets.iter() {
                // A section for each: many may be due at once.
                let rcu = ReadLock::new();
                reset::send_and_ask(net, &rcu, client);
                reset::send_and_ask(net, &rcu, server);
                ns.happened(Event::RstSentOnExpiry);
            }
        });
        wait.get()
    }
}

impl Job for Expiry {
    fn run(&self) -> Again {
        let Some(conns) = self.ns.conns() else {
            return Again::Stop;
        };
        if self.ns.has_orphans() {
            conns.end_orphans();
        }
        let room = self.room.load(Relaxed);
        let mut some_wait = false;
        each_pair!(conns, |flows| some_wait |= self.turn(flows, room));
        self.room.store(
            if some_wait {
                room.saturating_mul(4).min(MOST)
            } else {
                FEW
            },
            Relaxed,
        );
        conns.templates.expire();
        conns.spaces.tidy(now());
        self.ns.services.tidy();
        if conns.kept() == 0 && self.ns.services.len() == 0 {
            // The next service starts it again.
            return Again::Stop;
        }
        Again::AfterMs(Self::PERIOD_MS)
    }
}
