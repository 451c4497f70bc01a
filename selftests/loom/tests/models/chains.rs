// SPDX-License-Identifier: GPL-2.0

//! Publishing and unlinking: who finds what while others add and remove.

use crate::pairs::{Pairs, ONE, OTHER};
use loom::thread;
use lvs_table::{model::check, ReadLock, Side};
use std::sync::Arc;

#[test]
fn what_is_found_is_whole() {
    check("publish", 3, || {
        let pairs = Arc::new(Pairs::new());
        let adds = {
            let pairs = pairs.clone();
            thread::spawn(move || assert!(pairs.add(ONE[0], OTHER[0], 3)))
        };
        {
            // Every look at an entry is a look at memory that somebody else
            // has just written.
            let rcu = ReadLock::new();
            if let Some(found) = pairs.find_in(&rcu, Side::First, ONE[0]) {
                assert_eq!(found.right, OTHER[0]);
                let second = pairs.find_in(&rcu, Side::Second, OTHER[0]);
                assert!(second.is_some(), "found from one side, found from both");
            }
        }
        adds.join().unwrap();
        pairs.holds(&[ONE[0]]);
    });
}

#[test]
fn who_stands_on_what_is_taken_out_finds_the_rest() {
    check("unlink", 3, || {
        let pairs = Arc::new(Pairs::new());
        for key in [0, 1, 2] {
            assert!(pairs.add(ONE[key], OTHER[key], 3));
        }
        let removes = {
            let pairs = pairs.clone();
            thread::spawn(move || {
                assert!(pairs.remove(Side::First, ONE[1]));
                assert!(!pairs.has(Side::First, ONE[1]));
            })
        };
        // The oldest is the last of its chain.
        assert!(pairs.has(Side::First, ONE[0]));
        assert!(pairs.has(Side::Second, OTHER[0]));
        // Whether this one is still there is anybody's guess.
        pairs.has(Side::Second, OTHER[1]);
        removes.join().unwrap();
        pairs.holds(&[ONE[0], ONE[2]]);
    });
}

#[test]
fn of_neighbours_that_go_at_once_none_stays() {
    check("unlink two", 3, || {
        let pairs = Arc::new(Pairs::new());
        for key in [0, 1, 2] {
            assert!(pairs.add(ONE[key], ONE[3], 3));
        }
        let removes = {
            let pairs = pairs.clone();
            thread::spawn(move || assert!(pairs.remove(Side::First, ONE[1])))
        };
        assert!(pairs.remove(Side::First, ONE[2]));
        removes.join().unwrap();
        pairs.holds(&[ONE[0]]);
    });
}

#[test]
fn of_two_that_add_one_key_one_wins() {
    check("lose a race", 3, || {
        let pairs = Arc::new(Pairs::new());
        let adds = {
            let pairs = pairs.clone();
            thread::spawn(move || pairs.add(ONE[0], OTHER[0], 3))
        };
        let here = pairs.add(ONE[0], OTHER[1], 3);
        let there = adds.join().unwrap();
        assert!(here != there, "one of them");
        assert_eq!(pairs.has(Side::Second, OTHER[0]), there);
        assert_eq!(pairs.has(Side::Second, OTHER[1]), here);
        assert_eq!(pairs.places(ONE[0]), 1);
        pairs.holds(&[ONE[0]]);
    });
}

#[test]
fn of_two_that_remove_one_pair_one_does() {
    check("remove twice", 3, || {
        let pairs = Arc::new(Pairs::new());
        assert!(pairs.add(ONE[0], OTHER[0], 3));
        let removes = {
            let pairs = pairs.clone();
            thread::spawn(move || pairs.remove(Side::First, ONE[0]))
        };
        let here = pairs.remove(Side::Second, OTHER[0]);
        let there = removes.join().unwrap();
        assert!(here != there, "one of them");
        pairs.holds(&[]);
    });
}

#[test]
fn what_is_removed_half_added_is_gone() {
    check("remove while added", 3, || {
        let pairs = Arc::new(Pairs::new());
        let adds = {
            let pairs = pairs.clone();
            thread::spawn(move || assert!(pairs.add(ONE[0], OTHER[0], 3)))
        };
        // The second side is there before the first.
        let gone = pairs.remove(Side::Second, OTHER[0]);
        adds.join().unwrap();
        if gone {
            assert!(!pairs.has(Side::First, ONE[0]) && !pairs.has(Side::Second, OTHER[0]));
            pairs.holds(&[]);
        } else {
            pairs.holds(&[ONE[0]]);
        }
    });
}
