// SPDX-License-Identifier: GPL-2.0

//! The end of connections that nobody closes.

use crate::{
    conns::{each_pair, now, Flows},
    family::Family,
    ns::Ns,
    packet::reset,
};
use core::{cell::Cell, sync::atomic::Ordering::Relaxed};
use kernel::sync::Arc;
use lvs_engine::{conn::Reset, drop_reason::Event};
use lvs_kapi::{
    gfp::Gfp,
    rcu::ReadLock,
    vec::Vec,
    work::{Again, Job},
};

/// What runs once a second in a namespace with services or connections.
pub(crate) struct Expiry(Arc<Ns>);

impl Expiry {
    pub(crate) const PERIOD_MS: u32 = 1000;

    pub(crate) fn new(ns: Arc<Ns>) -> Self {
        Self(ns)
    }

    /// Ends what is due, and tells both ends of what was established.
    fn turn<C: Family, S: Family>(&self, flows: &Flows<C, S>) {
        let ns = &self.0;
        let timeouts = *ns.settings.timeouts(&ReadLock::new());
        let tell = ns.settings.expire_rst.load(Relaxed) != 0;
        let resets = Cell::new(Vec::<(Reset<C>, Reset<S>)>::new());
        flows.expire(
            &timeouts,
            ns.settings.conn_lfactor(),
            |entry, snapshot| {
                let pair = entry
                    .conn
                    .expiry_resets(snapshot)
                    .filter(|_| tell && entry.local.is_some())?;
                // Sent when the lock is gone that this is called under.
                // Without memory for it the connection ends untold.
                let mut list = resets.take();
                let pushed = list.push(pair, Gfp::Atomic);
                resets.set(list);
                pushed.ok()?;
                Some(entry.conn.linger(snapshot, now()))
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
    }
}

impl Job for Expiry {
    fn run(&self) -> Again {
        let Some(conns) = self.0.conns() else {
            return Again::Stop;
        };
        if self.0.has_orphans() {
            conns.end_orphans();
        }
        each_pair!(conns, |flows| self.turn(flows));
        conns.templates.expire();
        conns.spaces.tidy(now());
        self.0.services.tidy();
        let left = conns.len().saturating_add(conns.templates.len());
        if left == 0 && self.0.services.len() == 0 {
            // The next service starts it again.
            return Again::Stop;
        }
        Again::AfterMs(Self::PERIOD_MS)
    }
}
