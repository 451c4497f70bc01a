// SPDX-License-Identifier: GPL-2.0

//! The glue's own connections, and a clock that stands still unless it is set.

#[path = "../../../../lvs_core/module/conns/connection.rs"]
#[allow(dead_code)]
mod connection;
#[path = "../../../../lvs_core/module/conns/flows.rs"]
#[allow(dead_code)]
mod flows;

pub(crate) use connection::{Connection, NewConnection};
pub(crate) use flows::{Flows, Last};

use crate::spaces::Spaces;
use lvs_engine::time::{Ticks, TICKS_PER_SECOND};
use std::{
    net::Ipv4Addr,
    sync::{
        atomic::{AtomicU32, Ordering::Relaxed},
        Arc,
    },
};

/// No connections yet.
pub(crate) fn flows(spaces: Arc<Spaces>) -> Flows<Ipv4Addr> {
    Flows::new(Arc::default(), spaces).expect("memory")
}

static CLOCK: AtomicU32 = AtomicU32::new(0);

/// Sets the clock.
pub(crate) fn at_second(second: u32) {
    CLOCK.store(second * TICKS_PER_SECOND, Relaxed);
}

pub(crate) fn now() -> Ticks {
    Ticks::new(CLOCK.load(Relaxed))
}

pub(crate) fn wheel_tick(ticks: Ticks) -> u32 {
    ticks.get().div_ceil(TICKS_PER_SECOND)
}
