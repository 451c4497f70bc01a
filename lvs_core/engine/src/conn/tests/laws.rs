// SPDX-License-Identifier: GPL-2.0

//! What holds whatever is sent.

use super::*;

fn segment() -> impl Strategy<Value = Segment> {
    (
        any::<bool>(),
        any::<u8>(),
        any::<u32>(),
        any::<u32>(),
        0..70_000_u32,
    )
        .prop_map(|(is_in, flags, seq, ack, payload_len)| Segment {
            dir: if is_in { Dir::In } else { Dir::Out },
            flags: Flags::from_byte(flags),
            seq,
            ack,
            payload_len,
            rare_options: false,
        })
}

proptest! {
    /// The laws of a step, for whatever is sent.
    #[test]
    fn any_segment_leaves_a_lawful_snapshot(
        segments in prop::collection::vec((segment(), 0..3_u32), 1..40),
        origin in any::<u32>(),
    ) {
        let conn = fullnat::<Ipv4Addr, Ipv4Addr>(ALL_FEATURES);
        let mut now = Ticks::new(origin);
        let mut snap = conn.start(now);
        let mut active = 0;
        for (segment, wait) in segments {
            now = now.after_ticks(wait);
            let before = conn.deadline(snap, &T);
            let step = conn.step(snap, &segment, now, &T);
            let after = step.next.unwrap_or(snap);
            // The counts follow the state, whatever the order of segments.
            active += match step.activity {
                Activity::Activated => 1,
                Activity::Deactivated => -1,
                Activity::Unchanged => 0,
            };
            prop_assert_eq!(active, i32::from(after.state.tcp().is_active()));
            prop_assert_eq!(after.state.is_active(), active == 1);
            // A deadline that came closer is always reported.
            prop_assert_eq!(step.shortened, before.is_after(conn.deadline(after, &T)));
            // Replied is never taken back, answered by a SYN of the server alone.
            let begins_anew = segment.dir == Dir::Out && segment.flags.syn();
            prop_assert!(!snap.state.server_answered() || after.state.server_answered() || begins_anew);
            prop_assert!(!snap.state.is_replied() || after.state.is_replied());
            prop_assert_eq!(after.state.last_seen(), now);
            // The short cut for data leaves out nothing but numbers.
            if step.next.is_none() {
                let moved = conn.step(snap, &segment, now.after_ticks(1), &T).next.unwrap().state;
                let numbers = super::super::snapshot::CLIENT_SEQ | super::super::snapshot::SERVER_SEQ;
                prop_assert_eq!(moved.with_last_seen(now).without(numbers), snap.state.without(numbers));
            }
            // The same segment in the same tick changes no more than the state.
            if let Some(again) = conn.step(after, &segment, now, &T).next {
                prop_assert_ne!(again.state, after.state);
            }
            snap = after;
        }
    }

    #[test]
    fn any_word_is_a_state(word in any::<u64>(), seqs in any::<u64>(), segment in segment()) {
        let conn = fullnat::<Ipv6Addr, Ipv6Addr>(ALL_FEATURES);
        let snap = Snapshot::from_words(word, seqs);
        let _ = conn.step(snap, &segment, Ticks::new(0), &T);
        let _ = conn.deadline(snap, &T);
        prop_assert_eq!(snap.to_words(), (word, seqs));
        prop_assert_eq!(snap.state.last_seen().get(), (word >> 32) as u32);
    }
}
