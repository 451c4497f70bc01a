// SPDX-License-Identifier: GPL-2.0

use super::*;
use crate::packet::{datagram, message, Draft, Segment};

fn frame(packet: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; 12];
    frame.extend(if packet[0] >> 4 == 4 {
        [8, 0]
    } else {
        [0x86, 0xdd]
    });
    frame.extend(packet);
    frame
}

fn drafts() -> Vec<Draft> {
    let segment = Segment {
        ports: (1, 80),
        payload: vec![7; 33],
        ..Segment::default()
    };
    let mut all = Vec::new();
    for (src, dst) in [("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")] {
        let (src, dst): (IpAddr, IpAddr) = (src.parse().unwrap(), dst.parse().unwrap());
        let icmp = crate::packet::icmp_of(src);
        all.push(Draft::new(src, dst, TCP, segment.bytes()));
        all.push(Draft::new(src, dst, UDP, datagram((9, 10), b"odd")));
        all.push(Draft::new(src, dst, icmp, message(1, 0, 0, b"12345")));
    }
    all
}

#[test]
fn what_is_made_right_is_right_and_every_changed_bit_of_it_is_seen() {
    for draft in drafts() {
        let good = frame(&draft.clone().summed().bytes());
        assert_eq!(
            look(&Vnet::default(), &good).unwrap().problem,
            None,
            "{draft:?}"
        );
        for at in 14 + draft.l4_offset()..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            assert!(
                look(&Vnet::default(), &bad).unwrap().problem.is_some(),
                "{draft:?} at {at}"
            );
        }
    }
}

#[test]
fn what_is_left_to_the_device_is_completed() {
    for draft in drafts()
        .into_iter()
        .filter(|d| matches!(d.protocol, TCP | UDP))
    {
        let start = (14 + draft.l4_offset()) as u16;
        let vnet = Vnet {
            flags: NEEDS_CSUM,
            csum_start: start,
            csum_offset: checksum_at(draft.protocol).unwrap() as u16,
            ..Vnet::default()
        };
        let mut good = frame(&draft.half_summed().bytes());
        assert_eq!(look(&vnet, &good).unwrap().problem, None);
        assert!(look(&Vnet::default(), &good).unwrap().problem.is_some());
        good[usize::from(start + vnet.csum_offset)] ^= 1;
        assert!(look(&vnet, &good).unwrap().problem.is_some());
    }
}

#[test]
fn what_travels_inside_is_looked_at() {
    let inner = drafts()[0].clone().summed().bytes();
    let outer = |l4: Vec<u8>| {
        Draft::new(
            "10.0.0.8".parse().unwrap(),
            "10.0.0.9".parse().unwrap(),
            4,
            l4,
        )
    };
    let seen = look(&Vnet::default(), &frame(&outer(inner.clone()).bytes())).unwrap();
    assert_eq!((seen.problem, seen.innermost().ends.ports), (None, (1, 80)));
    let mut bad = inner;
    *bad.last_mut().unwrap() ^= 1;
    assert!(look(&Vnet::default(), &frame(&outer(bad).bytes()))
        .unwrap()
        .problem
        .is_some());
}
