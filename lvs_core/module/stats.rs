// SPDX-License-Identifier: GPL-2.0

//! What is counted of a service, a destination, a local address and a
//! namespace: connections, packets and bytes.

use crate::conns::now;
use kernel::{prelude::*, static_lock_class};
use lvs_engine::rates::{Rates, Window};
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

/// How many counters there are.
const N: usize = 5;
/// The words of each CPU: the counters, the window that they were noted in
/// last, what they were at its start, and the counts of the window before.
const WORDS: usize = 3 * N + 1;
const WINDOW: usize = N;

/// One CPU's words, taken apart.
fn apart(words: &[u64; WORDS]) -> ([u64; N], Rates<N>) {
    let mut rest = words.iter().copied();
    let mut next = || rest.next().unwrap_or(0);
    let counters = core::array::from_fn(|_| next());
    // CAST: It was put there as 32 bits.
    let window = next() as u32;
    let start = core::array::from_fn(|_| next());
    let last = core::array::from_fn(|_| next());
    (counters, Rates::from_parts(window, start, last))
}

/// Counters of one thing, and how fast they grow.
pub(crate) struct Stats {
    live: Counters<WORDS>,
    /// What they were when they were last set to zero: the counters themselves
    /// are other CPUs' to write.
    zero: SpinLockBh<[u64; N]>,
}

impl Stats {
    /// May sleep.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            live: Counters::new(Gfp::Kernel)?,
            zero: SpinLockBh::new([0; N], c"lvs_stats", static_lock_class!()),
        })
    }

    /// To be called before anything is counted: the first who counts in a
    /// window notes where the counters stand.
    #[inline]
    pub(crate) fn enter(&self, window: Window) {
        if self.live.this_cpu::<WINDOW>() != u64::from(window.get()) {
            self.roll(window);
        }
    }

    #[cold]
    fn roll(&self, window: Window) {
        self.live.change_this_cpu(|words| {
            let (counters, mut rates) = apart(words);
            rates.roll(window, &counters);
            let (window, start, last) = rates.to_parts();
            let mut rest = words.iter_mut().skip(WINDOW);
            let mut put = |value| {
                if let Some(word) = rest.next() {
                    *word = value;
                }
            };
            put(u64::from(window));
            start.into_iter().for_each(&mut put);
            last.into_iter().for_each(&mut put);
        });
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

    /// The sums over all CPUs, and a second's growth.
    fn read(&self) -> ([u64; N], [u64; N]) {
        let window = Window::of(now());
        let (mut sums, mut speeds) = ([0u64; N], [0u64; N]);
        self.live.for_each_cpu(|_, words| {
            let (counters, rates) = apart(&words);
            let speed = rates.per_second(window, &counters);
            add(&mut sums, counters);
            add(&mut speeds, speed);
        });
        (sums, speeds)
    }

    /// The sums since the last [`Stats::clear`].
    pub(crate) fn totals(&self) -> Totals {
        let zero = *self.zero.lock();
        let (mut sums, _) = self.read();
        for (sum, zero) in sums.iter_mut().zip(zero) {
            *sum = sum.wrapping_sub(zero);
        }
        sums.into()
    }

    /// What came in a second, over the last whole window of two.
    pub(crate) fn rates(&self) -> Totals {
        self.read().1.into()
    }

    /// Calls `each` with every CPU's counters, which are never set to zero.
    pub(crate) fn for_each_cpu(&self, mut each: impl FnMut(u32, Totals)) {
        self.live
            .for_each_cpu(|cpu, words| each(cpu, apart(&words).0.into()));
    }

    /// Starts again at zero.
    pub(crate) fn clear(&self) {
        let (now, _) = self.read();
        *self.zero.lock() = now;
    }
}

/// Adds each to its sum.
fn add(sums: &mut [u64; N], values: [u64; N]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum = sum.wrapping_add(value);
    }
}
