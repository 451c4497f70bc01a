// SPDX-License-Identifier: GPL-2.0

//! What is counted of a service, a destination, a local address and a
//! namespace: connections, packets and bytes.

use kernel::{prelude::*, static_lock_class};
use lvs_kapi::{gfp::Gfp, lock::SpinLockBh, percpu::Counters};

/// The counters in the order that listings have.
#[derive(Clone, Copy, Default)]
pub(crate) struct Totals {
    pub(crate) conns: u64,
    pub(crate) in_packets: u64,
    pub(crate) out_packets: u64,
    pub(crate) in_bytes: u64,
    pub(crate) out_bytes: u64,
}

impl From<[u64; 5]> for Totals {
    fn from([conns, in_packets, out_packets, in_bytes, out_bytes]: [u64; 5]) -> Self {
        Self {
            conns,
            in_packets,
            out_packets,
            in_bytes,
            out_bytes,
        }
    }
}

/// Counters of one thing.
pub(crate) struct Stats {
    live: Counters<5>,
    /// What they were when they were last set to zero: the counters themselves
    /// are other CPUs' to write.
    zero: SpinLockBh<[u64; 5]>,
}

impl Stats {
    /// May sleep.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            live: Counters::new(Gfp::Kernel)?,
            zero: SpinLockBh::new([0; 5], c"lvs_stats", static_lock_class!()),
        })
    }

    #[inline]
    pub(crate) fn connection(&self) {
        self.live.add::<0>(1);
    }

    #[inline]
    pub(crate) fn packet_in(&self, bytes: u32) {
        self.live.add::<1>(1);
        self.live.add::<3>(u64::from(bytes));
    }

    #[inline]
    pub(crate) fn packet_out(&self, bytes: u32) {
        self.live.add::<2>(1);
        self.live.add::<4>(u64::from(bytes));
    }

    /// The sums since the last [`Stats::clear`].
    pub(crate) fn totals(&self) -> Totals {
        let zero = *self.zero.lock();
        let mut now = self.live.sum();
        for (now, zero) in now.iter_mut().zip(zero) {
            *now = now.wrapping_sub(zero);
        }
        now.into()
    }

    /// Calls `each` with every CPU's counters, which are never set to zero.
    pub(crate) fn for_each_cpu(&self, mut each: impl FnMut(u32, Totals)) {
        self.live.for_each_cpu(|cpu, words| each(cpu, words.into()));
    }

    /// Starts again at zero.
    pub(crate) fn clear(&self) {
        let now = self.live.sum();
        *self.zero.lock() = now;
    }
}
