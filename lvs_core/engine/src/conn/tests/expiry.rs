// SPDX-License-Identifier: GPL-2.0

//! How a connection ends that nobody closed.

use super::*;

for_families! {
    both_ends_are_reset_at_their_own_numbers;
    only_what_an_end_may_wait_for_is_reset;
    a_syn_does_not_move_the_numbers_of_what_is_established;
    a_server_that_begins_anew_is_believed;
    a_challenge_is_answered_at_its_number;
    the_last_number_is_what_the_server_acknowledged;
    a_client_that_lies_moves_nothing;
    without_replies_the_client_is_believed;
}

mod bodies {
    use super::*;

    pub(super) fn both_ends_are_reset_at_their_own_numbers<C: Address, S: Address>() {
        let conn = fullnat::<C, S>(ALL_FEATURES);
        let mut all = handshake().to_vec();
        all.push(from_client(ACK, 1, 1, 100));
        all.push(from_server(ACK, 1, 101, 1000));
        all.push(from_client(ACK, 101, 1001, 0));
        let snap = run(&conn, &all);
        let (client, server) = conn.expiry_resets(snap).unwrap();
        assert_eq!(
            client,
            Reset {
                src: conn.virt,
                dst: conn.client,
                seq: SERVER_ISN + 1001,
                ack: CLIENT_ISN.wrapping_add(101)
            }
        );
        assert_eq!(
            server,
            Reset {
                src: conn.local,
                dst: conn.real,
                seq: ISN + 101,
                ack: SERVER_ISN + 1001
            }
        );
        assert_eq!(server.probe_seq(), ISN + 100);
        // Old segments do not turn the numbers back.
        all.push(from_client(ACK, 1, 1, 50));
        assert_eq!(
            conn.expiry_resets(run(&conn, &all)).unwrap(),
            (client, server)
        );
    }

    pub(super) fn only_what_an_end_may_wait_for_is_reset<C: Address, S: Address>() {
        let conn = fullnat::<C, S>(ALL_FEATURES);
        let snap = established(&conn);
        for tcp in ALL {
            let other = Snapshot {
                state: snap.state.with_tcp(tcp),
                ..snap
            };
            assert_eq!(
                conn.expiry_resets(other).is_some(),
                matches!(tcp, TcpState::Established | TcpState::CloseWait)
            );
        }
        // A connection that began with a bare ACK of the client is established
        // without a word from the server.
        let half = run(&conn, &[from_client(Flags::SYN, 0, 0, 0)]);
        let half = Snapshot {
            state: half.state.with_tcp(TcpState::Established),
            ..half
        };
        assert_eq!(conn.expiry_resets(half), None);
    }

    pub(super) fn a_syn_does_not_move_the_numbers_of_what_is_established<C: Address, S: Address>() {
        let conn = fullnat::<C, S>(ALL_FEATURES);
        let snap = established(&conn);
        let resets = conn.expiry_resets(snap);
        for syn in [
            from_client(SYN, 1 << 30, 0, 0),
            from_server(SYN | ACK, 1 << 30, 1, 0),
        ] {
            let step = conn.step(snap, &syn, snap.state.last_seen().after_ticks(1), &T);
            let after = step.next.unwrap();
            assert_eq!(conn.expiry_resets(after), resets);
            assert_eq!(conn.last_acked(after), conn.last_acked(snap));
        }
    }

    pub(super) fn a_server_that_begins_anew_is_believed<C: Address, S: Address>() {
        let conn = fullnat::<C, S>(ALL_FEATURES);
        let snap = established(&conn);
        // It had forgotten, and answers the SYN of another conversation.
        let answer = from_server(SYN | ACK, 5000, (1 << 31) + 5, 0);
        let step = conn.step(snap, &answer, snap.state.last_seen().after_ticks(1), &T);
        let snap = step.next.unwrap();
        let (client, server) = conn.expiry_resets(snap).unwrap();
        assert_eq!(client.seq, SERVER_ISN + 5001);
        assert_eq!(server.seq, ISN + (1 << 31) + 5);
        // The port's next connection begins above that, too.
        assert_eq!(conn.last_acked(snap), Some(ISN + (1 << 31) + 5));
    }

    pub(super) fn a_challenge_is_answered_at_its_number<C: Address, S: Address>() {
        let conn = fullnat::<C, S>(ALL_FEATURES);
        let snap = established(&conn);
        let challenge = from_client(ACK, 77, 5000, 0);
        assert_eq!(conn.linger_answer(snap, &challenge), None);
        let now = snap.state.last_seen().after_seconds(900);
        let step = conn.linger(snap, now);
        assert_eq!(step.activity, Activity::Deactivated);
        let snap = step.next.unwrap();
        assert!(snap.state.is_lingering());
        assert_eq!(conn.deadline(snap, &T), now.after_seconds(3));
        assert_eq!(
            conn.linger_answer(snap, &challenge),
            Some(Answer::ToClient(Reset {
                src: conn.virt,
                dst: conn.client,
                seq: SERVER_ISN + 5000,
                ack: CLIENT_ISN.wrapping_add(77)
            }))
        );
        assert_eq!(
            conn.linger_answer(snap, &from_server(ACK, 9, 88, 4)),
            Some(Answer::ToServer(Reset {
                src: conn.local,
                dst: conn.real,
                seq: ISN + 88,
                ack: SERVER_ISN + 13
            }))
        );
        for silent in [
            from_client(Flags::RST | ACK, 1, 1, 0),
            from_client(SYN, 0, 0, 0),
        ] {
            assert_eq!(conn.linger_answer(snap, &silent), None);
        }
        // Nothing keeps it alive.
        let step = conn.step(snap, &challenge, now.after_seconds(2), &T);
        assert_eq!(
            (step.next, step.shortened, step.activity),
            (None, false, Activity::Unchanged)
        );
    }

    pub(super) fn the_last_number_is_what_the_server_acknowledged<C: Address, S: Address>() {
        let conn = fullnat::<C, S>(ALL_FEATURES);
        let start = conn.start(Ticks::new(0));
        // Until then the SYN may have reached it.
        assert_eq!(conn.last_acked(start), Some(ISN + 1));
        assert_eq!(
            conn.last_acked(run(&conn, &handshake()[..1])),
            Some(ISN + 1)
        );
        // The answer to a SYN of the port's last connection comes late.
        let late = from_server(SYN | ACK, 77, 0_u32.wrapping_sub(70_000), 0);
        let late = run(&conn, &[from_client(SYN, 0, 0, 0), late]);
        assert_eq!(conn.last_acked(late), Some(ISN + 1));
        let mut all = handshake().to_vec();
        all.push(from_client(Flags::FIN | ACK, 1, 1, 1000));
        assert_eq!(conn.last_acked(run(&conn, &all)), Some(ISN + 1));
        all.push(from_server(ACK, 1, 1002, 0));
        assert_eq!(conn.last_acked(run(&conn, &all)), Some(ISN + 1002));
        // An older acknowledgement is only late, and a RST's numbers are not believed.
        all.push(from_server(ACK, 1, 500, 0));
        all.push(from_client(Flags::RST, 1_000_000, 0, 0));
        all.push(from_server(Flags::RST | ACK, 1, 1_000_000, 0));
        assert_eq!(conn.last_acked(run(&conn, &all)), Some(ISN + 1002));
        let udp = udp::<C, S>();
        assert_eq!(udp.last_acked(udp.start(Ticks::new(0))), None);
    }

    pub(super) fn a_client_that_lies_moves_nothing<C: Address, S: Address>() {
        let conn = fullnat::<C, S>(ALL_FEATURES);
        let honest = [
            handshake().to_vec(),
            [
                from_client(Flags::FIN | ACK, 1, 1, 0),
                from_server(ACK, 1, 2, 0),
            ]
            .to_vec(),
        ]
        .concat();
        for after in 1..=honest.len() {
            let before = run(&conn, &honest[..after]);
            for lie in [
                from_client(ACK, 1 << 30, 1, 100),
                from_client(Flags::FIN | ACK, 1 << 30, 1, 0),
                from_client(SYN, 1 << 30, 0, 0),
            ] {
                let mut all = honest[..after].to_vec();
                all.push(lie);
                let snap = run(&conn, &all);
                assert_eq!(
                    conn.last_acked(snap),
                    conn.last_acked(before),
                    "{after} {lie:?}"
                );
            }
        }
    }

    pub(super) fn without_replies_the_client_is_believed<C: Address, S: Address>() {
        let conn = Conn {
            method: Method::Tunnel,
            ..fullnat::<C, S>(Features::default())
        };
        let all = [
            from_client(SYN, 0, 0, 0),
            from_client(ACK, 1, 1, 0),
            from_client(ACK, 1, 1001, 200),
        ];
        let snap = run(&conn, &all);
        let numbers = (snap.seqs.client_next(), snap.seqs.server_next());
        assert_eq!(numbers, (CLIENT_ISN.wrapping_add(201), SERVER_ISN + 1001));
    }
}
