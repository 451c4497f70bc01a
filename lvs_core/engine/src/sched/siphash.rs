// SPDX-License-Identifier: GPL-2.0

//! The kernel's `hsiphash` of one number: SipHash with one round for each word
//! and three at the end, of which 32 bits are taken (Aumasson and Bernstein,
//! "SipHash: a fast short-input PRF", 2012). On machines of 32 bits the kernel has
//! another function of this name.

/// The four words of the state.
struct State([u64; 4]);

impl State {
    #[inline]
    const fn new([key0, key1]: [u64; 2]) -> Self {
        Self([
            key0 ^ u64::from_be_bytes(*b"somepseu"),
            key1 ^ u64::from_be_bytes(*b"dorandom"),
            key0 ^ u64::from_be_bytes(*b"lygenera"),
            key1 ^ u64::from_be_bytes(*b"tedbytes"),
        ])
    }

    #[inline]
    const fn round(self) -> Self {
        let [v0, v1, v2, v3] = self.0;
        let sum = v0.wrapping_add(v1);
        let v1 = v1.rotate_left(13) ^ sum;
        let v0 = sum.rotate_left(32);
        let v2 = v2.wrapping_add(v3);
        let v3 = v3.rotate_left(16) ^ v2;
        let v0 = v0.wrapping_add(v3);
        let v3 = v3.rotate_left(21) ^ v0;
        let sum = v2.wrapping_add(v1);
        let v1 = v1.rotate_left(17) ^ sum;
        Self([v0, v1, sum.rotate_left(32), v3])
    }

    #[inline]
    const fn absorb(self, word: u64) -> Self {
        let [v0, v1, v2, v3] = self.0;
        let Self([v0, v1, v2, v3]) = Self([v0, v1, v2, v3 ^ word]).round();
        Self([v0 ^ word, v1, v2, v3])
    }

    #[inline]
    const fn finish(self) -> u64 {
        let [v0, v1, v2, v3] = self.0;
        let mixed = Self([v0, v1, v2 ^ 0xff, v3]).round().round().round();
        let [v0, v1, v2, v3] = mixed.0;
        v0 ^ v1 ^ v2 ^ v3
    }
}

/// The hash of the four bytes of `number`, lowest first.
#[inline]
pub(super) const fn hsiphash_u32(number: u32, key: [u64; 2]) -> u32 {
    // The last word of a message has what is left of it and, on top, its length.
    let length = 4_u64 << 56;
    // CAST: there is no `From` in a constant function; 32 bits fit 64.
    let word = length | number as u64;
    // CAST: the lower half is the hash.
    State::new(key).absorb(word).finish() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_vector() {
        // lib/tests/siphash_kunit.c: the bytes 0 to 3 under the key of bytes 0 to 15.
        let key = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        assert_eq!(hsiphash_u32(0x0302_0100, key), 0x88d3_8328);
    }

    #[test]
    fn the_standard_librarys_hash_is_the_same_with_key_0() {
        // SipHash 1-3 in every release so far, though nothing promises it.
        use std::hash::{DefaultHasher, Hasher};
        for number in (0..32).map(|bit| 1_u32.rotate_left(bit).wrapping_sub(3)) {
            let mut hasher = DefaultHasher::new();
            hasher.write(&number.to_le_bytes());
            assert_eq!(hsiphash_u32(number, [0, 0]), hasher.finish() as u32);
        }
    }
}
