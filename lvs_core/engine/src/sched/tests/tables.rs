// SPDX-License-Identifier: GPL-2.0

use super::*;

const HASHING: [Scheduler; 3] = [Scheduler::Sh, Scheduler::Dh, Scheduler::Mh];
const BOTH: u32 = svc_flags::SCHED1 | svc_flags::SCHED2;

/// Where a client goes.
fn served(scheduler: Scheduler, request: &Request, dests: &Fake, table: &[u16]) -> Option<usize> {
    let pick = scheduler.pick(3, request, dests, Some(table))?;
    assert_eq!(pick.cursor, 3, "a hash needs no cursor");
    Some(pick.index)
}

/// How many slots each destination has.
fn slots(table: &[u16], dests: usize) -> Vec<usize> {
    let count = |index: usize| {
        table
            .iter()
            .filter(|entry| usize::from(**entry) == index)
            .count()
    };
    (0..dests).map(count).collect()
}

/// A request of a client that only this number tells from others.
fn spread_request(number: u32, flags: u32) -> Request {
    let mut request = request(0);
    request.client.addr = Ipv4Addr::from_bits(number.wrapping_mul(2_246_822_519)).into();
    request.flags = flags;
    request
}

#[test]
fn only_schedulers_that_hash_have_a_table() {
    for scheduler in Scheduler::ALL.iter().copied() {
        let expected = match scheduler {
            Scheduler::Sh | Scheduler::Dh => Some(256),
            Scheduler::Mh => Some(4093),
            _ => None,
        };
        assert_eq!(scheduler.table_len(), expected);
        // Filling does nothing for the others but clean up.
        let mut table = [5; 300];
        scheduler.fill(&fake(&[1]), &mut table, &mut []);
        assert_eq!(table[299], FREE);
    }
}

#[test]
fn without_a_table_there_is_no_pick() {
    let dests = fake(&[1, 1]);
    for scheduler in HASHING {
        assert_eq!(scheduler.pick(0, &request(0), &dests, None), None);
        assert_eq!(scheduler.pick(0, &request(0), &dests, Some(&[])), None);
        let short = vec![0; scheduler.table_len().unwrap() - 1];
        assert_eq!(scheduler.pick(0, &request(0), &dests, Some(&short)), None);
    }
}

#[test]
fn too_little_memory_leaves_the_table_free() {
    let dests = fake(&[1, 1]);
    let mut short = [0; 255];
    Scheduler::Sh.fill(&dests, &mut short, &mut [Preference::default(); 2]);
    assert!(short.iter().all(|entry| *entry == FREE));
    let mut table = vec![0; 4093];
    Scheduler::Mh.fill(&dests, &mut table, &mut [Preference::default(); 1]);
    assert!(table.iter().all(|entry| *entry == FREE));
    assert_eq!(served(Scheduler::Mh, &request(0), &dests, &table), None);
    // Without destinations, or with none that ever had a weight, too.
    for dests in [fake(&[]), fake(&[0, 0])] {
        let table = table_of(Scheduler::Mh, &dests).unwrap();
        assert!(table.iter().all(|entry| *entry == FREE));
    }
    let none = table_of(Scheduler::Sh, &fake(&[])).unwrap();
    assert!(none.iter().all(|entry| *entry == FREE));
}

#[test]
fn a_table_may_have_more_destinations_than_slots() {
    let many = fake(&[1; 70_000]);
    for scheduler in HASHING {
        let table = table_of(scheduler, &many).unwrap();
        let len = scheduler.table_len().unwrap();
        let mut holders = table.clone();
        holders.sort_unstable();
        holders.dedup();
        // Each slot has another destination, and the newest that an entry can name come first.
        assert_eq!(holders.len(), len, "{}", scheduler.name());
        assert_eq!(usize::from(holders[0]), 65_535 - len);
        assert_eq!(holders[len - 1], 65_534);
    }
}

#[test]
fn the_port_counts_only_with_its_flag() {
    let dests = fake(&[1; 9]);
    for scheduler in [Scheduler::Sh, Scheduler::Mh] {
        let table = table_of(scheduler, &dests).unwrap();
        let from_port = |port, flags| {
            let mut request = request(1);
            request.client.port = port;
            request.flags = flags;
            served(scheduler, &request, &dests, &table).unwrap()
        };
        assert!((0..99).all(|port| from_port(port, 0) == from_port(0, 0)));
        assert!((0..99).any(|port| from_port(port, svc_flags::SCHED2) != from_port(0, 0)));
        // Address and port are added up.
        let mut next = request(2);
        next.client.port = 0;
        let next = served(scheduler, &next, &dests, &table).unwrap();
        assert_eq!(from_port(1, svc_flags::SCHED2), next);
    }
}

#[test]
fn dh_looks_at_the_virtual_address_and_knows_neither_weight_nor_flag() {
    let dests = fake(&[1, 9, 0, -1]);
    let table = table_of(Scheduler::Dh, &dests).unwrap();
    assert_eq!(slots(&table, 4), [64; 4]);
    let to = |last: u8, client, flags| {
        let mut request = request(client);
        request.virt = Ipv4Addr::new(192, 0, 2, last).into();
        request.flags = flags;
        served(Scheduler::Dh, &request, &dests, &table)
    };
    let mut nobody = 0;
    for last in 0..=255 {
        let first = to(last, 0, 0);
        nobody += u32::from(first.is_none());
        assert!((1..9).all(|client| to(last, client, BOTH) == first));
    }
    assert!((100..156).contains(&nobody), "{nobody} of 256");
}

#[test]
fn a_quiet_destination_keeps_its_slots_in_mh() {
    let all = fake(&[1, 2, 3]);
    let before = table_of(Scheduler::Mh, &all).unwrap();
    let mut dests = fake(&[1, 2, 3]);
    dests.weights[1] = 0;
    assert_eq!(table_of(Scheduler::Mh, &dests).unwrap(), before);
    // Nobody else's client moves, and with fallback its own find another.
    for number in 0..2000 {
        let plain = spread_request(number, 0);
        let own = served(Scheduler::Mh, &plain, &all, &before).unwrap();
        let now = served(Scheduler::Mh, &plain, &dests, &before);
        assert_eq!(now, (own != 1).then_some(own));
        let falling = spread_request(number, svc_flags::SCHED1);
        let other = served(Scheduler::Mh, &falling, &dests, &before).unwrap();
        assert!(other == own || own == 1 && other != 1);
    }
}

#[test]
fn many_clients_are_spread_by_weight() {
    // Weights whose sum divides the table, nearly so for mh.
    let dests = fake(&[1, 2, 0, 5]);
    for (scheduler, total) in [(Scheduler::Sh, 9), (Scheduler::Mh, 8)] {
        let table = table_of(scheduler, &dests).unwrap();
        let mut counts = [0_u32; 4];
        let clients = 40_000;
        for number in 0..clients {
            match served(scheduler, &spread_request(number, 0), &dests, &table) {
                Some(index) => counts[index] += 1,
                None => counts[2] += 1,
            }
        }
        // Within 5 % of the share: sh gives one slot a round to weight 0.
        for (index, share) in [1, 2, total - 8, 5].into_iter().enumerate() {
            let expected = clients * share / total;
            let off = counts[index].abs_diff(expected);
            assert!(off * 20 <= expected, "{} {counts:?}", scheduler.name());
        }
    }
}

proptest! {
    #[test]
    fn slots_of_mh_follow_the_weights(weights in prop::collection::vec(0..70_000_u32, 1..30)) {
        let signed: Vec<i32> = weights.iter().map(|w| *w as i32).collect();
        let dests = fake(&signed);
        let table = table_of(Scheduler::Mh, &dests).unwrap();
        let max = weights.iter().copied().max().unwrap();
        prop_assume!(max > 0);
        prop_assert!(!table.contains(&FREE));
        // With at most 63 slots in a turn: one of rounding, and one turn that was not finished.
        let all = Weights::of(weights.iter().copied());
        let mut unit = all.gcd;
        while max / unit > 63 {
            unit *= 2;
        }
        let turns: Vec<u32> = weights.iter().map(|w| (w / unit).max((*w).min(1))).collect();
        let round: u32 = turns.iter().sum();
        for (have, turn) in slots(&table, weights.len()).into_iter().zip(turns) {
            let whole = (4093 / round * turn) as usize;
            prop_assert!((whole..=whole + turn as usize).contains(&have), "{} {}", have, whole);
        }
    }

    #[test]
    fn slots_of_sh_follow_the_weights(weights in prop::collection::vec(0..25_u32, 1..11)) {
        let signed: Vec<i32> = weights.iter().map(|w| *w as i32).collect();
        let table = table_of(Scheduler::Sh, &fake(&signed)).unwrap();
        let round: u32 = weights.iter().map(|w| (*w).max(1)).sum();
        for (have, weight) in slots(&table, weights.len()).into_iter().zip(&weights) {
            let weight = (*weight).max(1);
            let whole = (256 / round * weight) as usize;
            prop_assert!((whole..=whole + weight as usize).contains(&have));
        }
    }

    #[test]
    fn a_table_depends_on_nothing_but_the_destinations(
        weights in prop::collection::vec(0..100_i32, 1..40),
        dirt in any::<u16>(),
    ) {
        let dests = fake(&weights);
        for scheduler in HASHING {
            let clean = table_of(scheduler, &dests).unwrap();
            let mut table = vec![dirt; clean.len()];
            let mut scratch = vec![Preference::default(); weights.len() + 3];
            // What another service left.
            Scheduler::Mh.fill(&fake(&[5; 9]), &mut vec![0; 4093], &mut scratch);
            scheduler.fill(&dests, &mut table, &mut scratch);
            prop_assert_eq!(table, clean);
        }
    }

    #[test]
    fn whatever_the_table_only_who_takes_connections_is_picked(
        weights in prop::collection::vec(-2..3_i32, 0..12),
        seed in any::<u32>(),
        is_short in any::<bool>(),
        number in any::<u32>(),
        flags in any::<u32>(),
    ) {
        let dests = fake(&weights);
        // One entry in four is anything, the others lead to somebody or nearly so.
        let entry = |slot: u32| {
            let any = (seed.wrapping_mul(2 * slot + 1) >> 16) as u16;
            if slot % 4 == 0 { any } else { any % 14 }
        };
        let table: Vec<u16> = (0..if is_short { 256 } else { 4093 }).map(entry).collect();
        for scheduler in Scheduler::ALL.iter().copied() {
            let request = spread_request(number, flags);
            if let Some(pick) = scheduler.pick(u64::from(number), &request, &dests, Some(&table)) {
                prop_assert!(weights[pick.index] > 0);
            }
        }
    }

    #[test]
    fn fallback_finds_somebody_and_changes_nothing_else(
        weights in prop::collection::vec(-2..4_i32, 1..12),
        number in any::<u32>(),
    ) {
        let dests = fake(&weights);
        for scheduler in [Scheduler::Sh, Scheduler::Mh] {
            let table = table_of(scheduler, &dests).unwrap();
            let port = number & svc_flags::SCHED2;
            let plain = served(scheduler, &spread_request(number, port), &dests, &table);
            let falling = spread_request(number, port | svc_flags::SCHED1);
            let falling = served(scheduler, &falling, &dests, &table);
            prop_assert_eq!(falling.is_some(), weights.iter().any(|w| *w > 0));
            prop_assert!(plain.is_none() || plain == falling);
        }
    }

    #[test]
    fn few_clients_move_when_one_of_equals_leaves_mh(place in any::<usize>(), count in 2..60_usize) {
        let gone = place % count;
        let mut dests = fake(&vec![1; count]);
        let before = table_of(Scheduler::Mh, &dests).unwrap();
        dests.weights.remove(gone);
        dests.last_weights.remove(gone);
        dests.ends.remove(gone);
        let after = table_of(Scheduler::Mh, &dests).unwrap();
        let name = |index: u16| if usize::from(index) < gone { index } else { index + 1 };
        let pairs = before.iter().zip(&after).filter(|(old, _)| usize::from(**old) != gone);
        let moved = pairs.filter(|(old, new)| **old != name(**new)).count();
        // Of the slots that could stay, all but one in twelve did.
        prop_assert!(moved * 12 < before.len(), "{} of {}", moved, before.len());
    }
}
