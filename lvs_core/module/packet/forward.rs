// SPDX-License-Identifier: GPL-2.0

//! A packet of a connection: its state, its headers, its way.

use super::{
    method::{self, Sent},
    request, reset, Context, Job,
};
use crate::{
    conns::{now, Connection, Flows},
    family::Family,
};
use lvs_engine::{
    conn::{Admission, Answer, Dir, Snapshot},
    drop_reason::{DropReason, Event},
    rates::Window,
    time::Ticks,
};
use lvs_kapi::{
    netfilter::Verdict,
    route::{Query, Route},
    skb::{self, RewriteError, Rewritten},
};
use lvs_table::Ref;
use lvs_wire::{
    ip::TtlStep,
    rewrite::{options::ToaOutcome, Error, Plan},
};

/// Handles a packet that a connection was found for.
#[inline]
pub(super) fn packet<A: Family>(
    flows: &Flows<A>,
    job: Job<'_, A>,
    entry: Ref<'_, Connection<A>>,
    dir: Dir,
) -> Verdict {
    let cx = job.cx;
    let segment = job.head.segment(dir);
    let before = entry.snapshot();
    if before.state.is_lingering() {
        if let Some(verdict) = linger(&job, &entry, before, dir) {
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
            Admission::Drop(reason) => return job.drop(reason),
            Admission::Reschedule => {
                flows.remove(entry);
                cx.ns.happened(Event::ConnectionReused);
                return request::packet(flows, job);
            }
        }
    }
    let timeouts = cx.ns.settings.timeouts(cx.rcu);
    let now = now();
    let snapshot = flows.step(entry, &segment, now, timeouts);
    transmit(job, &entry, snapshot, dir, now)
}

/// Sends a packet on in the state that it met.
#[inline]
pub(super) fn transmit<A: Family>(
    job: Job<'_, A>,
    entry: &Connection<A>,
    snapshot: Snapshot,
    dir: Dir,
    now: Ticks,
) -> Verdict {
    let (cx, len) = (job.cx, job.packet.len());
    let sent = match dir {
        Dir::In => method::to_server(job, entry, snapshot),
        Dir::Out => to_client(job, entry),
    };
    match sent {
        Err(reason) => {
            // The packet went with the job.
            cx.ns.dropped(reason);
            Verdict::Taken
        }
        Ok(sent) => {
            count(cx, entry, len, dir, Window::of(now));
            match sent {
                Sent::Away(done) => {
                    note(cx, done);
                    Verdict::Taken
                }
                Sent::Here(packet) => Verdict::Accept(packet),
            }
        }
    }
}

/// Lets a reply seem to come from the virtual service.
#[inline]
fn to_client<A: Family>(job: Job<'_, A>, entry: &Connection<A>) -> Result<Sent, DropReason> {
    let conn = &entry.conn;
    let mut plan = conn.plan_out(job.head.flags());
    plan.ttl = job.place.hop();
    if plan.tcp.is_some_and(|edit| edit.mss_lower != 0) {
        job.cx.ns.happened(Event::MssLowered);
    }
    let query = Query {
        destination: conn.client.addr,
        source: conn.virt.addr,
        mark: job.packet.mark(),
        next_hop: false,
    };
    let route = Route::find(job.cx.net, query).ok_or(DropReason::NoRoute)?;
    job.rewrite(&plan, 0, &route)
}

impl<A: Family> Job<'_, A> {
    /// Whether the packet may cross this host, and pass a link of `mtu` bytes
    /// when it has grown by `grows`. If not, its sender has been told.
    #[inline]
    pub(super) fn check(&mut self, mtu: u32, grows: u32) -> Result<(), DropReason> {
        if self.place.hop() == TtlStep::Decrement && self.head.ttl <= 1 {
            self.packet.answer::<A>(skb::Answer::TimeExceeded);
            return Err(DropReason::TtlExceeded);
        }
        let room = mtu.saturating_sub(grows);
        if self.packet.len() > room && self.head.dont_fragment && !self.packet.fits::<A>(room) {
            self.packet.answer::<A>(skb::Answer::TooBig { mtu: room });
            return Err(DropReason::FragNeeded);
        }
        Ok(())
    }

    /// Makes the packet what `plan` says, longer by `grows` bytes at most, and
    /// sends it.
    #[inline]
    pub(super) fn rewrite(
        mut self,
        plan: &Plan<A>,
        grows: u32,
        route: &Route,
    ) -> Result<Sent, DropReason> {
        let mtu = route.mtu();
        // A GSO packet's segments are made smaller, if all they lack is the
        // room for what is added.
        let grows = if self.traits.is_gso() { 0 } else { grows };
        self.check(mtu, grows)?;
        let done = self
            .packet
            .rewrite(self.traits, self.head.l4, plan, mtu)
            .map_err(reason)?;
        self.packet.send::<A>(self.cx.net, self.cx.rcu, route);
        Ok(Sent::Away(done))
    }
}

#[inline]
fn count<A>(cx: Context<'_>, entry: &Connection<A>, len: u32, dir: Dir, window: Window) {
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
fn linger<A: Family>(
    job: &Job<'_, A>,
    entry: &Connection<A>,
    snapshot: Snapshot,
    dir: Dir,
) -> Option<Verdict> {
    let cx = job.cx;
    match entry.conn.linger_answer(snapshot, &job.head.segment(dir))? {
        Answer::ToClient(reset) => reset::send(cx.net, cx.rcu, &reset),
        Answer::ToServer(reset) => reset::send(cx.net, cx.rcu, &reset),
    }
    cx.ns.happened(Event::RstSentOnChallenge);
    Some(Verdict::Taken)
}
