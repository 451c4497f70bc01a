// SPDX-License-Identifier: GPL-2.0

use super::*;
use core::net::Ipv4Addr;
use lvs_wire::addr::AnyAddr;
use proptest::prelude::*;
use std::cell::Cell;
use std::vec::Vec;

mod loads;
mod tables;
mod vectors;

/// Destinations by weight; a negative one is overloaded.
struct Fake {
    weights: Vec<i32>,
    conns: Vec<(u32, u32)>,
    last_weights: Vec<u32>,
    ends: Vec<AnyEndpoint>,
    looks: Cell<usize>,
}

fn fake(weights: &[i32]) -> Fake {
    Fake {
        weights: weights.to_vec(),
        conns: vec![(0, 0); weights.len()],
        last_weights: weights.iter().map(|w| w.unsigned_abs()).collect(),
        ends: (1..=weights.len() as u32)
            .map(|n| AnyEndpoint::new(Ipv4Addr::from_bits(0x0a00_0000 + n).into(), 80))
            .collect(),
        looks: Cell::new(0),
    }
}

impl Candidates for Fake {
    fn len(&self) -> usize {
        self.weights.len()
    }

    fn weight(&self, index: usize) -> u32 {
        self.looks.set(self.looks.get() + 1);
        self.weights.get(index).map_or(0, |w| w.unsigned_abs())
    }

    fn is_overloaded(&self, index: usize) -> bool {
        self.weights[index] < 0
    }

    fn conns(&self, index: usize) -> (u32, u32) {
        self.conns[index]
    }

    fn last_weight(&self, index: usize) -> u32 {
        self.last_weights[index]
    }

    fn endpoint(&self, index: usize) -> Option<AnyEndpoint> {
        self.ends.get(index).copied()
    }

    fn weights(&self) -> Weights {
        Weights::of(self.weights.iter().map(|w| w.unsigned_abs()))
    }
}

/// From 198.51.100.0 and up, without flags.
fn request(number: u32) -> Request {
    Request {
        client: AnyEndpoint::new(Ipv4Addr::from_bits(0xc633_6400 + number).into(), 40_000),
        virt: Ipv4Addr::from_bits(0xc000_0201).into(),
        flags: 0,
    }
}

/// A table as the caller would make it; none for those that need none.
fn table_of(scheduler: Scheduler, dests: &Fake) -> Option<Vec<u16>> {
    let mut table = vec![7; scheduler.table_len()?];
    let mut scratch = vec![Preference::default(); dests.len()];
    scheduler.fill(dests, &mut table, &mut scratch);
    Some(table)
}

/// A pick for a request that does not matter.
fn pick(scheduler: Scheduler, cursor: u64, dests: &Fake) -> Option<Pick> {
    let table = table_of(scheduler, dests);
    scheduler.pick(cursor, &request(1), dests, table.as_deref())
}

fn picks(scheduler: Scheduler, mut cursor: u64, dests: &Fake, count: usize) -> Vec<usize> {
    (0..count)
        .map(|_| {
            let pick = pick(scheduler, cursor, dests).unwrap();
            cursor = pick.cursor;
            pick.index
        })
        .collect()
}

#[test]
fn names_are_the_stock_tools() {
    for scheduler in Scheduler::ALL.iter().copied() {
        assert_eq!(Scheduler::from_name(scheduler.name()), Ok(scheduler));
    }
    for (name, scheduler) in [
        ("none", Scheduler::None),
        ("rr", Scheduler::Rr),
        ("wrr", Scheduler::Wrr),
        ("lc", Scheduler::Lc),
        ("wlc", Scheduler::Wlc),
        ("sed", Scheduler::Sed),
        ("nq", Scheduler::Nq),
        ("fo", Scheduler::Fo),
        ("ovf", Scheduler::Ovf),
        ("twos", Scheduler::Twos),
        ("sh", Scheduler::Sh),
        ("dh", Scheduler::Dh),
        ("mh", Scheduler::Mh),
    ] {
        assert_eq!(scheduler.name(), name);
    }
    for name in ["lblc", "lblcr"] {
        assert_eq!(Scheduler::from_name(name), Err(UnknownScheduler::NotYet));
    }
    for name in ["", "RR", "rr ", "r", "wrrr"] {
        assert_eq!(Scheduler::from_name(name), Err(UnknownScheduler::Unknown));
    }
}

#[test]
fn none_picks_nothing() {
    assert_eq!(pick(Scheduler::None, 0, &fake(&[1, 1])), None);
}

#[test]
fn without_an_eligible_destination_there_is_no_pick() {
    for dests in [
        fake(&[]),
        fake(&[0]),
        fake(&[0, 0, 0]),
        fake(&[-5, 0]),
        fake(&[-1]),
    ] {
        for cursor in [0, 1, 7, u64::MAX, 1 << 32] {
            for scheduler in Scheduler::ALL.iter().copied() {
                assert_eq!(pick(scheduler, cursor, &dests), None);
            }
        }
    }
}

#[test]
fn rr_goes_round_and_passes_over_the_quiet() {
    let dests = fake(&[1, 0, 9, -1, 1]);
    assert_eq!(picks(Scheduler::Rr, 0, &dests, 7), [0, 2, 4, 0, 2, 4, 0]);
    assert_eq!(picks(Scheduler::Rr, 3, &dests, 2), [4, 0]);
}

#[test]
fn wrr_follows_the_classic_order() {
    // A 4, B 3, C 2: the kernel's own example.
    assert_eq!(
        picks(Scheduler::Wrr, 3 << 32, &fake(&[4, 3, 2]), 9),
        [0, 0, 1, 0, 1, 2, 0, 1, 2]
    );
}

#[test]
fn a_light_destination_beside_a_heavy_overloaded_one_is_found_at_once() {
    let dests = fake(&[-65_535, 1]);
    let pick = pick(Scheduler::Wrr, 60_000 << 32, &dests).unwrap();
    assert_eq!(pick.index, 1);
    assert!(dests.looks.get() <= 12, "{} looks", dests.looks.get());
    assert_eq!(picks(Scheduler::Wrr, 5, &dests, 3), [1, 1, 1]);
}

#[test]
fn directors_that_start_together_do_not_herd() {
    // A cheap generator stands for the random first cursors.
    let mut cursor = 1_u64;
    let mut first = [0_u32; 4];
    for _ in 0..4000 {
        cursor = cursor
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let pick = pick(Scheduler::Rr, cursor >> 16, &fake(&[1; 4])).unwrap();
        first[pick.index] += 1;
    }
    assert!(first.iter().all(|n| (900..1100).contains(n)), "{first:?}");
}

#[test]
fn a_candidate_list_has_sensible_defaults() {
    struct Two;
    impl Candidates for Two {
        fn len(&self) -> usize {
            2
        }
        fn weight(&self, index: usize) -> u32 {
            [6, 4][index]
        }
        fn is_overloaded(&self, _: usize) -> bool {
            false
        }
        fn conns(&self, _: usize) -> (u32, u32) {
            (0, 0)
        }
        fn last_weight(&self, index: usize) -> u32 {
            self.weight(index)
        }
        fn endpoint(&self, _: usize) -> Option<AnyEndpoint> {
            None
        }
    }
    assert_eq!(Two.weights(), Weights { max: 6, gcd: 2 });
    assert!(!Two.is_empty() && Two.is_eligible(1));
    assert_eq!(Weights::of([]), Weights { max: 0, gcd: 1 });
}

proptest! {
    #[test]
    fn wrr_is_exact_over_a_cycle(
        weights in prop::collection::vec(prop_oneof![Just(0), 1..12_i32, Just(100), -9..0_i32], 1..12),
        cursor in any::<u64>(),
    ) {
        let dests = fake(&weights);
        let gcd = dests.weights().gcd;
        let share: Vec<u32> = weights.iter().map(|w| if *w > 0 { w.unsigned_abs() / gcd } else { 0 }).collect();
        let cycle: u32 = share.iter().sum();
        prop_assume!(cycle > 0);
        // From any cursor, any number of cycles.
        let order = picks(Scheduler::Wrr, cursor, &dests, cycle as usize * 2);
        for half in order.chunks(cycle as usize) {
            let mut count = vec![0; weights.len()];
            for index in half {
                count[*index] += 1;
            }
            prop_assert_eq!(&count, &share);
        }
    }

    #[test]
    fn rr_is_exact_over_a_cycle(
        weights in prop::collection::vec(-1..3_i32, 1..20),
        cursor in any::<u64>(),
    ) {
        let dests = fake(&weights);
        let eligible: Vec<usize> = (0..weights.len()).filter(|i| weights[*i] > 0).collect();
        prop_assume!(!eligible.is_empty());
        let mut order = picks(Scheduler::Rr, cursor, &dests, eligible.len());
        order.sort_unstable();
        prop_assert_eq!(order, eligible);
    }

    #[test]
    fn a_pick_looks_at_each_destination_a_few_times_at_most(
        weights in prop::collection::vec(-70_000..70_000_i32, 1..40),
        cursor in any::<u64>(),
    ) {
        let dests = fake(&weights);
        let picked = pick(Scheduler::Wrr, cursor, &dests);
        prop_assert!(dests.looks.get() <= 4 * weights.len());
        prop_assert_eq!(picked.is_some(), weights.iter().any(|w| *w > 0));
        if let Some(pick) = picked {
            prop_assert!(dests.is_eligible(pick.index));
        }
    }

    #[test]
    fn the_divisor_divides_and_is_the_greatest(weights in prop::collection::vec(0..1000_u32, 1..6)) {
        let all = Weights::of(weights.iter().copied());
        prop_assert_eq!(Some(&all.max), weights.iter().max());
        prop_assert!(weights.iter().all(|w| w % all.gcd == 0));
        let divides = |d: u32| weights.iter().all(|w| w % d == 0);
        prop_assert!(all.max == 0 || !(all.gcd + 1..=all.max).any(divides));
    }
}
