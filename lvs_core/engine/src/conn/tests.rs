// SPDX-License-Identifier: GPL-2.0

//! Every test runs for v4 clients of v4 servers, v6 of v6 and v6 of v4.

use super::*;
use crate::drop_reason::DropReason;
use crate::tcp::state::ALL;
use crate::tcp::Flags;
use crate::time::Ticks;
use crate::timeouts::{Setting, Timeouts};
use core::net::{Ipv4Addr, Ipv6Addr};
use lvs_wire::addr::Family;
use proptest::prelude::*;

const SYN: Flags = Flags::SYN;
const ACK: Flags = Flags::ACK;
const T: Timeouts = Timeouts::DEFAULT;
const CLIENT_ISN: u32 = 0xffff_fff0;
const ISN: u32 = 1000;
const SERVER_ISN: u32 = 0x8000_0000;

pub(super) fn addr<A: Address>(last: u8) -> A {
    let mut octets = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    if matches!(A::FAMILY, Family::V4) {
        octets[..4].copy_from_slice(&[192, 0, 2, last]);
    }
    octets[15] = last;
    A::from_bytes(&octets[..A::LEN]).unwrap()
}

pub(super) fn end<A: Address>(last: u8, port: u16) -> Endpoint<A> {
    Endpoint::new(addr(last), port)
}

pub(super) fn fullnat<C: Address, S: Address>(features: Features) -> Conn<C, S> {
    Conn::fullnat(
        Protocol::Tcp,
        end(1, 40_000),
        end(2, 80),
        end(3, 1024),
        end(4, 8080),
        Numbers {
            client_isn: CLIENT_ISN,
            isn: ISN,
        },
        features,
    )
}

pub(super) const ALL_FEATURES: Features = Features {
    toa: true,
    lower_mss: true,
    strip_timestamps: true,
    fast_open: false,
};

fn udp<C: Address, S: Address>() -> Conn<C, S> {
    Conn {
        protocol: Protocol::Udp,
        ..fullnat(Features::default())
    }
}

/// A client segment; `at` counts from the client's ISN, `ack` from the server's.
pub(super) fn from_client(flags: Flags, at: u32, ack: u32, payload_len: u32) -> Segment {
    Segment {
        dir: Dir::In,
        flags,
        seq: CLIENT_ISN.wrapping_add(at),
        ack: SERVER_ISN.wrapping_add(ack),
        payload_len,
        rare_options: false,
    }
}

/// A server segment; `at` counts from the server's ISN, `ack` from the ISN it got.
pub(super) fn from_server(flags: Flags, at: u32, ack: u32, payload_len: u32) -> Segment {
    Segment {
        dir: Dir::Out,
        flags,
        seq: SERVER_ISN.wrapping_add(at),
        ack: ISN.wrapping_add(ack),
        payload_len,
        rare_options: false,
    }
}

/// Runs segments, one tick apart, and returns what is left.
pub(super) fn run<C: Address, S: Address>(conn: &Conn<C, S>, segments: &[Segment]) -> Snapshot {
    let mut now = Ticks::new(u32::MAX - 2);
    let mut snap = conn.start(now);
    for segment in segments {
        if let Some(next) = conn.step(snap, segment, now, &T).next {
            snap = next;
        }
        now = now.after_ticks(1);
    }
    snap
}

pub(super) fn handshake() -> [Segment; 3] {
    [
        from_client(SYN, 0, 0, 0),
        from_server(SYN | ACK, 0, 1, 0),
        from_client(ACK, 1, 1, 0),
    ]
}

pub(super) fn established<C: Address, S: Address>(conn: &Conn<C, S>) -> Snapshot {
    run(conn, &handshake())
}

/// Runs one generic test for the pairs of families.
macro_rules! for_families {
    ($($name:ident;)*) => { $(
        mod $name {
            use core::net::{Ipv4Addr, Ipv6Addr};
            #[test]
            fn v4() { super::bodies::$name::<Ipv4Addr, Ipv4Addr>(); }
            #[test]
            fn v6() { super::bodies::$name::<Ipv6Addr, Ipv6Addr>(); }
            #[test]
            fn v6_to_v4() { super::bodies::$name::<Ipv6Addr, Ipv4Addr>(); }
        }
    )* };
}

pub(super) const UP: DestStatus = DestStatus {
    available: true,
    weight: 1,
};
pub(super) const QUIET: DestStatus = DestStatus {
    available: true,
    weight: 0,
};
pub(super) const GONE: DestStatus = DestStatus {
    available: false,
    weight: 1,
};
pub(super) const POLICY: ReusePolicy = ReusePolicy::DEFAULT;
pub(super) const POLICY_EXPIRE: ReusePolicy = ReusePolicy {
    expire_nodest_conn: true,
    ..ReusePolicy::DEFAULT
};

mod admit;
mod expiry;
mod laws;
mod params;
mod plan;

for_families! {
    a_connection_is_opened_used_and_closed;
    toa_ends_when_the_server_acknowledges_data;
    toa_ends_when_the_server_sends_data;
    a_busy_connection_is_written_once_a_tick;
    time_does_not_run_back;
    udp_is_inactive_and_kept_five_minutes;
    a_closing_segment_shortens_at_once;
    a_server_that_begins_anew_is_told_again;
    nobody_opens_a_connection_alone;
}

mod bodies {
    use super::*;

    pub(super) fn a_connection_is_opened_used_and_closed<C: Address, S: Address>() {
        let conn = fullnat::<C, S>(ALL_FEATURES);
        let mut snap = conn.start(Ticks::new(0));
        assert_eq!(conn.state_name(snap), "NONE");
        assert!(conn.is_inactive(snap));
        let story = [
            (from_client(SYN, 0, 0, 0), "SYN_RECV", Activity::Activated),
            (
                from_server(SYN | ACK, 0, 1, 0),
                "SYN_RECV",
                Activity::Unchanged,
            ),
            (
                from_client(ACK, 1, 1, 0),
                "ESTABLISHED",
                Activity::Unchanged,
            ),
            (
                from_client(ACK, 1, 1, 100),
                "ESTABLISHED",
                Activity::Unchanged,
            ),
            (
                from_server(Flags::FIN | ACK, 1, 101, 50),
                "FIN_WAIT",
                Activity::Deactivated,
            ),
            (
                from_client(Flags::FIN | ACK, 101, 52, 0),
                "TIME_WAIT",
                Activity::Unchanged,
            ),
            (
                from_server(ACK, 52, 102, 0),
                "TIME_WAIT",
                Activity::Unchanged,
            ),
        ];
        for (segment, state, activity) in story {
            let step = conn.step(snap, &segment, Ticks::new(1), &T);
            assert_eq!(step.activity, activity, "{segment:?}");
            snap = step.next.unwrap_or(snap);
            assert_eq!(conn.state_name(snap), state, "{segment:?}");
        }
        assert!(conn.yields_port(snap, Ticks::new(1)));
        let (state, seqs) = snap.to_words();
        assert_eq!(Snapshot::from_words(state, seqs), snap);
        assert_eq!(State::from_word(state).to_word(), state);
    }

    pub(super) fn toa_ends_when_the_server_acknowledges_data<C: Address, S: Address>() {
        let conn = fullnat::<C, S>(ALL_FEATURES);
        let mut snap = established(&conn);
        assert!(conn.inserts_toa(snap));
        // The handshake again, a RST, and the client's own data prove nothing.
        for segment in [
            from_server(SYN | ACK, 0, 1, 0),
            from_server(Flags::RST | ACK, 1, 500, 0),
            from_client(ACK, 1, 1, 100),
        ] {
            assert!(conn.inserts_toa(
                conn.step(snap, &segment, Ticks::new(9), &T)
                    .next
                    .unwrap_or(snap)
            ));
        }
        // One byte acknowledged does, inside the tick of the last change.
        let last = snap.state.last_seen();
        snap = conn
            .step(snap, &from_server(ACK, 1, 2, 0), last, &T)
            .next
            .unwrap();
        assert!(!conn.inserts_toa(snap) && snap.state.server_answered());
    }

    pub(super) fn toa_ends_when_the_server_sends_data<C: Address, S: Address>() {
        let conn = fullnat::<C, S>(ALL_FEATURES);
        let snap = established(&conn);
        let step = conn.step(snap, &from_server(ACK, 1, 1, 1), snap.state.last_seen(), &T);
        assert!(!conn.inserts_toa(step.next.unwrap()));
        // Without the feature there is none to end.
        let plain = fullnat::<C, S>(Features::default());
        assert!(!plain.inserts_toa(established(&plain)));
    }

    pub(super) fn a_busy_connection_is_written_once_a_tick<C: Address, S: Address>() {
        let conn = fullnat::<C, S>(ALL_FEATURES);
        let answered = [from_server(ACK, 1, 1, 100)];
        let all: std::vec::Vec<_> = handshake().into_iter().chain(answered).collect();
        let mut snap = run(&conn, &all);
        let now = snap.state.last_seen();
        for n in 0..100 {
            let step = conn.step(snap, &from_client(ACK, 1 + n, 101, 1), now, &T);
            assert_eq!(step.next, None);
            assert!(!step.shortened);
        }
        let later = now.after_ticks(1);
        snap = conn
            .step(snap, &from_client(ACK, 200, 101, 1), later, &T)
            .next
            .unwrap();
        assert_eq!(snap.state.last_seen(), later);
        assert_eq!(conn.deadline(snap, &T), later.after_seconds(900));
    }

    pub(super) fn time_does_not_run_back<C: Address, S: Address>() {
        let conn = fullnat::<C, S>(ALL_FEATURES);
        let snap = established(&conn);
        let before = Ticks::new(snap.state.last_seen().get().wrapping_sub(5));
        assert_eq!(
            conn.step(snap, &from_client(ACK, 1, 1, 9), before, &T).next,
            None
        );
        let closed = conn.step(snap, &from_client(Flags::RST, 1, 1, 0), before, &T);
        let next = closed.next.unwrap();
        assert_eq!(next.state.last_seen(), snap.state.last_seen());
        assert_eq!(next.state.tcp(), TcpState::Close);
    }

    pub(super) fn udp_is_inactive_and_kept_five_minutes<C: Address, S: Address>() {
        let conn = udp::<C, S>();
        let now = Ticks::new(7);
        let snap = conn.start(now);
        assert_eq!(conn.state_name(snap), "UDP");
        assert_eq!(
            conn.step(snap, &Segment::udp(Dir::In, 10), now, &T).next,
            None
        );
        let step = conn.step(snap, &Segment::udp(Dir::Out, 10), now.after_ticks(3), &T);
        let next = step.next.unwrap();
        assert!(next.state.is_replied() && conn.is_inactive(next));
        assert_eq!(step.activity, Activity::Unchanged);
        assert!(!step.shortened);
        assert_eq!(
            conn.deadline(next, &T),
            now.after_ticks(3).after_seconds(300)
        );
        // Its port is another's when it has been silent, or was never answered.
        let seen = next.state.last_seen();
        assert!(!conn.yields_port(next, seen.after_seconds(29)));
        assert!(conn.yields_port(next, seen.after_seconds(30)));
        assert!(!conn.yields_port(snap, now.after_seconds(4)));
        assert!(conn.yields_port(snap, now.after_seconds(5)));
        assert_eq!(conn.expiry_resets(next), None);
        let mut syn = Segment::udp(Dir::In, 10);
        syn.flags = SYN;
        assert_eq!(
            conn.admit(next, &syn, GONE, POLICY_EXPIRE),
            Admission::Reschedule
        );
        assert_eq!(
            conn.admit(next, &syn, QUIET, POLICY_EXPIRE),
            Admission::Continue
        );
    }

    pub(super) fn a_closing_segment_shortens_at_once<C: Address, S: Address>() {
        let conn = fullnat::<C, S>(ALL_FEATURES);
        let snap = established(&conn);
        let now = snap.state.last_seen().after_ticks(2);
        let fin = conn.step(snap, &from_client(Flags::FIN | ACK, 1, 1, 0), now, &T);
        assert!(fin.shortened);
        assert_eq!(
            conn.deadline(fin.next.unwrap(), &T),
            now.after_seconds(T.get(Setting::FullnatCloseWait))
        );
        // Lengthening does not.
        let start = conn.start(now);
        assert!(
            !conn
                .step(start, &from_client(SYN, 0, 0, 0), now, &T)
                .shortened
        );
        // What is shorter is a matter of the settings.
        let mut odd = T;
        odd.set(Setting::FullnatCloseWait, 1000).unwrap();
        assert!(
            !conn
                .step(snap, &from_client(Flags::FIN | ACK, 1, 1, 0), now, &odd)
                .shortened
        );
    }

    /// A client can make its server forget the connection in ways that the
    /// balancer does not see, and then begin again with the same number.
    pub(super) fn a_server_that_begins_anew_is_told_again<C: Address, S: Address>() {
        let conn = fullnat::<C, S>(ALL_FEATURES);
        let data = [from_client(ACK, 1, 1, 100), from_server(ACK, 1, 101, 9)];
        let all: std::vec::Vec<_> = handshake().into_iter().chain(data).collect();
        for other in [0, 5000, 1 << 31] {
            let snap = run(&conn, &all);
            let last = snap.state.last_seen();
            let step = |snap, segment| conn.step(snap, &segment, last, &T).next.unwrap_or(snap);
            // A SYN is told at once, whatever the state; what is established is
            // not changed by one: it may be forged.
            let snap = step(snap, from_client(SYN, other, 0, 0));
            let syn = from_client(SYN, other, 0, 0);
            let edit = conn.plan_in(snap, &syn, &ToaKinds::DEFAULT).tcp.unwrap();
            assert!(edit.toa.is_some() && !edit.strip.is_empty() && edit.strip_timestamps);
            assert!(!conn.inserts_toa(snap));
            // The server's answer is what changes it. Neither that nor an ACK
            // of the SYN alone proves anything; what comes after does.
            let snap = step(snap, from_server(SYN | ACK, 9000, other.wrapping_add(1), 0));
            assert!(conn.inserts_toa(snap), "{other}");
            let snap = step(snap, from_server(ACK, 9001, other.wrapping_add(1), 0));
            assert!(conn.inserts_toa(snap), "{other}");
            let far = if other == 0 {
                102
            } else {
                other.wrapping_add(2)
            };
            let snap = step(snap, from_server(ACK, 9001, far, 0));
            assert!(!conn.inserts_toa(snap), "{other}");
        }
    }

    /// An established connection is kept for a quarter of an hour.
    pub(super) fn nobody_opens_a_connection_alone<C: Address, S: Address>() {
        let conn = fullnat::<C, S>(ALL_FEATURES);
        let state = |segments: &[Segment]| run(&conn, segments).state.tcp();
        let [syn, answer, ack] = handshake();
        assert_eq!(state(&[syn, ack]), TcpState::SynRecv);
        assert_eq!(state(&[syn, ack, ack, answer]), TcpState::SynRecv);
        assert_eq!(state(&[syn, ack, answer, ack]), TcpState::Established);
        // A guess does not help, not twice either, and does no harm.
        let guess = from_client(ACK, 1, 1 << 20, 0);
        let behind = from_client(ACK, 1, 0_u32.wrapping_sub(1 << 20), 0);
        for guess in [guess, behind] {
            assert_eq!(state(&[syn, answer, guess, guess]), TcpState::SynRecv);
            let all = [syn, answer, guess, guess, ack];
            assert_eq!(state(&all), TcpState::Established);
        }
        // What a server says early (Fast Open) need not be acknowledged.
        let early = from_server(SYN | ACK, 0, 1, 1000);
        assert_eq!(state(&[syn, early, ack]), TcpState::Established);
        // The server's own word opens it too, if it has heard the client: it
        // answers with a bare ACK to a second SYN that somebody forged.
        let bare = from_server(ACK, 1, 1, 0);
        assert_eq!(state(&[syn, answer, guess, bare]), TcpState::SynRecv);
        for word in [from_server(ACK, 1, 1, 9), from_server(ACK, 1, 2, 0)] {
            let all = [syn, answer, guess, word];
            assert_eq!(state(&all), TcpState::Established);
        }
        // And IPVS's table is NAT's.
        let nat = Conn {
            method: Method::Nat,
            ..conn
        };
        assert_eq!(run(&nat, &[syn, ack]).state.tcp(), TcpState::Established);
    }
}
