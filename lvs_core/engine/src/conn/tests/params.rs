// SPDX-License-Identifier: GPL-2.0

//! What a connection is made with.

use super::*;

#[test]
fn a_server_of_another_family_cannot_see_the_client_itself() {
    let client: Endpoint<Ipv6Addr> = Endpoint::new(Ipv6Addr::LOCALHOST, 1);
    let method = Method::Nat;
    let conn = Conn::<Ipv6Addr, Ipv4Addr>::plain(
        Protocol::Tcp,
        method,
        client,
        client,
        end(4, 80),
        CLIENT_ISN,
    );
    assert_eq!(conn, None);
}

#[test]
fn nat_shows_the_client_itself() {
    let conn = Conn::<Ipv4Addr, Ipv4Addr>::plain(
        Protocol::Tcp,
        Method::Nat,
        end(1, 40_000),
        end(2, 80),
        end(4, 80),
        CLIENT_ISN,
    )
    .unwrap();
    assert_eq!(conn.local, conn.client);
    assert_eq!((conn.isn_delta, conn.mss_lower), (0, 0));
    assert!(!conn.has_toa() && !conn.strips_timestamps());
    let snap = conn.start(Ticks::new(0));
    let syn = from_client(SYN, 0, 0, 0);
    let open = conn.step(snap, &syn, Ticks::new(0), &T).next.unwrap();
    assert_eq!(conn.deadline(open, &T), Ticks::new(0).after_seconds(60));
    // NAT reuses by conn_reuse_mode alone.
    let table = [
        (TcpState::TimeWait, 1, Admission::Reschedule),
        (TcpState::TimeWait, 0, Admission::Continue),
        (TcpState::FinWait, 3, Admission::Continue),
        (TcpState::Close, 2, Admission::Reschedule),
        (TcpState::Established, 3, Admission::Continue),
    ];
    check_reuse(&conn, open, &from_client(SYN, 99, 0, 0), POLICY, &table);
}

/// What becomes of a SYN in a state, by `conn_reuse_mode`; the connection is
/// otherwise as in `open`, and the settings as in `policy`.
fn check_reuse(
    conn: &Conn<Ipv4Addr, Ipv4Addr>,
    open: Snapshot,
    syn: &Segment,
    policy: ReusePolicy,
    table: &[(TcpState, u32, Admission)],
) {
    for (tcp, mode, expected) in table {
        let snap = Snapshot {
            state: open.state.with_tcp(*tcp),
            ..open
        };
        let policy = ReusePolicy {
            conn_reuse_mode: *mode,
            ..policy
        };
        assert_eq!(
            conn.admit(snap, syn, UP, policy),
            *expected,
            "{tcp:?} {mode}"
        );
    }
}

#[test]
fn where_replies_are_not_seen_fin_wait_is_as_good_as_over() {
    for method in [Method::Droute, Method::Tunnel] {
        let (client, virt, real) = (end(1, 1), end(2, 2), end(3, 3));
        let conn = Conn::<Ipv4Addr, Ipv4Addr>::plain(Protocol::Tcp, method, client, virt, real, 7)
            .unwrap();
        let start = conn.start(Ticks::new(1));
        let table = [
            (TcpState::FinWait, 0, Admission::Continue),
            (TcpState::FinWait, 1, Admission::Continue),
            (TcpState::FinWait, 2, Admission::Reschedule),
            (TcpState::FinWait, 3, Admission::Reschedule),
            (TcpState::Established, 2, Admission::Continue),
        ];
        check_reuse(&conn, start, &from_client(SYN, 99, 0, 0), POLICY, &table);
    }
}

#[test]
fn fullnat_starts_nothing_over_when_that_is_off() {
    let conn = fullnat::<Ipv4Addr, Ipv4Addr>(ALL_FEATURES);
    let open = established(&conn);
    let other = from_client(SYN, 5_000_000, 0, 0);
    let policy = ReusePolicy {
        fullnat_conn_reused: false,
        ..POLICY
    };
    let table = [
        (TcpState::TimeWait, 0, Admission::Continue),
        (TcpState::FinWait, 0, Admission::Continue),
        (TcpState::FinWait, 1, Admission::Continue),
        (TcpState::TimeWait, 1, Admission::Reschedule),
    ];
    check_reuse(&conn, open, &other, policy, &table);
}

#[test]
fn room_for_the_option_is_asked_for_only_if_there_is_one() {
    let lower = |toa, lower_mss| {
        fullnat::<Ipv4Addr, Ipv4Addr>(Features {
            toa,
            lower_mss,
            ..Features::default()
        })
        .mss_lower
    };
    assert_eq!(
        [
            lower(true, true),
            lower(true, false),
            lower(false, true),
            lower(false, false)
        ],
        [8, 0, 0, 0]
    );
    assert_eq!(fullnat::<Ipv6Addr, Ipv6Addr>(ALL_FEATURES).mss_lower, 20);
    assert_eq!(fullnat::<Ipv6Addr, Ipv4Addr>(ALL_FEATURES).mss_lower, 20);
    let datagrams = Conn::<Ipv4Addr, Ipv4Addr>::fullnat(
        Protocol::Udp,
        end(1, 1),
        end(2, 2),
        end(3, 3),
        end(4, 4),
        Numbers::default(),
        ALL_FEATURES,
    );
    assert!(!datagrams.has_toa() && !datagrams.strips_timestamps() && datagrams.mss_lower == 0);
}

#[test]
fn protocols_and_methods_have_their_numbers() {
    for number in 0..=u8::MAX {
        let protocol = Protocol::from_number(number);
        assert_eq!(protocol.is_some(), [6, 17].contains(&number));
        assert!(protocol.is_none_or(|p| p.number() == number));
    }
    assert_eq!([Protocol::Tcp.name(), Protocol::Udp.name()], ["TCP", "UDP"]);
    assert_eq!([Method::Nat.number(), Method::Fullnat.number()], [0, 5]);
}
