// SPDX-License-Identifier: GPL-2.0

//! A fault that luck does not find: four bytes have to be right, one behind the
//! other. What leads to it is that each right byte covers a branch more. The
//! runner has to find it, or it finds nothing elsewhere either.

/// Panics at the four bytes.
pub(super) fn run(data: &[u8]) {
    let [a, b, c, d, ..] = data else { return };
    if *a == b'l' && *b == b'v' && *c == b's' && *d == b'!' {
        panic!("the planted fault");
    }
}
