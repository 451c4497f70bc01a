// SPDX-License-Identifier: GPL-2.0

//! SACK edges are sequence numbers of the other direction: where these are
//! translated, the edges have to be.

use crate::options::{kind, Options};

/// Whether there are SACK blocks among options, as far as they are well-formed.
#[inline]
pub(super) fn present(options: &[u8]) -> bool {
    // What nearly every segment of an established connection has: nothing, or
    // timestamps after two NOPs.
    if matches!(options, [] | [1, 1, 8, 10, _, _, _, _, _, _, _, _]) {
        return false;
    }
    Options::new(options).find(kind::SACK).is_some()
}

/// Adds to both edges of every block among options, as far as they are
/// well-formed, in place.
#[inline]
pub(super) fn shift(options: &mut [u8], add: u32) {
    let mut rest = options;
    loop {
        let len = match *rest {
            [kind::NOP, ..] => 1,
            [kind::END, ..] | [] | [_] | [_, 0 | 1, ..] => return,
            [_, len, ..] => usize::from(len),
        };
        let Some((option, tail)) = rest.split_at_mut_checked(len) else {
            return;
        };
        shift_option(option, add);
        rest = tail;
    }
}

/// Adds to both edges of every block if `option` is a SACK option.
#[inline]
pub(super) fn shift_option(option: &mut [u8], add: u32) {
    let [kind::SACK, _, blocks @ ..] = option else {
        return;
    };
    if blocks.len() & 7 != 0 {
        return;
    }
    let mut rest = blocks;
    while let Some((edge, tail)) = rest.split_first_chunk_mut::<4>() {
        *edge = u32::from_be_bytes(*edge).wrapping_add(add).to_be_bytes();
        rest = tail;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_shifted_where_they_stand() {
        let mut options = [
            1, // NOP: the blocks begin at an odd offset
            5, 18, 0, 0, 0, 1, 0, 0, 0, 2, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 4, // two blocks
            5, 6, 9, 9, 9, 9, // a SACK option of an impossible length
            0, 5, 10, // end, garbage
        ];
        assert!(present(&options));
        shift(&mut options, 0x10);
        let expected = [
            1, 5, 18, 0, 0, 0, 0x11, 0, 0, 0, 0x12, 0, 0, 0, 0x0f, 0, 0, 0, 0x14, 5, 6, 9, 9, 9, 9,
            0, 5, 10,
        ];
        assert_eq!(options, expected);
        // What is behind a malformed option is nobody's.
        let blocks = [5, 10, 0, 0, 0, 1, 0, 0, 0, 2];
        for malformed in [&[5][..], &[5, 0, 1, 1], &[8, 1], &[8, 0]] {
            let before = [malformed, &blocks[..]].concat();
            let mut options = before.clone();
            shift(&mut options, 1);
            assert_eq!(options, before);
            assert!(malformed == [5] || !present(&before));
        }
        let mut options = [&blocks[..], &[9, 200]].concat();
        assert!(present(&options));
        shift(&mut options, 1);
        assert_eq!(options, [5, 10, 0, 0, 0, 2, 0, 0, 0, 3, 9, 200]);
    }

    #[test]
    fn usual_options_have_no_blocks() {
        assert!(!present(&[]));
        assert!(!present(&[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]));
        assert!(!present(&[2, 4, 5, 0xb4]));
        assert!(!present(&[5, 10, 0, 0]));
    }
}
