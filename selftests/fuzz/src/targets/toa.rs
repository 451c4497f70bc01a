// SPDX-License-Identifier: GPL-2.0

//! The client's endpoint in a TCP option, and the sets of kinds.

use arbitrary::Unstructured;
use lvs_wire::kinds::KindSet;
use lvs_wire::options::Options;
use lvs_wire::toa::{Error, Nat64Peer, Toa};

use crate::input::take;
use crate::options;

/// Kinds and options.
pub(super) fn run(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let (bits, count): (u32, u8) = (take(&mut u), take(&mut u));
    let rest = u.take_rest();
    set_of_bits(bits);
    let kinds = rest.get(..usize::from(count % 6)).unwrap_or_default();
    if let Ok(set) = KindSet::new(kinds) {
        assert_eq!(set.iter().collect::<Vec<_>>(), kinds);
        find(rest, set);
    }
    find(rest, KindSet::TOA);
    from_data(rest);
}

fn set_of_bits(bits: u32) {
    let Some(set) = KindSet::from_bits(bits) else {
        return;
    };
    let kinds: Vec<u8> = set.iter().collect();
    assert_eq!(KindSet::new(&kinds), Ok(set));
    assert_eq!(set.to_bits(), bits);
    assert_eq!(set.is_empty(), kinds.is_empty());
    assert!((0..=255).all(|kind| set.contains(kind) == kinds.contains(&kind)));
}

fn from_data(data: &[u8]) {
    let toa = Toa::from_data(data);
    assert_eq!(toa.is_some(), [6, 18].contains(&data.len()));
    let Some(toa) = toa else { return };
    let bytes = toa.to_bytes(254);
    let (option, padding) = bytes.split_at(toa.option_len());
    assert_eq!(option, [&[254, data.len() as u8 + 2], data].concat());
    assert!(padding.iter().all(|byte| *byte == 0));
    assert_eq!(Toa::from(toa.client()), toa);
    if let Toa::V6(client) = toa {
        let peer = Nat64Peer(client).to_bytes();
        assert_eq!(peer, *[&data[2..], &data[..2], &[0, 0]].concat());
    }
}

fn find(bytes: &[u8], kinds: KindSet) {
    // The first of a right length counts; a malformed option before it is worse
    // than one of a wrong length.
    let expected = |list: &[Vec<u8>]| {
        let mut ours = list.iter().filter(|o| kinds.contains(o[0])).peekable();
        let any = ours.peek().is_some();
        match ours.find(|o| [8, 20].contains(&o.len())) {
            Some(option) => Ok(Toa::from_data(&option[2..])),
            None if any => Err(Error::Length),
            None => Ok(None),
        }
    };
    let found = Toa::find(Options::new(bytes), kinds);
    match (options::read(bytes), found) {
        (Some(list), found) => assert_eq!(found, expected(&list)),
        (None, Ok(Some(toa))) => {
            // It stood before what is malformed.
            let kind = kinds.iter().find(|kind| {
                let option = toa.to_bytes(*kind);
                bytes
                    .windows(toa.option_len())
                    .any(|w| *w == option[..toa.option_len()])
            });
            assert!(kind.is_some(), "{toa:?} from nowhere");
        }
        (None, found) => assert!(matches!(found, Err(Error::Options(_))), "{found:?}"),
    }
}
