// SPDX-License-Identifier: GPL-2.0

//! SACK edges are sequence numbers of the other direction: where these are
//! translated, the edges have to be.

use crate::options::{kind, Error, Options};

/// Whether there are SACK blocks among well-formed options.
#[inline]
pub(super) fn present(options: &[u8]) -> Result<bool, Error> {
    // What nearly every segment of an established connection has: nothing, or
    // timestamps after two NOPs.
    if matches!(options, [] | [1, 1, 8, 10, _, _, _, _, _, _, _, _]) {
        return Ok(false);
    }
    let mut found = false;
    for option in Options::new(options) {
        found |= option?.kind == kind::SACK;
    }
    Ok(found)
}

/// Adds to both edges of every block among well-formed options, in place.
#[inline]
pub(super) fn shift(options: &mut [u8], add: u32) {
    let mut rest = options;
    loop {
        let len = match *rest {
            [kind::NOP, ..] => 1,
            [kind::END, ..] | [] | [_] => return,
            [_, len, ..] => usize::from(len.max(2)),
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
        assert_eq!(present(&options), Ok(true));
        shift(&mut options, 0x10);
        let expected = [
            1, 5, 18, 0, 0, 0, 0x11, 0, 0, 0, 0x12, 0, 0, 0, 0x0f, 0, 0, 0, 0x14, 5, 6, 9, 9, 9, 9,
            0, 5, 10,
        ];
        assert_eq!(options, expected);
        // Malformed options are never handed in, and do no harm.
        for malformed in [&mut [5][..], &mut [5, 0, 1, 1], &mut [5, 10, 0, 0]] {
            shift(malformed, 1);
        }
    }

    #[test]
    fn usual_options_have_no_blocks() {
        assert_eq!(present(&[]), Ok(false));
        assert_eq!(present(&[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]), Ok(false));
        assert_eq!(present(&[2, 4, 5, 0xb4]), Ok(false));
        assert_eq!(present(&[5, 10, 0, 0]), Err(Error::PastEnd));
    }
}
