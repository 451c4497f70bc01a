// SPDX-License-Identifier: GPL-2.0

//! The wheel: expiry and flushing, while others add, remove and hasten.

use crate::pairs::{Pairs, ONE, OTHER};
use loom::thread;
use lvs_table::{model::check, Side};
use std::sync::Arc;

/// A table with `count` pairs that are due at tick 2.
fn pairs(count: usize) -> Arc<Pairs> {
    let pairs = Pairs::new();
    for key in 0..count {
        assert!(pairs.add(ONE[key], OTHER[key], 2));
    }
    Arc::new(pairs)
}

/// What `with` does with the pairs, in a thread of its own.
fn does<R: 'static>(
    pairs: &Arc<Pairs>,
    with: impl FnOnce(&Pairs) -> R + 'static,
) -> thread::JoinHandle<R> {
    let pairs = pairs.clone();
    thread::spawn(move || with(&pairs))
}

#[test]
fn what_is_due_and_removed_ends_once() {
    check("expire, remove", 3, || {
        let pairs = pairs(2);
        let expires = does(&pairs, |pairs| pairs.expire(2));
        let ours = pairs.remove(Side::First, ONE[0]);
        let theirs = expires.join().unwrap();
        assert_eq!(theirs + u32::from(ours), 2);
        pairs.holds(&[]);
    });
}

#[test]
fn who_finds_what_is_due_finds_it_whole() {
    check("expire, look up", 3, || {
        let pairs = pairs(1);
        let expires = does(&pairs, |pairs| pairs.expire(2));
        pairs.has(Side::Second, OTHER[0]);
        pairs.has(Side::First, ONE[0]);
        assert_eq!(expires.join().unwrap(), 1);
        pairs.holds(&[]);
    });
}

#[test]
fn what_is_added_due_ends_or_stays() {
    check("expire, add", 3, || {
        let pairs = pairs(0);
        let expires = does(&pairs, |pairs| pairs.expire(2));
        assert!(pairs.add(ONE[0], OTHER[0], 2));
        match expires.join().unwrap() {
            0 => pairs.holds(&[ONE[0]]),
            _ => pairs.holds(&[]),
        }
        // The next turn takes what the last one was too early for.
        pairs.expire(3);
        pairs.holds(&[]);
    });
}

#[test]
fn what_is_removed_half_added_is_in_no_slot() {
    check("remove while added, expire", 3, || {
        let pairs = pairs(0);
        let adds = does(&pairs, |pairs| assert!(pairs.add(ONE[0], OTHER[0], 2)));
        let removed = pairs.remove(Side::Second, OTHER[0]);
        // The slot is looked at; nothing is there that has been freed.
        let expired = pairs.expire(1);
        assert_eq!(expired, 0);
        adds.join().unwrap();
        assert_eq!(pairs.expire(2), u32::from(!removed));
        pairs.holds(&[]);
    });
}

#[test]
fn what_is_hastened_on_its_way_out_is_in_no_slot() {
    check("hasten, remove", 3, || {
        let pairs = pairs(2);
        let hastens = does(&pairs, |pairs| pairs.hasten(ONE[0], 1));
        assert!(pairs.remove(Side::Second, OTHER[0]));
        hastens.join().unwrap();
        pairs.holds(&[ONE[1]]);
        assert_eq!(pairs.expire(2), 1);
        pairs.holds(&[]);
    });
}

#[test]
fn what_is_hastened_ends_once() {
    check("hasten, expire", 3, || {
        let pairs = pairs(2);
        let expires = does(&pairs, |pairs| pairs.expire(1));
        pairs.hasten(ONE[0], 1);
        let first = expires.join().unwrap();
        assert!(first <= 1, "the other is not due");
        assert_eq!(first + pairs.expire(2), 2);
        pairs.holds(&[]);
    });
}

#[test]
fn a_flush_takes_all_that_is_there() {
    check("flush, remove, add", 3, || {
        let pairs = pairs(2);
        let adds = does(&pairs, |pairs| assert!(pairs.add(ONE[2], OTHER[2], 2)));
        let removes = does(&pairs, |pairs| pairs.remove(Side::First, ONE[1]));
        let flushed = pairs.clear();
        let removed = removes.join().unwrap();
        adds.join().unwrap();
        assert!(!pairs.has(Side::First, ONE[0]) && !pairs.has(Side::First, ONE[1]));
        let left = pairs.clear();
        assert_eq!(flushed + left + u32::from(removed), 3);
        pairs.holds(&[]);
    });
}

#[test]
fn what_ends_while_the_table_grows_is_gone() {
    check("expire, grow, look up", 3, || {
        let pairs = pairs(2);
        // The product's order is one after the other, by one caller; another
        // table may grow for its own reasons at any time.
        let expires = does(&pairs, |pairs| pairs.expire(2));
        let grows = does(&pairs, |pairs| pairs.grow(0));
        pairs.has(Side::Second, OTHER[0]);
        assert_eq!(expires.join().unwrap(), 2);
        grows.join().unwrap();
        pairs.holds(&[]);
    });
}
