// SPDX-License-Identifier: GPL-2.0

//! A packet of a connection: its state, its headers, its way
//! (`lvs_core/module/packet/forward.rs`).

use super::{
    family::Family,
    flows::{Connection, Flows},
    rewrite, Director, How, Job, Note,
};
use crate::planted::Planted;
use lvs_engine::{
    conn::{Admission, Answer, Dir, Method, Snapshot, ToaKinds},
    drop_reason::DropReason,
};
use lvs_table::Ref;
use lvs_wire::{
    csum::Sum,
    ip::{HeadEdit, TtlStep},
    rewrite::Plan,
};

impl Director {
    pub(super) fn of_client<C: Family, S: Family>(
        &self,
        flows: &Flows<C, S>,
        job: Job<'_, C>,
        entry: Ref<'_, Connection<C, S>>,
    ) {
        let segment = job.head.segment(Dir::In);
        let before = entry.snapshot();
        if self.linger(&job, &entry, before, Dir::In) {
            return;
        }
        let status = self.dests.borrow()[entry.dest].status();
        match entry
            .conn
            .admit(before, &segment, status, self.settings.reuse)
        {
            Admission::Continue => {}
            Admission::Drop(reason) => return self.note(Note::Dropped { reason }),
            Admission::Reschedule => {
                flows.remove(self, entry, How::Restarted);
                return self.request(job);
            }
        }
        let snapshot = flows.step(self, entry, &segment);
        self.to_server(job, &entry, snapshot);
    }

    pub(super) fn of_server<C: Family, S: Family>(
        &self,
        flows: &Flows<C, S>,
        job: Job<'_, S>,
        entry: Ref<'_, Connection<C, S>>,
    ) {
        if self.linger(&job, &entry, entry.snapshot(), Dir::Out) {
            return;
        }
        flows.step(self, entry, &job.head.segment(Dir::Out));
        let mut plan = entry.conn.plan_out(job.head.flags);
        plan.ttl = job.place.hop();
        if job.head.flags.fin() && self.has(Planted::Swallowed) {
            return;
        }
        let done = self.rewrite(job, plan, Dir::Out);
        self.done(entry.serial, Dir::Out, done);
    }

    /// Sends a packet on to the server, in the state that it met.
    pub(super) fn to_server<C: Family, S: Family>(
        &self,
        job: Job<'_, C>,
        entry: &Connection<C, S>,
        snapshot: Snapshot,
    ) {
        let conn = &entry.conn;
        let done = match conn.method {
            Method::Nat | Method::Fullnat => {
                let mut plan =
                    conn.plan_in(snapshot, &job.head.segment(Dir::In), &ToaKinds::DEFAULT);
                plan.ttl = job.place.hop();
                self.rewrite(job, plan, Dir::In)
            }
            // Packets stay as they are and go to the server's MAC address.
            _ => pass_on(job),
        };
        self.done(entry.serial, Dir::In, done);
    }

    fn rewrite<A: Family, B: Family>(
        &self,
        job: Job<'_, A>,
        mut plan: Plan<B>,
        dir: Dir,
    ) -> Result<Vec<u8>, DropReason> {
        if plan.ttl == TtlStep::Decrement && job.head.ttl <= 1 {
            return Err(DropReason::TtlExceeded);
        }
        if let Some(planted) = self.planted {
            planted.spoil(&mut plan, dir == Dir::Out);
        }
        let mut after = if A::FAMILY == B::FAMILY {
            rewrite::within(job.bytes, job.head, &plan)?
        } else {
            let id = self.random() as u16;
            rewrite::between(job.bytes, job.head, &plan, id)?
        };
        if let Some(planted) = self.planted {
            let payload = after.len() - job.head.payload_len as usize;
            planted.spoil_bytes(&mut after, B::HEADER_LEN, payload);
        }
        Ok(after)
    }

    fn done(&self, serial: u64, dir: Dir, done: Result<Vec<u8>, DropReason>) {
        self.note(match done {
            Ok(after) => Note::Forwarded { serial, dir, after },
            Err(reason) => Note::Dropped { reason },
        });
    }

    /// A packet for a connection that has been reset; whether it was one.
    fn linger<A: Family, C: Family, S: Family>(
        &self,
        job: &Job<'_, A>,
        entry: &Connection<C, S>,
        snapshot: Snapshot,
        dir: Dir,
    ) -> bool {
        if self.has(Planted::Unanswered) {
            return false;
        }
        match entry.conn.linger_answer(snapshot, &job.head.segment(dir)) {
            None => return false,
            Some(Answer::ToClient(reset)) => self.reset(entry.serial, &reset),
            Some(Answer::ToServer(reset)) => self.reset(entry.serial, &reset),
        }
        true
    }
}

/// Direct routing: a hop, nothing else.
fn pass_on<A: Family>(job: Job<'_, A>) -> Result<Vec<u8>, DropReason> {
    let mut bytes = job.bytes;
    let edit = HeadEdit {
        ttl: job.place.hop(),
        grow: 0,
        addresses: Sum::ZERO,
    };
    A::edit_head(&mut bytes, edit).map_err(|_| DropReason::TtlExceeded)?;
    Ok(bytes)
}
