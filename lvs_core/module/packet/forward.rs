// SPDX-License-Identifier: GPL-2.0

//! A packet of a connection: its state, its headers, its way.

use super::{head::Head, request, reset, Context};
use crate::conns::{now, Connection, Conns, V4};
use lvs_engine::{
    conn::{Admission, Answer, Conn, Dir, Snapshot, ToaKinds},
    drop_reason::{DropReason, Event},
    rates::Window,
    time::Ticks,
};
use lvs_kapi::{
    netfilter::Verdict,
    route::Route,
    skb::{self, Packet, RewriteError, Rewritten, Traits},
};
use lvs_table::Ref;
use lvs_wire::{
    ip::{Network, TtlStep},
    rewrite::{options::ToaOutcome, Error, Plan},
};

/// Handles a packet that a connection was found for.
#[inline]
#[expect(
    clippy::too_many_arguments,
    reason = "one call of the packet path, in registers"
)]
pub(super) fn packet(
    cx: Context<'_>,
    conns: &Conns,
    packet: Packet,
    traits: Traits,
    head: &Head,
    entry: Ref<'_, Connection>,
    dir: Dir,
    hop: TtlStep,
) -> Verdict {
    let segment = head.segment(dir);
    let before = entry.snapshot();
    if before.state.is_lingering() {
        if let Some(verdict) = linger(cx, &entry, before, head, dir) {
            drop(packet);
            return verdict;
        }
    }
    if dir == Dir::In {
        match entry.conn.admit(
            before,
            &segment,
            entry.dest.status(),
            cx.ns.settings.reuse(),
        ) {
            Admission::Continue => {}
            Admission::Drop(reason) => return cx.drop(packet, reason),
            Admission::Reschedule => {
                conns.remove(entry);
                cx.ns.happened(Event::ConnectionReused);
                return request::packet(cx, conns, packet, traits, head);
            }
        }
    }
    let timeouts = cx.ns.settings.timeouts(cx.rcu);
    let now = now();
    let snapshot = conns.step(entry, &segment, now, timeouts);
    transmit(cx, packet, traits, head, &entry, snapshot, dir, hop, now)
}

/// Rewrites and sends a packet in the state that it met.
#[inline]
#[expect(
    clippy::too_many_arguments,
    reason = "one call of the packet path, in registers"
)]
pub(super) fn transmit(
    cx: Context<'_>,
    packet: Packet,
    traits: Traits,
    head: &Head,
    entry: &Connection,
    snapshot: Snapshot,
    dir: Dir,
    hop: TtlStep,
    now: Ticks,
) -> Verdict {
    let len = packet.len();
    let conn = &entry.conn;
    let sent = match dir {
        Dir::In => {
            let mut plan = conn.plan_in(snapshot, head.flags(), &ToaKinds::DEFAULT);
            plan.ttl = hop;
            let grows = u32::from(if conn.inserts_toa(snapshot) {
                Conn::<V4, V4>::TOA_LEN
            } else {
                0
            });
            let job = Job {
                packet,
                traits,
                head,
                plan,
                grows,
            };
            entry
                .dest
                .with_route(cx.net, cx.rcu, conn.local.addr, move |route| {
                    job.run(cx, route)
                })
        }
        Dir::Out => {
            let mut plan = conn.plan_out(head.flags());
            plan.ttl = hop;
            if plan.tcp.is_some_and(|edit| edit.mss_lower != 0) {
                cx.ns.happened(Event::MssLowered);
            }
            let mark = packet.mark();
            let route = Route::ip4(cx.net, conn.client.addr, conn.virt.addr, mark, 0);
            let job = Job {
                packet,
                traits,
                head,
                plan,
                grows: 0,
            };
            route.map(|route| job.run(cx, &route))
        }
    };
    match sent {
        // The packet went with the closure.
        None => {
            cx.ns.dropped(DropReason::NoRoute);
            Verdict::Taken
        }
        Some(Err(reason)) => {
            cx.ns.dropped(reason);
            Verdict::Taken
        }
        Some(Ok(done)) => {
            count(cx, entry, len, dir, Window::of(now));
            note(cx, done);
            Verdict::Taken
        }
    }
}

/// A packet, and what it is to become.
struct Job<'a, A> {
    packet: Packet,
    traits: Traits,
    head: &'a Head,
    plan: Plan<A>,
    /// By how many bytes at most.
    grows: u32,
}

impl<A: Network> Job<'_, A> {
    #[inline]
    fn run(mut self, cx: Context<'_>, route: &Route) -> Result<Rewritten, DropReason> {
        if self.plan.ttl == TtlStep::Decrement && self.head.ttl <= 1 {
            self.packet.answer(skb::Answer::TimeExceeded);
            return Err(DropReason::TtlExceeded);
        }
        let mtu = route.mtu();
        let too_long = self.packet.len() > mtu.saturating_sub(self.grows);
        if too_long && self.head.dont_fragment && !self.packet.fits(mtu.saturating_sub(self.grows))
        {
            // A GSO packet's segments are made smaller instead, if all they
            // lack is the room for what is added.
            let shrinks = self.traits.is_gso() && self.packet.fits(mtu);
            if !shrinks {
                let mtu = mtu.saturating_sub(self.grows);
                self.packet.answer(skb::Answer::FragmentationNeeded { mtu });
                return Err(DropReason::FragNeeded);
            }
        }
        let done = self
            .packet
            .rewrite(self.traits, self.head.l4, &self.plan, mtu)
            .map_err(reason)?;
        self.packet.send(cx.net, cx.rcu, route);
        Ok(done)
    }
}

#[inline]
fn count(cx: Context<'_>, entry: &Connection, len: u32, dir: Dir, window: Window) {
    let stats = [
        Some(&cx.ns.totals),
        Some(&*entry.dest.service_stats),
        Some(&entry.dest.stats),
        entry.local.as_ref().map(|local| &local.stats),
    ];
    for stats in stats.into_iter().flatten() {
        stats.enter(window);
        match dir {
            Dir::In => stats.packet_in(len),
            Dir::Out => stats.packet_out(len),
        }
    }
}

/// Counts what was done about options.
#[inline]
fn note(cx: Context<'_>, done: Rewritten) {
    let event = match done.toa {
        ToaOutcome::None => None,
        ToaOutcome::Inserted => Some(Event::ToaInserted),
        ToaOutcome::NoRoom => Some(Event::ToaNoRoom),
        ToaOutcome::Md5OrAo => Some(Event::ToaMd5),
        ToaOutcome::ReservedPort => Some(Event::ToaReservedPort),
    };
    if let Some(event) = event {
        cx.ns.happened(event);
    }
    if done.timestamps_stripped {
        cx.ns.happened(Event::TimestampsStripped);
    }
    if done.removed != 0 {
        cx.ns.happened(Event::ToaSpoofedRemoved);
    }
}

#[cold]
pub(super) fn reason(error: RewriteError) -> DropReason {
    match error {
        RewriteError::Unavailable => DropReason::NoMemory,
        RewriteError::Header(Error::Truncated) => DropReason::Truncated,
        RewriteError::Header(Error::TtlExpired) => DropReason::TtlExceeded,
        RewriteError::Header(Error::TooLong) => DropReason::TooLong,
        RewriteError::Header(Error::DataOffset | Error::Options(_)) => DropReason::BadHeader,
        RewriteError::Header(Error::NotAnError | Error::Embedded(_) | Error::EmbeddedTransport) => {
            DropReason::BadIcmp
        }
    }
}

/// A packet for a connection that has been reset: its sender is reset at the
/// number that it has just stated.
#[cold]
fn linger(
    cx: Context<'_>,
    entry: &Connection,
    snapshot: Snapshot,
    head: &Head,
    dir: Dir,
) -> Option<Verdict> {
    match entry.conn.linger_answer(snapshot, &head.segment(dir))? {
        Answer::ToClient(reset) => reset::send(cx.net, cx.rcu, &reset),
        Answer::ToServer(reset) => reset::send(cx.net, cx.rcu, &reset),
    }
    cx.ns.happened(Event::RstSentOnChallenge);
    Some(Verdict::Taken)
}
