// SPDX-License-Identifier: GPL-2.0

//! A connection in the table.

use crate::{
    dests::Dest,
    family::Family,
    locals::Local,
    spaces::Triple,
    templates::Control, //
};
use core::{
    net::{Ipv4Addr, Ipv6Addr},
    sync::atomic::{AtomicU64, Ordering},
};
use kernel::sync::Arc;
use lvs_engine::{
    conn::{Conn, Dir, Protocol, Segment, Snapshot, State},
    tcp::TcpState,
    time::Ticks,
    timeouts::Timeouts,
};
use lvs_table::Item;
use lvs_wire::addr::{AnyEndpoint, Endpoint};

/// What a connection holds of others, besides what the engine decides on.
pub(crate) struct Connection<C, S = C> {
    pub(crate) conn: Conn<C, S>,
    state: AtomicU64,
    seqs: AtomicU64,
    pub(crate) dest: Arc<Dest>,
    /// With FULLNAT: where its port is from.
    pub(crate) local: Option<Arc<Local>>,
    /// With persistence: what is known of its template.
    pub(crate) control: Option<Arc<Control>>,
}

// What a connection costs; an IPv4 one fits into two and a half cache lines.
const _: () = assert!(lvs_table::Cache::<Connection<Ipv4Addr>>::ENTRY_SIZE <= 160);
const _: () = assert!(lvs_table::Cache::<Connection<Ipv6Addr, Ipv4Addr>>::ENTRY_SIZE <= 192);
const _: () = assert!(lvs_table::Cache::<Connection<Ipv6Addr>>::ENTRY_SIZE <= 224);

/// In the state's word, a bit that the engine leaves alone: the connection is
/// out of the table, and has been counted out.
const ENDED: u64 = State::SPARE;

impl<C: Family, S: Family> Item for Connection<C, S> {}

impl<C: Family, S: Family> Connection<C, S> {
    #[inline]
    pub(super) fn is_from_client(
        &self,
        protocol: Protocol,
        source: Endpoint<C>,
        destination: Endpoint<C>,
    ) -> bool {
        let conn = &self.conn;
        conn.protocol == protocol && conn.client == source && conn.virt == destination
    }

    #[inline]
    pub(super) fn is_from_server(
        &self,
        protocol: Protocol,
        source: Endpoint<S>,
        destination: Endpoint<S>,
    ) -> bool {
        let conn = &self.conn;
        conn.protocol == protocol && conn.real == source && conn.local == destination
    }

    /// What changes, as it is now.
    #[inline]
    pub(crate) fn snapshot(&self) -> Snapshot {
        // ORDERING: Each word stands for itself: the numbers are a help for
        // the RST at the end and are only as fresh as they happen to be.
        Snapshot::from_words(
            self.state.load(Ordering::Relaxed),
            self.seqs.load(Ordering::Relaxed),
        )
    }

    /// Marks it as out of the table: nobody changes it any more. What it was
    /// last.
    pub(super) fn end(&self) -> Snapshot {
        // ORDERING: One word; see `snapshot`.
        let state = self.state.fetch_or(ENDED, Ordering::Relaxed);
        Snapshot::from_words(state, self.seqs.load(Ordering::Relaxed))
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state.load(Ordering::Relaxed) & ENDED != 0
    }

    /// Takes the step from `old` to `new`, unless another CPU was faster.
    pub(super) fn advance(&self, old: Snapshot, new: Snapshot) -> bool {
        let (old_state, old_seqs) = old.to_words();
        let (state, seqs) = new.to_words();
        // ORDERING: See `snapshot`.
        let won = state == old_state
            || self
                .state
                .compare_exchange(old_state, state, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if won && seqs != old_seqs {
            self.seqs.store(seqs, Ordering::Relaxed);
        }
        won
    }

    /// The ports that its port is one of.
    pub(super) fn triple(&self) -> Triple {
        Triple {
            protocol: self.conn.protocol,
            local: self.conn.local.addr.into(),
            real: self.conn.real.any(),
        }
    }

    /// The server, of whichever family, as listings show it.
    pub(crate) fn real(&self) -> AnyEndpoint {
        AnyEndpoint::new(self.dest.real.addr, self.conn.real.port)
    }

    /// Seconds until it expires, if nothing more comes.
    pub(crate) fn expires_in(&self, now: Ticks, timeouts: &Timeouts) -> u32 {
        self.conn
            .deadline(self.snapshot(), timeouts)
            .seconds_after(now)
    }
}

/// Whether a connection proves that its client is there: its handshake is over,
/// or the server has answered.
#[inline]
pub(super) fn is_real(segment: &Segment, state: Snapshot) -> bool {
    matches!(state.state.tcp(), TcpState::Established)
        || (matches!(state.state.tcp(), TcpState::None) && segment.dir == Dir::Out)
}

/// What an entry is made from.
pub(crate) struct NewConnection<C, S> {
    pub(crate) conn: Conn<C, S>,
    pub(crate) first: Snapshot,
    pub(crate) dest: Arc<Dest>,
    pub(crate) local: Option<Arc<Local>>,
    pub(crate) control: Option<Arc<Control>>,
}

impl<C: Family, S: Family> NewConnection<C, S> {
    /// The connection, counted where it counts.
    pub(super) fn open(self) -> Connection<C, S> {
        let (state, seqs) = self.first.to_words();
        let Self {
            conn,
            dest,
            local,
            control,
            ..
        } = self;
        dest.opened();
        if let Some(local) = &local {
            local.opened();
        }
        if let Some(control) = &control {
            control.opened();
        }
        Connection {
            conn,
            state: AtomicU64::new(state),
            seqs: AtomicU64::new(seqs),
            dest,
            local,
            control,
        }
    }
}
