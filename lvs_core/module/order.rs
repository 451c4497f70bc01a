// SPDX-License-Identifier: GPL-2.0

//! Lists in ascending order. The library's ways have checks in them, which
//! would be calls to the panic handler.

use core::cmp::Ordering;
use lvs_kapi::vec::Vec;

/// Where what `compare` looks for is in a sorted list, or else where it would
/// be.
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

/// Sorts a list by what `key` says of each, in place and without memory: a
/// heap sort. Those with the same key end in any order.
pub(crate) fn sort<T, K: Ord>(list: &mut Vec<T>, key: impl Fn(&T) -> K) {
    let mut root = list.len() >> 1;
    while let Some(next) = root.checked_sub(1) {
        root = next;
        sift(list, root, list.len(), &key);
    }
    let mut end = list.len();
    while let Some(last) = end.checked_sub(1) {
        end = last;
        // The greatest of those before `end`.
        list.swap(0, end);
        sift(list, 0, end, &key);
    }
}

/// Lets the item at `root` sink below all greater ones before `end`.
fn sift<T, K: Ord>(list: &mut Vec<T>, mut root: usize, end: usize, key: &impl Fn(&T) -> K) {
    loop {
        let left = root.wrapping_mul(2).wrapping_add(1);
        let right = left.wrapping_add(1);
        if left >= end {
            return;
        }
        let is_less = |a: usize, b: usize| match (list.get(a), list.get(b)) {
            (Some(a), Some(b)) => key(a) < key(b),
            _ => false,
        };
        let greater = if right < end && is_less(left, right) {
            right
        } else {
            left
        };
        if !is_less(root, greater) {
            return;
        }
        list.swap(root, greater);
        root = greater;
    }
}
