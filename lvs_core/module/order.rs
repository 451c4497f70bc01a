// SPDX-License-Identifier: GPL-2.0

//! Lists in ascending order.

use core::cmp::Ordering;
use lvs_engine::config::ConfigError;
use lvs_kapi::{gfp::Gfp, vec::Vec};

/// Where what `compare` looks for is in a sorted list, or else where it would
/// be. The library's search has overflow checks, which would be calls to the
/// panic handler.
#[inline]
pub(crate) fn place<T>(list: &[T], compare: impl Fn(&T) -> Ordering) -> Result<usize, usize> {
    let (mut from, mut to) = (0, list.len());
    while from < to {
        let middle = from.wrapping_add(to.wrapping_sub(from) >> 1);
        match list.get(middle).map(&compare) {
            Some(Ordering::Equal) => return Ok(middle),
            Some(Ordering::Less) => from = middle.wrapping_add(1),
            Some(Ordering::Greater) | None => to = middle,
        }
    }
    Err(from)
}

/// Adds `item` where it belongs by its number. May sleep.
///
/// # Errors
///
/// [`ConfigError::NoMemory`]: nothing has changed.
pub(crate) fn insert<T>(
    list: &mut Vec<T>,
    item: T,
    number: impl Fn(&T) -> u64,
) -> Result<(), ConfigError> {
    let own = number(&item);
    let (Ok(at) | Err(at)) = place(list, |other| number(other).cmp(&own));
    list.insert(at, item, Gfp::Kernel)
        .map_err(|_| ConfigError::NoMemory)
}
