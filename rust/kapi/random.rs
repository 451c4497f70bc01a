// SPDX-License-Identifier: GPL-2.0

//! Random numbers and keyed hashes.
//!
//! C headers: [`include/linux/random.h`](srctree/include/linux/random.h),
//! [`include/linux/siphash.h`](srctree/include/linux/siphash.h)

use crate::bindings;

/// An unpredictable number. Any context.
pub fn u64() -> u64 {
    // SAFETY: No requirement.
    unsafe { bindings::get_random_u64() }
}

/// An unpredictable number. Any context.
pub fn u32() -> u32 {
    // SAFETY: No requirement.
    unsafe { bindings::get_random_u32() }
}

/// The key of a [SipHash](https://www.aumasson.jp/siphash/siphash.pdf).
#[derive(Clone, Copy)]
pub struct Key(bindings::siphash_key_t);

impl Key {
    /// A key that nobody else knows.
    pub fn random() -> Self {
        Self::from_words([u64(), u64()])
    }

    /// A key that is shared with others.
    pub fn from_words(key: [u64; 2]) -> Self {
        Self(bindings::siphash_key_t { key })
    }

    /// What it was made from, or would be.
    pub fn to_words(self) -> [u64; 2] {
        self.0.key
    }

    /// SipHash-2-4 of two words. Any context.
    #[inline]
    pub fn hash2(&self, words: [u64; 2]) -> u64 {
        // SAFETY: The key is valid for the call.
        unsafe { bindings::siphash_2u64(words[0], words[1], &self.0) }
    }

    /// SipHash-2-4 of four words. Any context.
    pub fn hash4(&self, words: [u64; 4]) -> u64 {
        // SAFETY: The key is valid for the call.
        unsafe { bindings::siphash_4u64(words[0], words[1], words[2], words[3], &self.0) }
    }
}
