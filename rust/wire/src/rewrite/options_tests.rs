// SPDX-License-Identifier: GPL-2.0

//! Tests of the planning of options: one line is mostly one segment.

use super::*;
use crate::addr::Endpoint;
use crate::kinds::KindSet;
use core::net::{Ipv4Addr, Ipv6Addr};
use std::vec::Vec;

const SYN: bool = true;
const ACK: bool = false;

const MSS: &[u8] = &[2, 4, 5, 0xb4];
const TIMESTAMPS: &[u8] = &[8, 10, 0, 0, 0, 1, 0, 0, 0, 2];
const TOA_V4: &[u8] = &[254, 8, 0x30, 0x39, 192, 0, 2, 7];
const ACC_ECN: &[u8] = &[172, 8, 1, 2, 3, 4, 5, 6];

fn v4(port: u16) -> Toa {
    Endpoint::new(Ipv4Addr::new(192, 0, 2, 7), port).into()
}

fn v6() -> Toa {
    Endpoint::new(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7), 12345).into()
}

fn insert(toa: Toa) -> TcpEdit {
    TcpEdit {
        toa: Some(toa),
        toa_kind: 254,
        ..TcpEdit::default()
    }
}

/// The bytes of `n` SACK blocks, edges counting up from 1.
pub(super) fn sack(n: u8) -> Vec<u8> {
    let edges = (1..=2 * n).flat_map(|edge| [0, 0, 0, edge]);
    [5, 2 + 8 * n].into_iter().chain(edges).collect()
}

fn planned(old: &[u8], edit: TcpEdit, is_syn: bool) -> (Vec<u8>, ToaOutcome) {
    assert_eq!(old.len() % 4, 0, "not a block of options");
    let out = plan(old, &edit, is_syn, 65535);
    assert_eq!(out.as_slice().len() % 4, 0);
    assert_eq!(out.changed, out.as_slice() != old);
    (out.as_slice().to_vec(), out.outcome)
}

#[test]
fn nothing_asked_changes_nothing() {
    let old = [MSS, &[1, 1], TIMESTAMPS, &[3, 3, 7, 0]].concat();
    assert_eq!(
        planned(&old, TcpEdit::default(), SYN),
        (old, ToaOutcome::None)
    );
    assert!(!TcpEdit::default().changes_options());
}

#[test]
fn the_client_comes_first() {
    let expected = [TOA_V4, MSS].concat();
    assert_eq!(
        planned(MSS, insert(v4(12345)), SYN),
        (expected, ToaOutcome::Inserted)
    );
    assert!(insert(v4(12345)).changes_options());
    let v6_option = v6().to_bytes(253);
    let edit = TcpEdit {
        toa_kind: 253,
        ..insert(v6())
    };
    assert_eq!(
        planned(&[], edit, ACK),
        (v6_option.to_vec(), ToaOutcome::Inserted)
    );
}

#[test]
fn the_syn_of_linux_keeps_everything_beside_an_ipv6_client() {
    let syn = [MSS, &[4, 2], TIMESTAMPS, &[1, 3, 3, 7]].concat();
    let (new, outcome) = planned(&syn, insert(v6()), SYN);
    assert_eq!(outcome, ToaOutcome::Inserted);
    assert_eq!(new, [&v6().to_bytes(254)[..], &syn].concat());
}

#[test]
fn padding_goes_first() {
    // 36 bytes, 8 of them padding: 28 stay beside 8 of the client.
    let old = [&[1, 1, 1, 1][..], TIMESTAMPS, &sack(2), &[0, 0, 0, 0]].concat();
    let (new, outcome) = planned(&old, insert(v4(12345)), ACK);
    assert_eq!(outcome, ToaOutcome::Inserted);
    assert_eq!(new, [TOA_V4, TIMESTAMPS, &sack(2)].concat());

    let full = [&[1; 12][..], TIMESTAMPS, &sack(2)].concat();
    let (new, _) = planned(&full, insert(v4(12345)), ACK);
    assert_eq!(new, [TOA_V4, TIMESTAMPS, &sack(2)].concat());
}

#[test]
fn on_a_syn_timestamps_go_second() {
    let cookie = [
        34, 18, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
    ];
    let old = [MSS, &[4, 2], TIMESTAMPS, &[3, 3, 7], &cookie, &[1, 1, 0]].concat();
    let (new, outcome) = planned(&old, insert(v4(12345)), SYN);
    assert_eq!(outcome, ToaOutcome::Inserted);
    assert_eq!(
        new,
        [TOA_V4, MSS, &[4, 2], &[3, 3, 7], &cookie, &[0]].concat()
    );
    // An IPv6 client does not fit beside a cookie of 16 bytes.
    assert_eq!(planned(&old, insert(v6()), SYN), (old, ToaOutcome::NoRoom));
}

#[test]
fn on_other_segments_accecn_goes_second() {
    let old = [&[1, 1], TIMESTAMPS, &sack(2), ACC_ECN, &[1, 1]].concat();
    let (new, outcome) = planned(&old, insert(v4(12345)), ACK);
    assert_eq!(outcome, ToaOutcome::Inserted);
    assert_eq!(new, [TOA_V4, TIMESTAMPS, &sack(2)].concat());
}

#[test]
fn then_sack_blocks_go_from_the_right() {
    let old = [&[1, 1], TIMESTAMPS, &[1, 1], &sack(3)].concat();
    assert_eq!(old.len(), 40);
    let (new, _) = planned(&old, insert(v4(12345)), ACK);
    assert_eq!(new, [TOA_V4, TIMESTAMPS, &sack(2)].concat());
    // Beside an IPv6 client there is room for timestamps and one block.
    let (new, _) = planned(&old, insert(v6()), ACK);
    assert_eq!(new, [&v6().to_bytes(254), TIMESTAMPS, &sack(1)].concat());
}

#[test]
fn without_a_block_the_sack_option_goes() {
    // 14 of Multipath TCP and 10 of one block beside an IPv6 client.
    let other = [30, 14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let old = [&other[..], &sack(1)].concat();
    let (new, outcome) = planned(&old, insert(v6()), ACK);
    assert_eq!(outcome, ToaOutcome::Inserted);
    assert_eq!(new, [&v6().to_bytes(254), &other[..], &[0, 0]].concat());
    // Kind and length alone may be what is missing.
    let other = [30, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let old = [&other[..], &sack(1), &[1, 1]].concat();
    let (new, _) = planned(&old, insert(v6()), ACK);
    assert_eq!(new, [&v6().to_bytes(254), &other[..]].concat());
}

#[test]
fn blocks_of_several_options_go_from_the_right() {
    let old = [&sack(2)[..], &sack(2), &[1, 1, 1, 1]].concat();
    let (new, outcome) = planned(&old, insert(v4(12345)), ACK);
    assert_eq!(outcome, ToaOutcome::Inserted);
    assert_eq!(new, [TOA_V4, &sack(2), &sack(1)].concat());
}

#[test]
fn timestamps_never_go_on_other_segments() {
    let other = [30, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let old = [TIMESTAMPS, &[1, 1], &other].concat();
    assert_eq!(planned(&old, insert(v6()), ACK), (old, ToaOutcome::NoRoom));
}

#[test]
fn nobody_keeps_the_client_out_with_what_tells_nothing() {
    // Filled by kinds that no stack reads, by those of a SYN, by what is
    // malformed inside; nor do signatures sign that are none.
    let fillers: [&[u8]; 6] = [
        &[200, 28],
        &[34, 28],
        MSS,
        &[8, 28],
        &[19, 28],
        &[29, 4, 0, 0],
    ];
    for filler in fillers {
        let mut old = TIMESTAMPS.to_vec();
        let mut filler = filler.to_vec();
        filler.resize(usize::from(filler[1]), 0);
        while old.len() + filler.len() <= 40 {
            old.extend(&filler);
        }
        old.resize(old.len().next_multiple_of(4), 1);
        for toa in [v4(12345), v6()] {
            let (new, outcome) = planned(&old, insert(toa), ACK);
            assert_eq!(outcome, ToaOutcome::Inserted, "{filler:?}");
            let expected = [&toa.to_bytes(254)[..toa.option_len()], TIMESTAMPS].concat();
            assert!(new.starts_with(&expected[..]), "{filler:?}: {new:?}");
            // Wherever they stand.
            old.rotate_left(TIMESTAMPS.len());
            let (new, _) = planned(&old, insert(toa), ACK);
            assert!(new.starts_with(&expected[..]), "{filler:?}: {new:?}");
            old.rotate_right(TIMESTAMPS.len());
        }
    }
    // What tells something stays, and what leaves room.
    let old = [
        TIMESTAMPS,
        &[1, 1],
        &sack(1),
        &[200, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[1, 1],
    ]
    .concat();
    let (new, _) = planned(&old, insert(v6()), ACK);
    assert_eq!(new, [&v6().to_bytes(254), TIMESTAMPS, &sack(1)].concat());
    let old = [&[200, 4, 0, 0][..], MSS].concat();
    let (new, _) = planned(&old, insert(v6()), ACK);
    assert_eq!(new, [&v6().to_bytes(254)[..], &old].concat());
}

#[test]
fn a_signed_segment_gets_no_client() {
    for signature in [&[19, 18][..], &[29, 18]] {
        let old = [signature, &[0; 16], &[1, 1]].concat();
        assert_eq!(
            planned(&old, insert(v4(12345)), SYN),
            (old, ToaOutcome::Md5OrAo)
        );
    }
}

#[test]
fn a_syn_gets_no_client_that_linux_would_misread() {
    let smc: Toa = Endpoint::new(Ipv4Addr::new(0xc3, 0xd9, 1, 1), 0xe2d4).into();
    let smc6: Toa = Endpoint::new(Ipv6Addr::new(0xc3d9, 0, 0, 0, 0, 0, 0, 1), 0xe2d4).into();
    for toa in [v4(63881), smc, smc6] {
        assert_eq!(
            planned(MSS, insert(toa), SYN),
            (MSS.to_vec(), ToaOutcome::ReservedPort)
        );
        // Only a SYN is read so, and only kind 254.
        assert_eq!(planned(&[], insert(toa), ACK).1, ToaOutcome::Inserted);
        let edit = TcpEdit {
            toa_kind: 253,
            ..insert(toa)
        };
        assert_eq!(planned(MSS, edit, SYN).1, ToaOutcome::Inserted);
    }
    assert_eq!(
        planned(MSS, insert(v4(0xe2d4)), SYN).1,
        ToaOutcome::Inserted
    );
}

#[test]
fn no_packet_grows_beyond_its_length_field() {
    let edit = insert(v4(12345));
    let out = plan(MSS, &edit, SYN, 7);
    assert_eq!((out.as_slice(), out.outcome), (MSS, ToaOutcome::NoRoom));
    assert_eq!(plan(MSS, &edit, SYN, 8).outcome, ToaOutcome::Inserted);
    // Where padding makes the room, the packet need not grow.
    let out = plan(&[1; 40], &edit, SYN, 0);
    assert_eq!((out.as_slice(), out.grow(40)), (TOA_V4, -32));
}

#[test]
fn spoofed_options_are_removed_and_counted() {
    let strip = KindSet::new(&[254, 253]).unwrap();
    let edit = TcpEdit {
        strip,
        ..insert(v4(12345))
    };
    let spoofed = [254, 8, 0, 1, 10, 0, 0, 1];
    let odd = [253, 5, 0, 0, 0];
    let old = [&spoofed[..], &odd, MSS, &[1, 1, 1]].concat();
    let out = plan(&old, &edit, SYN, 100);
    assert_eq!(out.removed, 2);
    // Five bytes leave one NOP, so that what follows keeps its alignment.
    assert_eq!(out.as_slice(), [TOA_V4, &[1], MSS, &[1, 1, 1]].concat());
    assert_eq!(out.grow(old.len()), -4 + 8 - 8);

    let only = TcpEdit {
        strip,
        ..TcpEdit::default()
    };
    assert!(only.changes_options());
    let (new, outcome) = planned(&spoofed, only, ACK);
    assert_eq!((new, outcome), (Vec::new(), ToaOutcome::None));
}

#[test]
fn fast_open_goes_from_a_syn() {
    let edit = TcpEdit {
        strip_fast_open: true,
        ..TcpEdit::default()
    };
    assert!(edit.changes_options());
    // The experimental form is no claim of a client's.
    let strips = TcpEdit {
        strip: KindSet::TOA,
        ..edit
    };
    let out = plan(&[254, 4, 0xf9, 0x89], &strips, SYN, 100);
    assert!(out.fast_open_stripped && out.removed == 0 && out.as_slice().is_empty());
    let out = plan(&[254, 4, 0xf9, 0x89], &strips, ACK, 100);
    assert!(!out.fast_open_stripped && out.removed == 1);
    // The request for a cookie, and one of eight bytes.
    for option in [&[34, 2][..], &[34, 10, 1, 2, 3, 4, 5, 6, 7, 8]] {
        let old = [option, &[1, 1], MSS].concat();
        let out = plan(&old, &edit, SYN, 100);
        assert!(out.fast_open_stripped && out.removed == 0);
        assert_eq!(out.as_slice(), [&[1, 1, 1, 1], MSS].concat());
        assert_eq!(planned(&old, edit, ACK), (old, ToaOutcome::None));
    }
}

#[test]
fn stripped_timestamps_leave_the_alignment() {
    let edit = TcpEdit {
        strip_timestamps: true,
        ..TcpEdit::default()
    };
    assert!(edit.changes_options());
    let syn = [MSS, &[4, 2], TIMESTAMPS, &[1, 3, 3, 7]].concat();
    let expected = [MSS, &[4, 2, 1, 1], &[1, 3, 3, 7]].concat();
    assert_eq!(planned(&syn, edit, SYN).0, expected);
    assert_eq!(planned(&syn, edit, ACK).0, syn);
}

#[test]
fn the_mss_is_lowered_on_a_syn_only() {
    let lowered = |mss: u16, edit: TcpEdit, is_syn| {
        assert!(edit.changes_options());
        let [a, b] = mss.to_be_bytes();
        let (new, _) = planned(&[2, 4, a, b], edit, is_syn);
        u16::from_be_bytes([new[2], new[3]])
    };
    let by = |mss_lower| TcpEdit {
        mss_lower,
        ..TcpEdit::default()
    };
    let cap = |mss| TcpEdit {
        mss_cap: Some(mss),
        ..by(8)
    };
    assert_eq!(lowered(1460, by(8), SYN), 1452);
    assert_eq!(lowered(1460, by(8), ACK), 1460);
    assert_eq!(lowered(90, by(8), SYN), 88);
    assert_eq!(lowered(88, by(8), SYN), 88);
    assert_eq!(lowered(60, by(20), SYN), 60);
    assert_eq!(lowered(0, by(8), SYN), 0);
    assert_eq!(lowered(8960, cap(1460), SYN), 1452);
    assert_eq!(lowered(1000, cap(1460), SYN), 992);
    assert_eq!(
        lowered(
            1000,
            TcpEdit {
                mss_lower: 0,
                ..cap(1460)
            },
            SYN
        ),
        1000
    );
    // An MSS of another length is not one.
    assert_eq!(
        planned(&[2, 8, 0, 0, 0, 0, 0, 0], by(8), SYN).0,
        [2, 8, 0, 0, 0, 0, 0, 0]
    );
}

#[test]
fn sack_edges_are_shifted() {
    let edit = TcpEdit {
        sack_add: 0x100,
        ..insert(v4(12345))
    };
    let old = [&[1, 1][..], &sack(1)].concat();
    let (new, _) = planned(&old, edit, ACK);
    assert_eq!(
        new,
        [TOA_V4, &[1, 1, 5, 10, 0, 0, 1, 1, 0, 0, 1, 2]].concat()
    );
}

#[test]
fn options_end_at_a_malformed_one() {
    for malformed in [&[254, 8, 0, 0][..], &[1, 1, 1, 5], &[8, 1, 0, 0], &[8, 0]] {
        let old = [MSS, malformed].concat();
        let out = plan(&old, &insert(v4(12345)), SYN, 100);
        assert_eq!(out.outcome, ToaOutcome::Inserted);
        assert!(out.cut && out.changed, "{malformed:?}");
        let kept = out.as_slice().strip_prefix(TOA_V4).unwrap();
        assert_eq!(
            kept.strip_prefix(MSS).unwrap().iter().max(),
            malformed.starts_with(&[1]).then_some(&1)
        );
    }
    let out = plan(&[MSS, TIMESTAMPS].concat(), &insert(v4(1)), SYN, 100);
    assert!(!out.cut);
}

/// A server would believe it.
#[test]
fn a_clients_own_toa_before_a_malformed_option_goes() {
    let own = [254, 8, 0xff, 0xfe, 203, 0, 113, 9];
    for malformed in [&[0x42, 0xff, 0, 0][..], &[8, 1, 0, 0], &[1, 1, 1, 5]] {
        let old = [&own, malformed].concat();
        for is_syn in [SYN, ACK] {
            let edit = TcpEdit {
                strip: KindSet::TOA,
                ..insert(v4(12345))
            };
            let out = plan(&old, &edit, is_syn, 100);
            assert_eq!((out.removed, out.outcome), (1, ToaOutcome::Inserted));
            let found = Toa::find(Options::new(out.as_slice()), KindSet::TOA);
            assert_eq!(found, Ok(Some(v4(12345))));
            let plain = TcpEdit {
                strip: KindSet::TOA,
                ..TcpEdit::default()
            };
            let out = plan(&old, &plain, is_syn, 100);
            let found = Toa::find(Options::new(out.as_slice()), KindSet::TOA);
            assert_eq!((out.removed, found), (1, Ok(None)));
        }
    }
}

#[test]
fn more_than_a_header_can_hold_is_cut_off() {
    let out = plan(&[1; 44], &TcpEdit::default(), SYN, 100);
    assert_eq!(out.as_slice(), [1; 40]);
}
