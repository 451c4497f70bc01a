// SPDX-License-Identifier: GPL-2.0

use super::*;
use proptest::prelude::*;
use std::boxed::Box;
use std::collections::BTreeSet;
use std::vec::Vec;

fn empty() -> Box<PortSet> {
    Box::new(PortSet::EMPTY)
}

/// A set with the given share of the ranges taken, spread evenly.
fn filled(ranges: &Ranges, percent: u32) -> Box<PortSet> {
    let mut set = empty();
    let mut sum = 0;
    for port in FIRST..=LAST {
        if ranges.contains(port) {
            sum += percent;
            if sum >= 100 {
                sum -= 100;
                assert!(set.reserve(port));
            }
        }
    }
    set
}

/// The slow way to say what `allocate` must return.
fn expected(taken: &BTreeSet<u16>, ranges: &Ranges, cursor: u16) -> Option<u16> {
    let free = |port: &u16| ranges.contains(*port) && !taken.contains(port);
    (cursor..=LAST)
        .find(free)
        .or_else(|| (FIRST..cursor.max(FIRST)).find(free))
}

fn check(set: &PortSet, taken: &BTreeSet<u16>) {
    assert_eq!(set.used() as usize, taken.len());
    assert_eq!(set.is_empty(), taken.is_empty());
    let bits: u32 = set.words[..PORT_WORDS].iter().map(|w| w.count_ones()).sum();
    assert_eq!(bits, set.used());
    for (index, word) in set.words[..PORT_WORDS].iter().enumerate() {
        let full = (set.words[PORT_WORDS + index / 64] >> (index % 64)) & 1;
        assert_eq!(full == 1, *word == u64::MAX, "summary of word {index}");
    }
}

#[test]
fn every_port_of_the_whole_range_is_handed_out_once() {
    let mut set = empty();
    let mut cursor = 40_000;
    let mut seen = BTreeSet::new();
    for _ in 0..Ranges::DEDICATED.count() {
        let (port, next) = set.allocate(&Ranges::DEDICATED, cursor).unwrap();
        assert!(seen.insert(port));
        cursor = next;
    }
    assert_eq!(seen.len(), 64_512);
    assert_eq!(set.allocate(&Ranges::DEDICATED, cursor), None);
    check(&set, &seen);
    for port in FIRST..=LAST {
        assert!(set.free(port));
    }
    assert!(set.is_empty());
    assert_eq!(set.words, [0; WORDS]);
}

#[test]
fn a_freed_port_is_used_again_last() {
    let ranges = Ranges::new(2000, 2099).unwrap();
    let mut set = empty();
    let (port, mut cursor) = set.allocate(&ranges, 2000).unwrap();
    set.free(port);
    for expected in 2001..=2099 {
        let (port, next) = set.allocate(&ranges, cursor).unwrap();
        assert_eq!(port, expected);
        set.free(port);
        cursor = next;
    }
    assert_eq!(set.allocate(&ranges, cursor).unwrap().0, 2000);
}

#[test]
fn ports_below_1024_are_never_in_a_set() {
    let mut set = empty();
    for port in 0..FIRST {
        assert!(!set.reserve(port) && !set.is_taken(port) && !set.free(port));
    }
    assert!(set.is_empty());
    assert_eq!(set.words, [0; WORDS]);
}

#[test]
fn wrong_ranges_are_refused() {
    assert_eq!(Ranges::new(5000, 4999), Err(RangeError::Empty));
    assert_eq!(Ranges::new(1023, 5000), Err(RangeError::Privileged));
    assert_eq!(Ranges::new(0, 0), Err(RangeError::Privileged));
    assert_eq!(Ranges::new(7000, 7000).unwrap().count(), 1);
    assert_eq!(Ranges::new(FIRST, LAST), Ok(Ranges::DEDICATED));
}

#[test]
fn a_place_in_the_ranges_is_a_port_of_them() {
    let count = Ranges::DEFAULT.count();
    assert_eq!(Ranges::DEFAULT.nth(0), Ranges::DEFAULT.first());
    assert_eq!(Ranges::DEFAULT.nth(31_743), 32_767);
    assert_eq!(Ranges::DEFAULT.nth(31_744), 61_000);
    assert_eq!(Ranges::DEFAULT.nth(count - 1), LAST);
    assert_eq!(Ranges::DEFAULT.nth(count), FIRST);
}

/// Words looked at, in all and at most at once, over many allocations and frees at a constant fill.
fn visits(ranges: &Ranges, percent: u32) -> (u32, u32) {
    let mut set = filled(ranges, percent);
    let mut cursor = ranges.first();
    let (mut total, mut most) = (0, 0);
    // A cheap generator, so that what is freed is anywhere.
    let mut random = 12_345_u32;
    for _ in 0..20_000 {
        let mut visited = 0;
        let port = set.search(ranges, cursor, &mut visited).unwrap();
        set.take(port);
        cursor = port.checked_add(1).unwrap_or(FIRST);
        total += visited;
        most = most.max(visited);
        loop {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if set.free(ranges.nth(random >> 8)) {
                break;
            }
        }
    }
    (total, most)
}

#[test]
fn a_port_costs_the_same_at_95_percent_as_at_10() {
    for ranges in [
        Ranges::DEFAULT,
        Ranges::DEDICATED,
        Ranges::new(5000, 65_000).unwrap(),
    ] {
        let (low, _) = visits(&ranges, 10);
        let (high, most) = visits(&ranges, 95);
        assert!(2 * high <= 3 * low, "{high} against {low} words");
        // Never worse than both summaries and the words at the ends.
        assert!(most <= 2 * 16 + 6, "{most} words");
    }
}

#[test]
fn one_free_port_of_a_full_set_is_found_from_everywhere() {
    let ranges = Ranges::DEFAULT;
    for free in [FIRST, 1087, 1088, 32_767, 61_000, 65_535] {
        let mut set = filled(&ranges, 100);
        set.free(free);
        for cursor in (0..=LAST)
            .step_by(97)
            .chain([0, 32_767, 32_768, 61_000, LAST])
        {
            let mut visited = 0;
            assert_eq!(set.search(&ranges, cursor, &mut visited), Some(free));
            assert!(visited <= 2 * 16 + 6);
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Allocate(u16),
    Reserve(u16),
    Free(u16),
    FreeUsed(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any::<u16>().prop_map(Step::Allocate),
        2 => any::<u16>().prop_map(Step::Reserve),
        1 => any::<u16>().prop_map(Step::Free),
        2 => any::<usize>().prop_map(Step::FreeUsed),
    ]
}

fn ranges() -> impl Strategy<Value = Ranges> {
    prop_oneof![
        Just(Ranges::DEFAULT),
        Just(Ranges::DEDICATED),
        (FIRST..=LAST, 0..200_u16).prop_map(|(first, more)| Ranges::new(
            first,
            first.saturating_add(more)
        )
        .unwrap()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_set_agrees_with_a_plain_one(ranges in ranges(), steps in prop::collection::vec(step(), 1..300)) {
        let mut set = empty();
        let mut taken = BTreeSet::new();
        for step in steps {
            match step {
                Step::Allocate(cursor) => {
                    let got = set.allocate(&ranges, cursor);
                    prop_assert_eq!(got.map(|(port, _)| port), expected(&taken, &ranges, cursor));
                    if let Some((port, next)) = got {
                        prop_assert_eq!(next, if port == LAST { FIRST } else { port + 1 });
                        taken.insert(port);
                    }
                }
                Step::Reserve(port) => {
                    prop_assert_eq!(set.reserve(port), port >= FIRST && taken.insert(port));
                }
                Step::Free(port) => prop_assert_eq!(set.free(port), taken.remove(&port)),
                Step::FreeUsed(which) => {
                    let used: Vec<_> = taken.iter().copied().collect();
                    if let Some(port) = used.get(which % used.len().max(1)) {
                        prop_assert!(set.is_taken(*port) && set.free(*port));
                        taken.remove(port);
                    }
                }
            }
        }
        check(&set, &taken);
    }
}

#[test]
fn a_round_has_every_port_once_from_the_cursor_on() {
    let two = Ranges::DEFAULT;
    for ranges in [Ranges::new(2000, 2007).unwrap(), two, Ranges::DEDICATED] {
        let all: Vec<u16> = (FIRST..=LAST)
            .filter(|port| ranges.contains(*port))
            .collect();
        for cursor in [0, FIRST, 2003, 2008, 32_767, 32_768, 61_000, 65_000, LAST] {
            let round: Vec<u16> = ranges.round_from(cursor).collect();
            let start = all.iter().position(|port| *port >= cursor).unwrap_or(0);
            assert_eq!(
                round,
                [&all[start..], &all[..start]].concat(),
                "from {cursor}"
            );
        }
    }
}

/// Every way a port can come back says so, wherever the range ends.
#[test]
fn a_port_that_comes_back_is_known_to() {
    let last = Ranges::new(65_530, LAST).unwrap();
    let inside = Ranges::new(2000, 2005).unwrap();
    for ranges in [last, inside, Ranges::DEFAULT, Ranges::DEDICATED] {
        for start in [ranges.first(), ranges.nth(3), LAST, FIRST] {
            let mut set = empty();
            let mut turn = Turn::new(start);
            let mut seen = BTreeSet::new();
            for _ in 0..ranges.count() {
                let (port, is_again) = turn.take(&mut *set, &ranges).unwrap();
                assert!(set.free(port));
                assert!(
                    seen.insert(port) || is_again,
                    "{port} of {ranges:?} from {start}"
                );
            }
            // From now on each is one that was there.
            for _ in 0..ranges.count() {
                let (port, is_again) = turn.take(&mut *set, &ranges).unwrap();
                assert!(set.free(port));
                assert!(is_again, "{port} of {ranges:?} from {start}");
            }
        }
        // In the first round from the first port on none has been.
        let mut set = empty();
        let mut turn = Turn::new(ranges.first());
        for _ in 0..ranges.count() {
            assert!(!turn.take(&mut *set, &ranges).unwrap().1);
        }
        assert_eq!(turn.take(&mut *set, &ranges), None);
    }
}
