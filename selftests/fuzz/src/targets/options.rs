// SPDX-License-Identifier: GPL-2.0

//! TCP options: read as the reference reads them, and what a plan makes of
//! them.

use arbitrary::Unstructured;
use lvs_wire::kinds::KindSet;
use lvs_wire::options::{Options, Value};
use lvs_wire::rewrite::options::{plan, OptionsOut, ToaOutcome};
use lvs_wire::rewrite::TcpEdit;
use lvs_wire::toa::Toa;

use crate::input::{take, tcp_edit};
use crate::options::{edited, is_sack, read};

/// An edit, the length that is to spare, whether it is a SYN, and options.
pub(super) fn run(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let edit = tcp_edit(&mut u);
    let (is_syn, spare): (bool, u8) = (take(&mut u), take(&mut u));
    let rest = u.take_rest();
    parse(rest);
    // As many as a header may have.
    let old = &rest[..rest.len().min(40) & !3];
    let new = plan(old, &edit, is_syn, usize::from(spare));
    assert_eq!(new.cut, read(old).is_none());
    // A receiver reads up to a malformed one.
    let list = (0..=old.len()).rev().find_map(|end| read(&old[..end]));
    let list = list.expect("no options are well-formed ones");
    check(old, &list, &new, &edit, is_syn, usize::from(spare));
}

fn parse(bytes: &[u8]) {
    let mut at = 0;
    let mut list = Some(Vec::new());
    for option in Options::new(bytes) {
        let Ok(option) = option else {
            list = None;
            continue;
        };
        assert!(list.is_some(), "an option behind an error");
        // Each begins where the last ended, so that together they are all.
        assert_eq!(option.bytes, &bytes[at..at + option.bytes.len()]);
        assert!(!option.bytes.is_empty() && option.kind == option.bytes[0]);
        at += option.bytes.len();
        if option.kind > 1 {
            list.as_mut().unwrap().push(option.bytes.to_vec());
        }
        if let Value::Sack(blocks) = option.value() {
            let edges: Vec<u8> = blocks
                .flat_map(|(l, r)| [l.to_be_bytes(), r.to_be_bytes()].concat())
                .collect();
            assert_eq!(edges, option.data());
            assert_eq!(blocks.len() * 8, edges.len());
        }
        assert_eq!(
            matches!(option.value(), Value::Sack(_)),
            option.kind > 1 && is_sack(option.bytes)
        );
    }
    assert_eq!(list, read(bytes));
    assert!(list.is_none() || at == bytes.len());
}

fn check(
    old: &[u8],
    list: &[Vec<u8>],
    new: &OptionsOut,
    edit: &TcpEdit,
    is_syn: bool,
    spare: usize,
) {
    let bytes = new.as_slice();
    assert!(bytes.len() % 4 == 0 && bytes.len() <= 40);
    assert_eq!(new.changed, bytes != old);
    assert_eq!(new.grow(old.len()), bytes.len() as i32 - old.len() as i32);
    let asks = |o: &[u8]| {
        is_syn && edit.strip_fast_open && o[0] == 254 && o[2..].starts_with(&[0xf9, 0x89])
    };
    let stripped = |o: &&Vec<u8>| edit.strip.contains(o[0]) && !asks(o);
    assert_eq!(
        usize::from(new.removed),
        list.iter().filter(stripped).count()
    );
    let mut found = read(bytes).expect("what was written is well-formed");
    let expected = edited(list, edit, is_syn);
    let signed = expected.iter().any(|o| is_signature(o));
    match (edit.toa, new.outcome) {
        (None, outcome) => assert_eq!(outcome, ToaOutcome::None),
        (Some(toa), ToaOutcome::Inserted) => {
            let misread = is_syn && is_misread(toa, edit.toa_kind);
            assert!(!signed && !misread);
            assert!(bytes.len().saturating_sub(old.len()) <= spare);
            let kinds = KindSet::new(&[edit.toa_kind]).unwrap();
            assert_eq!(Toa::find(Options::new(bytes), kinds), Ok(Some(toa)));
            assert_eq!(
                found.remove(0),
                toa.to_bytes(edit.toa_kind)[..toa.option_len()]
            );
            made_room(&expected, &found, is_syn);
            return;
        }
        (Some(toa), outcome) => {
            assert_eq!(outcome == ToaOutcome::Md5OrAo, signed, "{outcome:?}");
            let misread = !signed && is_syn && is_misread(toa, edit.toa_kind);
            assert_eq!(outcome == ToaOutcome::ReservedPort, misread, "{outcome:?}");
        }
    }
    assert_eq!(found, expected);
    assert!(bytes.len() <= old.len());
}

/// Whether Linux takes the endpoint on a SYN for something else: Fast Open, or
/// SMC if the address goes on as that does.
fn is_misread(toa: Toa, kind: u8) -> bool {
    let bytes = toa.to_bytes(kind);
    kind == 254 && (bytes[2..4] == [0xf9, 0x89] || bytes[2..6] == [0xe2, 0xd4, 0xc3, 0xd9])
}

/// Whether an option signs its segment: of other lengths Linux finds none in it.
fn is_signature(option: &[u8]) -> bool {
    match option[0] {
        19 => option.len() == 18,
        29 => option.len() > 4,
        _ => false,
    }
}

/// Whether an option says nothing on a segment that is no SYN.
fn is_idle(option: &[u8]) -> bool {
    match option[0] {
        5 => !is_sack(option),
        8 => option.len() != 10,
        30 | 172 | 174 => false,
        _ => !is_signature(option),
    }
}

/// What stayed beside the client's endpoint, and that only what may go went.
fn made_room(expected: &[Vec<u8>], found: &[Vec<u8>], is_syn: bool) {
    let mut found = found.iter().peekable();
    for option in expected {
        if found.next_if(|f| *f == option).is_some() {
            continue;
        }
        if !is_syn && is_idle(option) {
            continue;
        }
        match option[0] {
            8 => assert!(is_syn, "timestamps go on a SYN only"),
            172 | 174 => assert!(!is_syn),
            5 => {
                assert!(!is_syn && is_sack(option));
                // The first blocks stay.
                if let Some(less) =
                    found.next_if(|f| is_sack(f) && option[2..].starts_with(&f[2..]))
                {
                    assert!(less.len() < option.len());
                }
            }
            kind => panic!("an option of kind {kind} is gone"),
        }
    }
    assert_eq!(found.next(), None);
}
