// SPDX-License-Identifier: GPL-2.0

//! What the kernel answers: attributes, messages, and what they tell.

use crate::model::service::{Family, Service};
use crate::model::stats::Stats;
use crate::model::toa::{Toa, ToaChange};
use crate::nl::attrs::Attrs;
use crate::nl::builder::Builder;
use crate::nl::message::{decode, Reply};
use crate::nl::{ctrl, ipvs, lvs, toa};

/// More than any answer has.
const KINDS: std::ops::Range<u16> = 0..64;

/// The bytes are what a socket gave, the attributes of an answer, or both: what
/// a message holds is read as the attributes of every answer there is.
pub(super) fn run(data: &[u8]) {
    attributes(data);
    answers(data);
    // The sequence number that the first message has, so that it is ours.
    let sequence = data
        .get(8..12)
        .map_or(0, |b| u32::from_ne_bytes(b.try_into().unwrap()));
    let Ok(datagram) = decode(data, sequence) else {
        return;
    };
    for reply in &datagram.replies {
        match reply {
            Reply::Data(attrs) => answers(attrs),
            Reply::End { words, .. } => assert!(words.as_ref().is_none_or(|w| !w.is_empty())),
        }
    }
}

/// Attributes that are built again are the same.
fn attributes(data: &[u8]) {
    let Ok(attrs) = Attrs::parse(data) else {
        return;
    };
    let mut again = Builder::default();
    let mut count = 0;
    for kind in KINDS {
        for value in attrs.all(kind) {
            again.bytes(kind, value);
            count += 1;
        }
        assert_eq!(attrs.get(kind), attrs.all(kind).last());
    }
    // What differs is order, padding, and the flags beside the kind.
    let bytes = again.into_bytes();
    let again = Attrs::parse(&bytes).expect("what was built is well-formed");
    let all = |attrs: &Attrs<'_>| KINDS.map(|kind| attrs.all(kind).count()).sum::<usize>();
    assert_eq!(all(&again), count);
    for kind in KINDS {
        assert_eq!(again.get(kind), attrs.get(kind));
        assert!(attrs.nest_opt(kind).is_ok_and(|nest| nest.is_some()) == attrs.nest(kind).is_ok());
        for found in [
            attrs.u8(kind).is_ok(),
            attrs.u16(kind).is_ok(),
            attrs.u32(kind).is_ok(),
        ] {
            assert!(!found || attrs.get(kind).is_some());
        }
        if let Ok(addr) = attrs.addr(kind) {
            let len = if addr.is_ipv4() { 4 } else { 16 };
            assert_eq!(attrs.need(kind).map(<[u8]>::len), Ok(len));
        }
        assert!(
            attrs.string(kind).is_ok_and(|text| !text.contains('\0')) == attrs.get(kind).is_some()
        );
    }
}

/// Every answer: what was understood is understood again when it is asked for
/// in the same words.
fn answers(attrs: &[u8]) {
    if let Ok(service) = ipvs::service::decode(attrs) {
        let bytes = ipvs::service::full(&service.key, &service.settings).into_bytes();
        let expected = Service {
            stats: Stats::default(),
            ..service
        };
        assert_eq!(ipvs::service::decode(&bytes), Ok(expected));
    }
    if let Ok(daemon) = ipvs::daemon::decode(attrs) {
        let bytes = ipvs::daemon::encode_start(&daemon).into_bytes();
        assert_eq!(ipvs::daemon::decode(&bytes), Ok(daemon));
    }
    if let Ok(timeouts) = ipvs::info::decode_timeouts(attrs) {
        let bytes = ipvs::info::encode_timeouts(&timeouts).into_bytes();
        assert_eq!(ipvs::info::decode_timeouts(&bytes), Ok(timeouts));
    }
    if let Ok(local) = lvs::laddr::decode(attrs) {
        let bytes = lvs::laddr::encode_new(local.service.as_ref(), local.addr, local.dedicated)
            .into_bytes();
        let again = lvs::laddr::decode(&bytes).expect("what was built is well-formed");
        assert_eq!(
            (again.service, again.addr, again.dedicated),
            (local.service, local.addr, local.dedicated)
        );
    }
    if let Ok((key, extra)) = lvs::service::decode(attrs) {
        let bytes = lvs::service::encode_flags(&key, extra.masq_only).into_bytes();
        let again = lvs::service::decode(&bytes).expect("what was built is well-formed");
        assert_eq!((again.0, again.1.masq_only), (key, extra.masq_only));
    }
    let mut said = Toa::default();
    if toa::merge(&mut said, attrs).is_ok() && !said.trusted.is_empty() {
        let change = ToaChange {
            kinds: Some(said.kinds.clone()),
            trusted: Some(said.trusted.clone()),
        };
        let mut again = Toa::default();
        toa::merge(&mut again, &toa::encode(&change).into_bytes())
            .expect("what was built is well-formed");
        assert_eq!((again.kinds, again.trusted), (said.kinds, said.trusted));
    }
    for family in [Family::V4, Family::V6] {
        let _ = ipvs::dest::decode(attrs, family);
    }
    let _ = (ipvs::info::decode(attrs), ctrl::family_id(attrs));
    let _ = (
        lvs::conn::decode(attrs),
        lvs::dest::decode(attrs),
        lvs::drops::decode(attrs),
    );
}
