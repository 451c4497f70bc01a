// SPDX-License-Identifier: GPL-2.0

//! Tests of the connection record.

use super::*;
use proptest::prelude::*;
use std::vec::Vec;

fn v4(last: u8, port: u16) -> AnyEndpoint {
    Endpoint::new(IpAddr::from([10, 0, 0, last]), port)
}

fn v6(last: u16, port: u16) -> AnyEndpoint {
    Endpoint::new(IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]), port)
}

fn record() -> Record {
    Record {
        protocol: 6,
        method: 5,
        state: 1,
        flags: flags::TOA | flags::INACTIVE,
        fwmark: 7,
        expires_ms: 900_000,
        client_leg: Leg::new(v4(1, 12345), v4(2, 443)).unwrap(),
        server_leg: Leg::new(v4(3, 61000), v4(4, 8443)).unwrap(),
        seq: Sequence {
            seq_add: 0xffff_fff0,
            ack_add: 0x10,
            client_next: 0x1111_1111,
            server_next: 0x2222_2222,
            server_isn: 0x3333_3333,
        },
    }
}

const VECTOR: [u8; 64] = [
    1, 0x44, 0, 64, // version, families, length
    6, 5, 1, 0, // TCP, FULLNAT, ESTABLISHED
    0, 0, 0, 5, // flags
    0, 0, 0, 7, // fwmark
    0x00, 0x0d, 0xbb, 0xa0, // 900 s
    0xff, 0xff, 0xff, 0xf0, // seq_add
    0, 0, 0, 0x10, // ack_add
    0x11, 0x11, 0x11, 0x11, // client_next
    0x22, 0x22, 0x22, 0x22, // server_next
    0x33, 0x33, 0x33, 0x33, // server_isn
    0x30, 0x39, 0x01, 0xbb, 0xee, 0x48, 0x20, 0xfb, // ports
    10, 0, 0, 1, 10, 0, 0, 2, 10, 0, 0, 3, 10, 0, 0, 4, // addresses
];

fn encoded(record: &Record) -> Vec<u8> {
    let mut bytes = vec![0xee; record.encoded_len()];
    assert!(record.encode(&mut bytes).unwrap().is_empty());
    bytes
}

#[test]
fn the_bytes_of_a_record_are_fixed() {
    assert_eq!(encoded(&record()), VECTOR);
    assert_eq!(Record::decode(&VECTOR), Ok((record(), &[][..])));
}

#[test]
fn the_families_of_the_legs_are_independent() {
    let long = Leg::new(v6(1, 12345), v6(2, 443)).unwrap();
    let short = record().server_leg;
    for (client_leg, server_leg, len) in [
        (short, short, 64),
        (long, short, 88),
        (short, long, 88),
        (long, long, MAX_LEN),
    ] {
        let record = Record {
            client_leg,
            server_leg,
            ..record()
        };
        let bytes = encoded(&record);
        assert_eq!(bytes.len(), len);
        assert_eq!(Record::decode(&bytes), Ok((record, &[][..])));
    }
    assert_eq!(Leg::new(v4(1, 1), v6(1, 1)), None);
    assert_eq!((long.family(), short.family()), (Family::V6, Family::V4));
}

#[test]
fn every_truncation_is_named() {
    for n in 0..VECTOR.len() {
        assert_eq!(Record::decode(&VECTOR[..n]), Err(Error::Truncated));
        assert!(record().encode(&mut vec![0; n]).is_none());
    }
    // A length that leaves no room for what the record holds.
    for len in (0..64).filter(|len| len % 4 == 0) {
        let mut bytes = VECTOR;
        bytes[3] = len;
        assert_eq!(Record::decode(&bytes), Err(Error::Length), "{len} bytes");
    }
}

#[test]
fn each_lie_has_its_error() {
    let with = |at: usize, value: u8| {
        let mut bytes = [VECTOR, VECTOR].concat();
        bytes[at] = value;
        Record::decode(&bytes).map(|_| ()).unwrap_err()
    };
    assert_eq!(with(0, 2), Error::Version(2));
    assert_eq!(with(1, 0x54), Error::Family);
    assert_eq!(with(1, 0x40), Error::Family);
    assert_eq!(with(1, 0x66), Error::Length);
    assert_eq!(with(3, 65), Error::Length);
    assert_eq!(with(2, 1), Error::Truncated);
}

#[test]
fn what_a_later_version_adds_at_the_end_is_passed_over() {
    let mut bytes = VECTOR.to_vec();
    bytes.extend([1, 2, 3, 4]);
    bytes[3] = 68;
    bytes.push(9);
    assert_eq!(Record::decode(&bytes), Ok((record(), &[9][..])));
}

#[test]
fn one_bad_record_does_not_hide_the_next() {
    let mut bytes = [VECTOR, VECTOR, VECTOR].concat();
    bytes[64] = 9;
    let records: Vec<_> = Records::new(&bytes).collect();
    assert_eq!(
        records,
        [Ok(record()), Err(Error::Version(9)), Ok(record())]
    );
    bytes[64 + 3] = 0;
    let records: Vec<_> = Records::new(&bytes).collect();
    assert_eq!(records, [Ok(record()), Err(Error::Length)]);
}

fn any_leg() -> impl Strategy<Value = Leg> {
    prop_oneof![
        any::<([u8; 4], u16, [u8; 4], u16)>().prop_map(|(a, p, b, q)| Leg::new(
            Endpoint::new(a.into(), p),
            Endpoint::new(b.into(), q)
        )
        .unwrap()),
        any::<([u8; 16], u16, [u8; 16], u16)>().prop_map(|(a, p, b, q)| Leg::new(
            Endpoint::new(a.into(), p),
            Endpoint::new(b.into(), q)
        )
        .unwrap()),
    ]
}

proptest! {
    #[test]
    fn any_record_survives_a_round_trip(
        (client_leg, server_leg) in (any_leg(), any_leg()),
        (protocol, method, state) in any::<(u8, u8, u8)>(),
        (flags, fwmark, expires_ms) in any::<(u32, u32, u32)>(),
        (seq_add, ack_add, client_next, server_next, server_isn) in any::<(u32, u32, u32, u32, u32)>(),
    ) {
        let seq = Sequence { seq_add, ack_add, client_next, server_next, server_isn };
        let record = Record { protocol, method, state, flags, fwmark, expires_ms, client_leg, server_leg, seq };
        let bytes = encoded(&record);
        prop_assert_eq!(Record::decode(&bytes), Ok((record, &[][..])));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for record in Records::new(&bytes).flatten() {
            prop_assert_eq!(Record::decode(&encoded(&record)).unwrap().0, record);
        }
    }
}
