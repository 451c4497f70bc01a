// SPDX-License-Identifier: GPL-2.0

//! Growing, while others look up, add and remove.

use crate::pairs::{Pairs, ONE, OTHER};
use loom::thread;
use lvs_table::{model::check, ReadLock, Side};
use std::sync::Arc;

/// A table of two chains with `count` pairs, which has room to grow.
fn pairs(count: usize) -> Arc<Pairs> {
    let pairs = Pairs::new();
    for key in 0..count {
        assert!(pairs.add(ONE[key], OTHER[key], 3));
    }
    Arc::new(pairs)
}

/// Grows to twice the size, in a thread of its own.
fn grows(pairs: &Arc<Pairs>) -> thread::JoinHandle<()> {
    let pairs = pairs.clone();
    thread::spawn(move || pairs.grow(0))
}

#[test]
fn what_stays_is_found_all_the_time() {
    check("grow, look up", 3, || {
        let pairs = pairs(2);
        let grows = grows(&pairs);
        for key in [0, 1] {
            assert!(pairs.has(Side::First, ONE[key]));
        }
        assert!(pairs.has(Side::Second, OTHER[0]));
        assert_eq!(pairs.places(ONE[0]), 1);
        grows.join().unwrap();
        assert_eq!(pairs.size(), 4);
        pairs.holds(&ONE[..2]);
    });
}

#[test]
fn a_section_that_lasts_meets_one_array() {
    check("grow twice, look up", 3, || {
        let pairs = pairs(2);
        let grows = {
            let pairs = pairs.clone();
            // The second time with the `next` pointers of the first array.
            thread::spawn(move || {
                pairs.grow(0);
                pairs.grow(-1);
            })
        };
        {
            let rcu = ReadLock::new();
            for key in [1, 0] {
                assert!(pairs.find_in(&rcu, Side::First, ONE[key]).is_some());
            }
        }
        grows.join().unwrap();
        assert_eq!(pairs.size(), 8);
        pairs.holds(&ONE[..2]);
    });
}

#[test]
fn what_is_added_meanwhile_is_found() {
    check("grow, add", 3, || {
        let pairs = pairs(2);
        let grows = grows(&pairs);
        assert!(pairs.add(ONE[2], OTHER[2], 3));
        assert!(pairs.has(Side::First, ONE[2]));
        assert!(pairs.has(Side::Second, OTHER[2]));
        grows.join().unwrap();
        assert!(pairs.has(Side::First, ONE[2]));
        assert!(pairs.has(Side::Second, OTHER[2]));
        pairs.holds(&ONE[..3]);
    });
}

#[test]
fn what_is_added_meanwhile_is_found_by_others() {
    check("grow, add, look up", 3, || {
        let pairs = pairs(2);
        let grows = grows(&pairs);
        let adds = {
            let pairs = pairs.clone();
            thread::spawn(move || assert!(pairs.add(ONE[2], OTHER[2], 3)))
        };
        // Who finds it once finds it again.
        if pairs.has(Side::First, ONE[2]) {
            assert!(pairs.has(Side::First, ONE[2]) && pairs.has(Side::Second, OTHER[2]));
        }
        adds.join().unwrap();
        grows.join().unwrap();
        pairs.holds(&ONE[..3]);
    });
}

#[test]
fn what_is_removed_meanwhile_is_gone() {
    check("grow, remove", 3, || {
        let pairs = pairs(2);
        let grows = grows(&pairs);
        assert!(pairs.remove(Side::First, ONE[0]));
        assert!(!pairs.has(Side::First, ONE[0]));
        assert!(!pairs.has(Side::Second, OTHER[0]));
        grows.join().unwrap();
        assert!(!pairs.has(Side::First, ONE[0]));
        pairs.holds(&[ONE[1]]);
    });
}

#[test]
fn what_is_gone_once_stays_gone() {
    check("grow, remove, look up", 3, || {
        let pairs = pairs(1);
        pairs.add(ONE[1], OTHER[1], 3);
        let grows = grows(&pairs);
        let removes = {
            let pairs = pairs.clone();
            thread::spawn(move || assert!(pairs.remove(Side::Second, OTHER[0])))
        };
        if !pairs.has(Side::First, ONE[0]) {
            assert!(!pairs.has(Side::First, ONE[0]));
        }
        removes.join().unwrap();
        grows.join().unwrap();
        pairs.holds(&[ONE[1]]);
    });
}

#[test]
fn of_two_that_grow_it_one_does() {
    check("grow at once", 3, || {
        let pairs = pairs(2);
        let grows = grows(&pairs);
        pairs.grow(0);
        grows.join().unwrap();
        assert_eq!(pairs.size(), 4);
        pairs.holds(&ONE[..2]);
    });
}
