// SPDX-License-Identifier: GPL-2.0

//! Counters that each CPU has for itself.
//!
//! C header: [`include/linux/percpu.h`](srctree/include/linux/percpu.h)

use crate::bindings;
use crate::gfp::Gfp;
use core::ptr::NonNull;
use kernel::prelude::*;

/// `N` counters for each CPU.
///
/// # Invariants
///
/// The pointer is to per-CPU memory of `N` words.
pub struct Counters<const N: usize>(NonNull<u64>);

// SAFETY: The words are only written by instructions that an interrupt cannot
// split, each CPU its own, and read whole.
unsafe impl<const N: usize> Send for Counters<N> {}
// SAFETY: As above.
unsafe impl<const N: usize> Sync for Counters<N> {}

impl<const N: usize> Counters<N> {
    /// All zero. Context as `gfp` says.
    pub fn new(gfp: Gfp) -> Result<Self> {
        let size = size_of::<[u64; N]>();
        // SAFETY: No requirement. Per-CPU memory comes zeroed.
        let words =
            unsafe { bindings::pcpu_alloc_noprof(size, align_of::<u64>(), false, gfp.raw()) };
        // INVARIANT: `N` words for each CPU.
        NonNull::new(words.cast()).map(Self).ok_or(ENOMEM)
    }

    /// Adds to this CPU's counter `I`. Any context: one instruction on x86.
    #[inline(always)]
    pub fn add<const I: usize>(&self, value: u64) {
        const { assert!(I < N) };
        // SAFETY: `I` is inside the `N` words, by the assertion.
        let word = unsafe { self.0.as_ptr().add(I) };
        #[cfg(CONFIG_X86_64)]
        // SAFETY: A per-CPU pointer is an offset from the base that `gs` holds;
        // the one instruction adds to this CPU's word, which is live by the
        // type invariant. Interrupts and migration fall before or after it.
        unsafe {
            core::arch::asm!(
                "add qword ptr gs:[{word}], {value}",
                word = in(reg) word,
                value = in(reg) value,
                options(nostack),
            )
        };
        #[cfg(not(CONFIG_X86_64))]
        // SAFETY: The pointer is to per-CPU memory of that size.
        unsafe {
            bindings::lvs_this_cpu_add(word, value)
        };
    }

    /// Adds to this CPU's counter `index`; nothing for an index that does not
    /// exist. Any context.
    #[inline]
    pub fn add_at(&self, index: usize, value: u64) {
        if index < N {
            // SAFETY: Inside the `N` words.
            let word = unsafe { self.0.as_ptr().add(index) };
            // SAFETY: The pointer is to per-CPU memory of that size.
            unsafe { bindings::lvs_this_cpu_add(word, value) };
        }
    }

    /// This CPU's counter `I`. Any context: one instruction on x86.
    #[inline(always)]
    pub fn this_cpu<const I: usize>(&self) -> u64 {
        const { assert!(I < N) };
        // SAFETY: `I` is inside the `N` words, by the assertion.
        let word = unsafe { self.0.as_ptr().add(I) };
        #[cfg(CONFIG_X86_64)]
        {
            let value;
            // SAFETY: As in `add`; it only reads.
            unsafe {
                core::arch::asm!(
                    "mov {value}, qword ptr gs:[{word}]",
                    word = in(reg) word,
                    value = out(reg) value,
                    options(nostack, preserves_flags, readonly),
                )
            };
            value
        }
        #[cfg(not(CONFIG_X86_64))]
        // SAFETY: The pointer is to per-CPU memory of that size.
        unsafe {
            bindings::lvs_this_cpu_read(word)
        }
    }

    /// Lets `change` work on this CPU's counters, with softirqs off. Any
    /// context but hard interrupts. What another context on this CPU adds to
    /// them at the same time can be lost: not for counters that both use.
    pub fn change_this_cpu(&self, change: impl FnOnce(&mut [u64; N])) {
        // SAFETY: Softirqs are let on again below (both calls).
        let words = unsafe {
            bindings::lvs_local_bh_disable();
            bindings::lvs_this_cpu_ptr(self.0.as_ptr().cast()).cast::<u64>()
        };
        let mut values: [u64; N] = core::array::from_fn(|i| {
            // SAFETY: The words are this CPU's, and the task stays on it; volatile,
            // since other CPUs read them.
            unsafe { core::ptr::read_volatile(words.add(i)) }
        });
        let before = values;
        change(&mut values);
        for (i, (value, before)) in values.into_iter().zip(before).enumerate() {
            if value != before {
                // SAFETY: As above.
                unsafe { core::ptr::write_volatile(words.add(i), value) };
            }
        }
        // SAFETY: They were switched off above.
        unsafe { bindings::lvs_local_bh_enable() };
    }

    /// One CPU's counters.
    fn of_cpu(&self, cpu: u32) -> [u64; N] {
        // SAFETY: The per-CPU pointer is live by the type invariant, the CPU
        // is a possible one (see `possible_cpus`).
        let words = unsafe { bindings::lvs_per_cpu_ptr(self.0.as_ptr().cast(), cpu) }.cast::<u64>();
        core::array::from_fn(|i| {
            // SAFETY: `i < N`. Volatile: the CPU may be adding to it.
            unsafe { core::ptr::read_volatile(words.add(i)) }
        })
    }

    /// Sums over all CPUs, exact for what was added before. Any context.
    pub fn sum(&self) -> [u64; N] {
        possible_cpus().fold([0; N], |mut sum, cpu| {
            for (sum, word) in sum.iter_mut().zip(self.of_cpu(cpu)) {
                *sum = sum.wrapping_add(word);
            }
            sum
        })
    }

    /// Calls `each` with every possible CPU and its counters.
    pub fn for_each_cpu(&self, mut each: impl FnMut(u32, [u64; N])) {
        for cpu in possible_cpus() {
            each(cpu, self.of_cpu(cpu));
        }
    }
}

impl<const N: usize> Drop for Counters<N> {
    fn drop(&mut self) {
        // SAFETY: Allocated in `new`, and nobody holds it any more.
        unsafe { bindings::free_percpu(self.0.as_ptr().cast()) };
    }
}

/// The CPUs that can ever be there.
fn possible_cpus() -> impl Iterator<Item = u32> {
    // SAFETY: No requirement (both calls).
    let (first, end) = unsafe { (bindings::lvs_next_possible_cpu(0), bindings::nr_cpu_ids) };
    core::iter::successors(Some(first), |cpu: &u32| {
        // SAFETY: No requirement.
        Some(unsafe { bindings::lvs_next_possible_cpu(cpu.wrapping_add(1)) })
    })
    .take_while(move |cpu| *cpu < end)
}
