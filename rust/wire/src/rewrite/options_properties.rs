// SPDX-License-Identifier: GPL-2.0

//! What holds of the planning of any options, and the generators for that.

use super::tests::sack;
use super::*;
use crate::addr::Endpoint;
use crate::kinds::KindSet;
use core::net::{Ipv4Addr, Ipv6Addr};
use proptest::prelude::*;
use std::vec::Vec;

/// Any block of well-formed options, padded to a multiple of 4.
pub(crate) fn any_options() -> impl Strategy<Value = Vec<u8>> {
    let data = |kind: u8, range: core::ops::Range<usize>| {
        proptest::collection::vec(any::<u8>(), range)
            .prop_map(move |data| [&[kind, data.len() as u8 + 2], &data[..]].concat())
    };
    let option = prop_oneof![
        2 => Just(vec![1]),
        1 => data(2, 2..3),
        1 => Just(vec![3, 3, 7]),
        1 => Just(vec![4, 2]),
        3 => (1u8..=4).prop_map(sack),
        3 => data(8, 8..9),
        1 => data(19, 16..17),
        1 => data(172, 0..10),
        1 => data(253, 0..20),
        1 => data(254, 0..20),
        1 => (30u8..=200).prop_flat_map(move |kind| data(kind, 0..12)),
    ];
    proptest::collection::vec(option, 0..8).prop_map(|options| {
        let mut block: Vec<u8> = Vec::new();
        for option in options {
            if block.len() + option.len() <= 40 {
                block.extend(option);
            }
        }
        block.resize(block.len().next_multiple_of(4), 0);
        block
    })
}

/// Any edit of numbers alone: options change where they stand, if at all.
pub(crate) fn any_numbers() -> impl Strategy<Value = TcpEdit> {
    let sack_add = prop_oneof![Just(0), any::<u32>()];
    let numbers = (any::<u32>(), any::<u32>(), sack_add);
    numbers.prop_map(|(seq_add, ack_add, sack_add)| TcpEdit {
        seq_add,
        ack_add,
        sack_add,
        ..TcpEdit::default()
    })
}

/// Any edit.
pub(crate) fn any_edit() -> impl Strategy<Value = TcpEdit> {
    let toa = prop_oneof![
        Just(None),
        any::<([u8; 4], u16)>().prop_map(|(a, p)| Some(Endpoint::new(Ipv4Addr::from(a), p).into())),
        any::<([u8; 16], u16)>()
            .prop_map(|(a, p)| Some(Endpoint::new(Ipv6Addr::from(a), p).into())),
    ];
    let strip = prop_oneof![
        Just(KindSet::EMPTY),
        Just(KindSet::new(&[254, 253]).unwrap())
    ];
    let mss = (
        prop_oneof![Just(0), any::<u16>()],
        proptest::option::of(any::<u16>()),
    );
    (
        any_numbers(),
        toa,
        prop_oneof![Just(254), Just(253)],
        strip,
        any::<(bool, bool)>(),
        mss,
    )
        .prop_map(
            |(numbers, toa, toa_kind, strip, strips, (mss_lower, mss_cap))| TcpEdit {
                toa,
                toa_kind,
                strip,
                strip_timestamps: strips.0,
                strip_fast_open: strips.1,
                mss_lower,
                mss_cap,
                ..numbers
            },
        )
}

fn kinds(options: &[u8]) -> Vec<u8> {
    let kinds = Options::new(options).map(|option| option.unwrap().kind);
    kinds.filter(|kind| *kind > 1).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn whatever_is_planned_is_well_formed_and_in_order(
        old in any_options(),
        edit in any_edit(),
        is_syn in any::<bool>(),
        spare in prop_oneof![0usize..40, Just(65535)],
    ) {
        let out = plan(&old, &edit, is_syn, spare);
        let new = out.as_slice();
        prop_assert_eq!(new.len() % 4, 0);
        prop_assert_eq!(new.len() as i32 - old.len() as i32, out.grow(old.len()));

        let inserted = out.outcome == ToaOutcome::Inserted;
        prop_assert_eq!(edit.toa.is_none(), out.outcome == ToaOutcome::None);
        if inserted {
            prop_assert!(new.len() <= 40 && new.len() <= old.len() + spare);
            let found = Toa::find(Options::new(new), KindSet::new(&[edit.toa_kind]).unwrap());
            prop_assert_eq!(found, Ok(edit.toa));
        } else {
            prop_assert!(new.len() <= old.len());
        }

        // What stays is a sub-sequence; what may be missing is what was asked for or had to go.
        let kept = &kinds(new)[usize::from(inserted)..];
        let mut left = kept.iter().peekable();
        for kind in kinds(&old) {
            let of_syn = (edit.strip_timestamps && kind == 8) || (edit.strip_fast_open && kind == 34);
            let stripped = edit.strip.contains(kind) || (is_syn && of_syn);
            if !stripped && left.peek() == Some(&&kind) {
                left.next();
            } else {
                // Of a kind that says something, one that is malformed inside may go.
                let sacrificed = inserted && if is_syn { kind == 8 } else { kind != 30 };
                prop_assert!(stripped || sacrificed, "{} is missing in {:?}", kind, new);
            }
        }
        prop_assert_eq!(left.next(), None);
        let asks = |o: &[u8]| is_syn && edit.strip_fast_open && o[0] == 254 && o[2..].starts_with(&[0xf9, 0x89]);
        let spoofed = Options::new(&old).filter(|option| {
            let option = option.unwrap().bytes;
            edit.strip.contains(option[0]) && !asks(option)
        });
        prop_assert_eq!(usize::from(out.removed), spoofed.count());
    }

    #[test]
    fn any_bytes_are_planned(
        old in proptest::collection::vec(any::<u8>(), 0..=44),
        edit in any_edit(),
        is_syn in any::<bool>(),
    ) {
        let malformed = Options::new(&old).any(|option| option.is_err());
        let out = plan(&old, &edit, is_syn, 65535);
        prop_assert!(out.as_slice().len() <= 40);
        prop_assert_eq!(out.cut, malformed);
        // As if what cannot be read were not there.
        let readable: usize = Options::new(&old).map_while(Result::ok).map(|one| one.bytes.len()).sum();
        let again = plan(&old[..readable], &edit, is_syn, 65535);
        prop_assert_eq!(out.as_slice(), again.as_slice());
        prop_assert_eq!((out.outcome, out.removed), (again.outcome, again.removed));
        prop_assert!(Options::new(out.as_slice()).all(|option| option.is_ok()) || old.len() > 40);
    }
}
