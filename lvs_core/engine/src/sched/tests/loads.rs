// SPDX-License-Identifier: GPL-2.0

use super::*;

const BY_LOAD: [Scheduler; 4] = [Scheduler::Lc, Scheduler::Wlc, Scheduler::Sed, Scheduler::Nq];

/// Destinations by weight (negative: overloaded) and connections.
fn busy(dests: &[(i32, (u32, u32))]) -> Fake {
    let mut fake = fake(&dests.iter().map(|dest| dest.0).collect::<Vec<_>>());
    fake.conns = dests.iter().map(|dest| dest.1).collect();
    fake
}

fn pick(scheduler: Scheduler, cursor: u64, dests: &[(i32, (u32, u32))]) -> Option<usize> {
    super::pick(scheduler, cursor, &busy(dests)).map(|pick| pick.index)
}

/// Opens `count` connections one after another, all active.
fn spread(scheduler: Scheduler, cursor: u64, weights: &[i32], count: usize) -> Vec<u32> {
    let mut dests = fake(weights);
    let mut cursor = cursor;
    for _ in 0..count {
        let pick = super::pick(scheduler, cursor, &dests).unwrap();
        cursor = pick.cursor;
        dests.conns[pick.index].0 += 1;
    }
    dests.conns.iter().map(|conns| conns.0).collect()
}

#[test]
fn lc_counts_an_active_connection_as_257_others() {
    for cursor in 0..3 {
        assert_eq!(
            pick(Scheduler::Lc, cursor, &[(1, (1, 0)), (9, (0, 256))]),
            Some(1)
        );
        assert_eq!(
            pick(Scheduler::Lc, cursor, &[(1, (1, 0)), (9, (0, 258))]),
            Some(0)
        );
    }
    // Just as much: whose turn it is.
    let equal = [(1, (1, 0)), (1, (0, 257))];
    assert_eq!(pick(Scheduler::Lc, 0, &equal), Some(0));
    assert_eq!(pick(Scheduler::Lc, 1, &equal), Some(1));
}

#[test]
fn lc_knows_no_weight_but_0() {
    let dests = [(100, (5, 0)), (1, (4, 0)), (0, (0, 0)), (-1, (0, 0))];
    for cursor in 0..9 {
        assert_eq!(pick(Scheduler::Lc, cursor, &dests), Some(1));
    }
}

#[test]
fn wlc_takes_who_has_fewest_for_its_weight() {
    for cursor in 0..3 {
        let dests = [(1, (1, 0)), (3, (2, 255)), (2, (2, 0))];
        assert_eq!(pick(Scheduler::Wlc, cursor, &dests), Some(1));
        // Ten times the weight, ten times the connections and one more.
        assert_eq!(
            pick(Scheduler::Wlc, cursor, &[(10, (10, 1)), (1, (1, 0))]),
            Some(1)
        );
    }
}

#[test]
fn sed_begins_with_the_heaviest() {
    for cursor in 0..3 {
        let idle = [(1, (0, 0)), (3, (0, 9)), (2, (0, 0))];
        assert_eq!(pick(Scheduler::Sed, cursor, &idle), Some(1));
        // (1 + 1) / 3 is less than 1 / 1, though one is idle.
        let one_idle = [(1, (0, 0)), (3, (1, 0))];
        assert_eq!(pick(Scheduler::Sed, cursor, &one_idle), Some(1));
        assert_eq!(pick(Scheduler::Nq, cursor, &one_idle), Some(0));
    }
}

#[test]
fn nq_takes_the_idle_in_turn_and_then_the_shortest_delay() {
    let idle = [
        (9, (1, 0)),
        (1, (0, 50)),
        (0, (0, 0)),
        (-1, (0, 0)),
        (2, (0, 0)),
    ];
    assert_eq!(pick(Scheduler::Nq, 0, &idle), Some(1));
    assert_eq!(pick(Scheduler::Nq, 2, &idle), Some(4));
    assert_eq!(pick(Scheduler::Nq, 5, &idle), Some(1));
    let all_busy = [(9, (1, 0)), (1, (1, 50)), (0, (0, 0))];
    assert_eq!(pick(Scheduler::Nq, 1, &all_busy), Some(0));
}

#[test]
fn many_connections_and_great_weights_do_not_overflow() {
    let most = (u32::MAX, u32::MAX);
    for scheduler in [Scheduler::Wlc, Scheduler::Sed, Scheduler::Nq] {
        let dests = [(i32::MAX, most), (i32::MAX - 1, most), (1, (1, 0))];
        assert_eq!(pick(scheduler, 1, &dests), Some(2), "{}", scheduler.name());
        let dests = [(i32::MAX - 1, most), (i32::MAX, most)];
        assert_eq!(pick(scheduler, 0, &dests), Some(1), "{}", scheduler.name());
    }
    // 2^24 active connections are 2^32 in units of inactive ones.
    let dests = [(1, (1 << 24, 0)), (1, (1 << 23, 0))];
    assert_eq!(pick(Scheduler::Lc, 0, &dests), Some(1));
}

#[test]
fn connections_spread_by_weight() {
    assert_eq!(spread(Scheduler::Lc, 7, &[1, 5, 0, 2], 30), [10, 10, 0, 10]);
    for scheduler in [Scheduler::Wlc, Scheduler::Sed] {
        assert_eq!(
            spread(scheduler, 7, &[1, 5, 0, 2, -1], 80),
            [10, 50, 0, 20, 0]
        );
    }
}

#[test]
fn fo_keeps_to_the_heaviest_and_of_equals_to_the_newest() {
    for cursor in [0, 1, 2, u64::MAX] {
        let many = (u32::MAX, 7);
        let dests = [(5, many), (9, many), (9, many), (1, (0, 0)), (-99, (0, 0))];
        for scheduler in [Scheduler::Fo, Scheduler::Ovf] {
            let expected = if scheduler == Scheduler::Fo { 2 } else { 3 };
            assert_eq!(pick(scheduler, cursor, &dests), Some(expected));
        }
        let pick = super::pick(Scheduler::Fo, cursor, &busy(&dests)).unwrap();
        assert_eq!(pick.cursor, cursor);
    }
}

#[test]
fn ovf_goes_on_when_there_are_more_active_connections_than_weight() {
    let with = |active| pick(Scheduler::Ovf, 1, &[(3, (active, 99)), (2, (0, 0))]);
    assert_eq!([2, 3, 4].map(with), [Some(0), Some(0), Some(1)]);
    // All are full.
    assert_eq!(pick(Scheduler::Ovf, 1, &[(3, (4, 0)), (2, (3, 0))]), None);
    assert_eq!(spread(Scheduler::Ovf, 1, &[2, 4, 3, 0], 12), [3, 5, 4, 0]);
}

#[test]
fn twos_draws_by_weight_and_takes_the_less_busy() {
    // Without connections the first of the two serves: shares are as weights.
    let mut dests = fake(&[1, 2, 0, 5, -4]);
    let mut counts = [0_u32; 5];
    for index in picks(Scheduler::Twos, 12_345, &dests, 8000) {
        counts[index] += 1;
    }
    for (count, expected) in counts.into_iter().zip([1000, 2000, 0, 5000, 0]) {
        assert!(count.abs_diff(expected) < 150, "{counts:?}");
    }
    // A busy one serves only when drawn twice, (5/8)^2.
    dests.conns[3] = (9, 0);
    let busy = picks(Scheduler::Twos, 12_345, &dests, 8000);
    let busy = busy.iter().filter(|index| **index == 3).count();
    assert!(busy.abs_diff(8000 * 25 / 64) < 150, "{busy}");
    // Connections follow the weights.
    let spread = spread(Scheduler::Twos, 99, &[1, 2, 0, 5], 800);
    for (have, expected) in spread.into_iter().zip([100_u32, 200, 0, 500]) {
        assert!(have.abs_diff(expected) <= 20, "{have} of {expected}");
    }
}

proptest! {
    #[test]
    fn nobody_less_busy_was_passed_over(
        dests in prop::collection::vec((-3..9_i32, (0..5_u32, 0..600_u32)), 1..12),
        cursor in any::<u64>(),
    ) {
        // In rationals, not crosswise: load per weight, 840 divides by each of 1 to 8.
        let load = |scheduler, (weight, (active, inactive)): (i32, (u32, u32))| -> u32 {
            let per = 840 / weight.unsigned_abs();
            match scheduler {
                Scheduler::Lc => active * 257 + inactive,
                Scheduler::Wlc => (active * 257 + inactive) * per,
                Scheduler::Nq if active == 0 => 0,
                _ => (active + 1) * per,
            }
        };
        for scheduler in BY_LOAD {
            let least = dests.iter().filter(|dest| dest.0 > 0).map(|dest| load(scheduler, *dest)).min();
            let picked = pick(scheduler, cursor, &dests);
            prop_assert_eq!(picked.map(|index| load(scheduler, dests[index])), least);
            prop_assert!(picked.is_none_or(|index| dests[index].0 > 0));
        }
    }

    #[test]
    fn equals_come_in_turn(
        weights in prop::collection::vec(-1..2_i32, 1..20),
        cursor in any::<u64>(),
    ) {
        let eligible: Vec<usize> = (0..weights.len()).filter(|i| weights[*i] > 0).collect();
        prop_assume!(!eligible.is_empty());
        for scheduler in BY_LOAD {
            let mut order = picks(scheduler, cursor, &fake(&weights), eligible.len());
            order.sort_unstable();
            prop_assert_eq!(&order, &eligible);
        }
    }

    #[test]
    fn wlc_keeps_to_the_weights(
        weights in prop::collection::vec(1..20_i32, 1..8),
        cursor in any::<u64>(),
    ) {
        let total: i32 = weights.iter().sum();
        let rounds = 3;
        let shares = spread(Scheduler::Wlc, cursor, &weights, (total * rounds) as usize);
        for (share, weight) in shares.iter().zip(&weights) {
            // Who is given a connection had no more per weight than the mean, so one above it at most.
            prop_assert!(*share as i32 <= weight * rounds + 1, "{:?} {:?}", shares, weights);
        }
    }
}
