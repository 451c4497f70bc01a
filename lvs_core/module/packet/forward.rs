// SPDX-License-Identifier: GPL-2.0

//! A packet of a connection: its state, its headers, its way.

use super::{
    head::Head,
    method::{self, Sent},
    request, reset, Context, Job, Place,
};
use crate::{
    conns::{now, Connection, Flows},
    family::Family,
};
use lvs_engine::{
    conn::{Admission, Answer, Conn, Dir, Snapshot},
    drop_reason::{DropReason, Event},
    rates::Window,
    time::Ticks,
};
use lvs_kapi::{
    netfilter::Verdict,
    random,
    route::{self, Query, Route},
    skb::{self, RewriteError, Rewritten},
};
use lvs_table::Ref;
use lvs_wire::{
    ip::TtlStep,
    rewrite::{options::ToaOutcome, translate, Error, Plan},
};

/// Handles a packet of a client's that a connection was found for.
#[inline]
pub(super) fn from_client<C: Family, S: Family>(
    flows: &Flows<C, S>,
    job: Job<'_, C>,
    entry: Ref<'_, Connection<C, S>>,
) -> Verdict {
    let cx = job.cx;
    let segment = job.head.segment(Dir::In);
    let before = entry.snapshot();
    if let Some(verdict) = linger(&job, &entry, before, Dir::In) {
        return verdict;
    }
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
            return request::packet(job);
        }
    }
    let now = now();
    let timeouts = cx.ns.settings.timeouts(cx.rcu);
    let snapshot = flows.step(entry, &segment, now, timeouts);
    to_server(job, &entry, snapshot, now)
}

/// Handles a packet of a server's that a connection was found for.
#[inline]
pub(super) fn from_server<C: Family, S: Family>(
    flows: &Flows<C, S>,
    job: Job<'_, S>,
    entry: Ref<'_, Connection<C, S>>,
) -> Verdict {
    let cx = job.cx;
    if let Some(verdict) = linger(&job, &entry, entry.snapshot(), Dir::Out) {
        return verdict;
    }
    let now = now();
    let timeouts = cx.ns.settings.timeouts(cx.rcu);
    flows.step(entry, &job.head.segment(Dir::Out), now, timeouts);
    let len = job.packet.len();
    let sent = to_client(job, &entry.conn);
    done(cx, &entry, len, Dir::Out, sent, now)
}

/// Sends a packet on to the server, in the state that it met.
#[inline]
pub(super) fn to_server<C: Family, S: Family>(
    job: Job<'_, C>,
    entry: &Connection<C, S>,
    snapshot: Snapshot,
    now: Ticks,
) -> Verdict {
    let (cx, len) = (job.cx, job.packet.len());
    let sent = method::to_server(job, entry, snapshot);
    done(cx, entry, len, Dir::In, sent, now)
}

/// Lets a reply seem to come from the virtual service.
#[inline]
fn to_client<C: Family, S: Family>(job: Job<'_, S>, conn: &Conn<C, S>) -> Result<Sent, DropReason> {
    let mut plan = conn.plan_out(job.head.flags());
    if plan.tcp.is_some_and(|edit| edit.mss_lower != 0) {
        job.cx.ns.happened(Event::MssLowered);
    }
    if C::FAMILY == S::FAMILY && job.is_routed() {
        plan.ttl = job.place.hop();
        return job.pass_through(&plan);
    }
    let query = Query {
        source: conn.virt.addr,
        mark: job.packet.mark(),
        ..Query::to(conn.client.addr)
    };
    let route = Route::find(job.cx.net, query).ok_or(DropReason::NoRoute)?;
    plan.ttl = job.place.hop_along(&route);
    job.rewrite(&plan, 0, &route)
}

/// Counts a packet that has been sent, or dropped.
#[inline]
fn done<C: Family, S: Family>(
    cx: Context<'_>,
    entry: &Connection<C, S>,
    len: u32,
    dir: Dir,
    sent: Result<Sent, DropReason>,
    now: Ticks,
) -> Verdict {
    match sent {
        Err(reason) => {
            // The packet went with the job.
            cx.ns.dropped(reason);
            Verdict::Taken
        }
        Ok(sent) => {
            count(cx, entry, len, dir, Window::of(now));
            let (verdict, done) = match sent {
                Sent::Away(done) => (Verdict::Taken, done),
                Sent::On(packet, done) => (Verdict::Accept(packet), done),
            };
            note(cx, done);
            verdict
        }
    }
}

impl<A: Family> Job<'_, A> {
    /// Whether the packet may make the hop, and pass a link of `mtu` bytes when
    /// it has grown by `grows`. If not, its sender has been told.
    #[inline]
    pub(super) fn check(&mut self, hop: TtlStep, mtu: u32, grows: u32) -> Result<(), DropReason> {
        if hop == TtlStep::Decrement && self.head.ttl <= 1 {
            self.packet.answer::<A>(skb::Answer::TimeExceeded);
            return Err(DropReason::TtlExceeded);
        }
        let room = mtu.saturating_sub(grows);
        if self.packet.len() > room && self.head.dont_fragment && !self.packet.fits::<A>(room) {
            // A sender of IPv6 takes less for no MTU at all, and would send the
            // same again; what it sends then gets through, see `is_at_the_floor`.
            let mtu = room.max(u32::from(A::MIN_MTU));
            self.packet.answer::<A>(skb::Answer::TooBig { mtu });
            return Err(DropReason::FragNeeded);
        }
        Ok(())
    }

    /// Whether forwarding has found the way that a packet from another source
    /// would go too.
    #[inline]
    fn is_routed(&self) -> bool {
        let cx = self.cx;
        self.place == Place::Through
            && (!cx.ns.settings.snat_reroute() || route::is_by_destination::<A>(cx.net))
    }

    /// Makes the packet what `plan` says, and lets forwarding go on with it, which
    /// has routed it, counted the hop and seen that it fits.
    #[inline]
    fn pass_through<B: Family>(mut self, plan: &Plan<B>) -> Result<Sent, DropReason> {
        let done = self
            .packet
            .rewrite(self.traits, self.head.l4, plan, u32::MAX)
            .map_err(reason)?;
        self.packet.claim();
        Ok(Sent::On(self.packet, done))
    }

    /// Makes the packet what `plan` says, which may be of the other family,
    /// longer by `grows` bytes at most, and sends it.
    #[inline]
    pub(super) fn rewrite<B: Family>(
        mut self,
        plan: &Plan<B>,
        grows: u32,
        route: &Route,
    ) -> Result<Sent, DropReason> {
        let mtu = route.mtu();
        // A GSO packet's segments are made smaller, if all they lack is the
        // room for what is added.
        let grows = if self.traits.is_gso() { 0 } else { grows };
        let done = if A::FAMILY == B::FAMILY {
            self.check(plan.ttl, mtu, grows)?;
            self.packet
                .rewrite(self.traits, self.head.l4, plan, mtu)
                .map_err(reason)?
        } else {
            self.translate(plan, grows, mtu)?
        };
        self.packet.send::<B>(self.cx.net, self.cx.rcu, route);
        Ok(Sent::Away(done))
    }

    /// As [`Job::rewrite`], into the other family.
    #[cold]
    fn translate<B: Family>(
        &mut self,
        plan: &Plan<B>,
        grows: u32,
        mtu: u32,
    ) -> Result<Rewritten, DropReason> {
        // In the sender's own terms: its IP header is shorter or longer.
        // CAST: 40 at most.
        let (old, new) = (A::HEADER_LEN as u32, B::HEADER_LEN as u32);
        let mtu_before = mtu.saturating_add(old).saturating_sub(new);
        // What IPv6 lets nobody refuse leaves so that IPv4 may cut it.
        let mtu_before = mtu_before.max(u32::from(A::MIN_MTU));
        self.check(plan.ttl, mtu_before, grows)?;
        // CAST: The low half is as random.
        let id = random::u32() as u16;
        let Head {
            l4, dont_fragment, ..
        } = *self.head;
        self.packet
            .translate::<A, B>(self.traits, l4, plan, mtu, id, dont_fragment)
            .map_err(reason)
    }
}

#[inline]
fn count<C, S>(cx: Context<'_>, entry: &Connection<C, S>, len: u32, dir: Dir, window: Window) {
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
    if done.fast_open_stripped {
        cx.ns.happened(Event::FastOpenStripped);
    }
    if done.removed != 0 {
        cx.ns.happened(Event::ToaSpoofedRemoved);
    }
    if done.cut {
        cx.ns.happened(Event::OptionsCut);
    }
}

#[cold]
pub(super) fn reason(error: RewriteError) -> DropReason {
    match error {
        RewriteError::Unavailable => DropReason::NoMemory,
        RewriteError::Header(Error::Truncated) => DropReason::Truncated,
        RewriteError::Header(Error::TtlExpired) => DropReason::TtlExceeded,
        RewriteError::Header(Error::TooLong) => DropReason::TooLong,
        RewriteError::Header(Error::DataOffset) => DropReason::BadHeader,
        RewriteError::Header(Error::NotAnError | Error::Embedded(_) | Error::EmbeddedTransport) => {
            DropReason::BadIcmp
        }
        RewriteError::Translation(translate::Error::Rewrite(error)) => {
            reason(RewriteError::Header(error))
        }
        RewriteError::Translation(translate::Error::NoCounterpart) => DropReason::NoCounterpart,
        RewriteError::Translation(_) => DropReason::BadHeader,
    }
}

/// A packet for a connection that has been reset: its sender is reset at the
/// number that it has just stated.
#[inline]
fn linger<A: Family, C: Family, S: Family>(
    job: &Job<'_, A>,
    entry: &Connection<C, S>,
    snapshot: Snapshot,
    dir: Dir,
) -> Option<Verdict> {
    if !snapshot.state.is_lingering() {
        return None;
    }
    let cx = job.cx;
    match entry.conn.linger_answer(snapshot, &job.head.segment(dir))? {
        Answer::ToClient(reset) => reset::send(cx.net, cx.rcu, &reset),
        Answer::ToServer(reset) => reset::send(cx.net, cx.rcu, &reset),
    }
    cx.ns.happened(Event::RstSentOnChallenge);
    Some(Verdict::Taken)
}
