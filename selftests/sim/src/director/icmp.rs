// SPDX-License-Identifier: GPL-2.0

//! ICMP errors about packets of connections (`lvs_core/module/packet/icmp.rs`).

use super::{family::Family, flows::Connection, rewrite, Director, Note, Place};
use lvs_engine::{
    conn::{Dir, Protocol},
    drop_reason::DropReason,
};
use lvs_table::{ReadLock, Ref};
use lvs_wire::{
    addr::Endpoint,
    icmp::{self, Message},
    ip::{self, TtlStep},
    rewrite::icmp::ErrorPlan,
};

/// An ICMP message, and where it was met.
struct Report<'a, A> {
    bytes: &'a [u8],
    place: Place,
    ip: ip::Packet<A>,
}

impl Director {
    pub(super) fn error<A: Family>(
        &self,
        rcu: &ReadLock,
        bytes: &[u8],
        place: Place,
        ip: ip::Packet<A>,
    ) {
        let Some((protocol, source, destination)) = about(bytes, ip) else {
            return self.note(Note::Passed);
        };
        // It goes to whom it seems to be about.
        if ip.dst != source.addr {
            return self.note(Note::Passed);
        }
        let report = Report { bytes, place, ip };
        // The embedded packet went the other way.
        let (source, destination) = (destination, source);
        match A::flows(self).find(rcu, protocol, source, destination) {
            Some((entry, Dir::In)) => return self.error_to_server(report, entry),
            Some((entry, Dir::Out)) => return self.error_to_client(report, entry),
            None => {}
        }
        if A::LEN == 4 {
            if let Some(entry) = A::from_v6(self).find_server(rcu, protocol, source, destination) {
                return self.error_to_client(report, entry);
            }
        } else if let Some(entry) = A::to_v4(self).find_client(rcu, protocol, source, destination) {
            return self.error_to_server(report, entry);
        }
        self.note(Note::Passed);
    }

    fn error_to_client<A: Family, C: Family>(
        &self,
        report: Report<'_, A>,
        entry: Ref<'_, Connection<C, A>>,
    ) {
        let plan = entry.conn.icmp_to_client(entry.snapshot());
        self.translate(report, plan, entry.serial, Dir::Out);
    }

    fn error_to_server<A: Family, S: Family>(
        &self,
        report: Report<'_, A>,
        entry: Ref<'_, Connection<A, S>>,
    ) {
        let conn = &entry.conn;
        if !conn.method.sees_replies() {
            return self.note(Note::Passed);
        }
        let reporter = S::from_any(report.ip.src.into()).unwrap_or(conn.local.addr);
        let plan = conn.icmp_to_server(reporter);
        self.translate(report, plan, entry.serial, Dir::In);
    }

    fn translate<A: Family, B: Family>(
        &self,
        report: Report<'_, A>,
        mut plan: ErrorPlan<B>,
        serial: u64,
        dir: Dir,
    ) {
        plan.ttl = report.place.hop();
        if plan.ttl == TtlStep::Decrement && report.ip.ttl <= 1 {
            let reason = DropReason::TtlExceeded;
            return self.note(Note::Dropped { reason });
        }
        if let Some(planted) = self.planted {
            planted.spoil_error(&mut plan);
        }
        let id = self.random() as u16;
        let bytes = report.bytes.to_vec();
        self.note(
            match rewrite::error::<A, B>(bytes, report.ip.l4_offset, &plan, id) {
                Ok(after) => Note::Translated { serial, dir, after },
                Err(reason) => Note::Dropped { reason },
            },
        );
    }
}

/// What an error is about: protocol and ends of a packet with ports.
fn about<A: Family>(
    bytes: &[u8],
    ip: ip::Packet<A>,
) -> Option<(Protocol, Endpoint<A>, Endpoint<A>)> {
    let message = Message::<A>::parse(bytes.get(ip.l4_offset..)?).ok()?;
    let icmp::Kind::Error(_) = message.kind() else {
        return None;
    };
    let inner = message
        .embedded()
        .ok()
        .filter(|inner| inner.has_transport())?;
    let l4 = message.body().get(inner.l4_offset..)?;
    let (source, destination) = icmp::embedded_ports(l4)?;
    Some((
        Protocol::from_number(inner.protocol)?,
        Endpoint::new(inner.src, source),
        Endpoint::new(inner.dst, destination),
    ))
}
