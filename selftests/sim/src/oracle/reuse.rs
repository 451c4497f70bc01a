// SPDX-License-Identifier: GPL-2.0

//! When a connection may have the ends of one that was there before.

use super::{Cause, Record, MEMORY_MS};
use crate::{director::Director, inet::View};
use lvs_engine::{conn::Method, tcp::TcpState};

/// A server that may remember the ends must be able to tell a new connection
/// from what it remembers. Whether it may.
pub(super) fn fresh(
    record: &Record,
    isn: u32,
    heard: Option<(Option<u32>, u64)>,
    now_ms: u64,
) -> Result<bool, String> {
    let recent = heard.filter(|(_, at)| now_ms < at + MEMORY_MS);
    let Some((Some(last), at)) = recent.filter(|_| record.opened.method == Method::Fullnat) else {
        return Ok(false);
    };
    if (isn.wrapping_sub(last) as i32) > 0 {
        return Ok(true);
    }
    let (local, ago) = (record.opened.local, now_ms - at);
    Err(format!(
        "{local} begins at {isn}, {ago} ms ago it was at {last}"
    ))
}

/// What begins anew is over, or its client began with another number, or its
/// server takes no connections.
pub(super) fn restarted(
    record: &Record,
    state: Option<TcpState>,
    cause: &Cause<'_>,
    director: &Director,
) -> Result<(), String> {
    let status = director.dests.borrow()[record.opened.dest].status();
    let is_over = matches!(state, Some(TcpState::TimeWait | TcpState::Close))
        || (state == Some(TcpState::FinWait) && !record.opened.method.sees_replies());
    let seq = cause.view.and_then(View::tcp).map(|tcp| tcp.seq);
    let other = seq != record.client_isn || record.is_odd || cause.is_damaged;
    if is_over || other || !status.available || status.weight == 0 {
        return Ok(());
    }
    Err(format!(
        "{:?} in {state:?} began anew by the same SYN",
        record.opened
    ))
}
