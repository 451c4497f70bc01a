// SPDX-License-Identifier: GPL-2.0

use super::*;
use crate::flow::testing::flows;
use crate::verify::{look, Seen};

fn seen(frame: &Frame) -> Option<Seen> {
    look(&frame.vnet, &frame.bytes)
}

#[test]
fn a_seed_and_a_number_are_a_frame() {
    let flows = flows();
    let bytes = |seed, number| frame(seed, number, &flows).bytes;
    for number in 0..2000 {
        assert_eq!(bytes(1, number), bytes(1, number));
    }
    assert!((0..2000).any(|number| bytes(1, number) != bytes(2, number)));
}

#[test]
fn more_than_half_are_right_and_many_are_not_in_either_family_at_either_side() {
    let flows = flows();
    for seed in 1..=2 {
        let mut right = [[(0, 0); 2]; 2];
        for number in 0..8192 {
            let frame = frame(seed, number, &flows);
            let six = usize::from(frame.bytes[12] == 0x86);
            let (all, good) = &mut right[frame.side as usize][six];
            *all += 1;
            *good += i32::from(
                frame.whole_is_sound && seen(&frame).is_some_and(|seen| seen.problem.is_none()),
            );
        }
        for (all, good) in right.into_iter().flatten() {
            assert!(
                all > 1000 && good * 2 > all && good * 10 < all * 9,
                "{good} of {all}"
            );
        }
    }
}

#[test]
fn the_pieces_of_a_datagram_are_the_whole() {
    let flows = flows();
    let mut wholes = [0, 0];
    for (which, size) in [GROUP, LARGE_GROUP].into_iter().enumerate() {
        for group in 0..60 {
            let pieces: Vec<Frame> = (0..size)
                .map(|place| piece(&mut of(9, group), group, (place, size), &flows))
                .collect();
            if !pieces[0].whole_is_sound {
                continue;
            }
            let mut seen: Vec<Seen> = pieces.iter().filter_map(seen).collect();
            seen.sort_by_key(|seen| seen.piece.unwrap().1);
            let l4: Vec<u8> = seen.iter().flat_map(|seen| seen.l4.clone()).collect();
            let whole = crate::verify::behind(seen[0].ends, None, &l4, None);
            assert_eq!(whole.problem, None, "group {group} of {size}");
            wholes[which] += 1;
        }
    }
    assert!(wholes.into_iter().all(|count| count > 30), "{wholes:?}");
}
