// SPDX-License-Identifier: GPL-2.0

//! How long a silent connection may live: the documented figures, typed once
//! more.

use lvs_engine::{
    conn::{Method, Snapshot},
    tcp::TcpState,
};

/// Timeouts that a run sets, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) established: u64,
    pub(crate) fin_wait: u64,
    pub(crate) udp: u64,
    pub(crate) fullnat_time_wait: u64,
}

/// Seconds that a connection in a state lives.
pub(crate) fn seconds(times: &Times, is_tcp: bool, method: Method, state: Snapshot) -> u64 {
    if state.state.is_lingering() {
        return 3;
    }
    if !is_tcp {
        return times.udp;
    }
    let fullnat = method == Method::Fullnat;
    match state.state.tcp() {
        TcpState::None => 2,
        TcpState::Established => times.established,
        TcpState::SynRecv => 60,
        TcpState::SynSent | TcpState::SynAck | TcpState::Listen => 120,
        TcpState::FinWait if fullnat => 10,
        TcpState::FinWait => times.fin_wait,
        TcpState::TimeWait if fullnat => times.fullnat_time_wait,
        TcpState::TimeWait => 120,
        TcpState::Close if fullnat => 3,
        TcpState::Close => 10,
        TcpState::CloseWait => 60,
        TcpState::LastAck if fullnat => 7,
        TcpState::LastAck => 30,
    }
}

/// Whether connections in a state count as active.
pub(crate) fn is_active(is_tcp: bool, state: Snapshot) -> bool {
    use TcpState::{Established, SynAck, SynRecv, SynSent};
    is_tcp && matches!(state.state.tcp(), Established | SynAck | SynRecv | SynSent)
}
