// SPDX-License-Identifier: GPL-2.0

//! Order of sequence numbers (RFC 9293 section 3.4): they wrap, so "later" is
//! the sign of the wrapped difference.

/// Whether sequence number `a` lies after `b`.
///
/// ```
/// # use lvs_engine::tcp::seq;
/// assert!(seq::after(5, u32::MAX));
/// assert!(!seq::after(5, 5));
/// ```
#[inline]
#[must_use]
pub const fn after(a: u32, b: u32) -> bool {
    // CAST: the sign of the wrapped difference is the order of the two.
    (a.wrapping_sub(b) as i32) > 0
}

/// The later of two sequence numbers.
///
/// ```
/// # use lvs_engine::tcp::seq;
/// assert_eq!(seq::later(3, u32::MAX), 3);
/// ```
#[inline]
#[must_use]
pub const fn later(a: u32, b: u32) -> u32 {
    if after(a, b) {
        a
    } else {
        b
    }
}
