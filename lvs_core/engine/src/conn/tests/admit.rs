// SPDX-License-Identifier: GPL-2.0

//! What starts a new connection with old ports.

use super::*;

for_families! {
    a_retransmitted_syn_stays_with_its_connection;
    a_new_syn_starts_over_where_nothing_is_lost;
    a_removed_destination_drops_or_reschedules;
    replies_are_never_rescheduled;
}

mod bodies {
    use super::*;

    pub(super) fn a_retransmitted_syn_stays_with_its_connection<C: Address, S: Address>() {
        let conn = fullnat::<C, S>(ALL_FEATURES);
        let syn = from_client(SYN, 0, 0, 0);
        let snap = run(&conn, &[syn]);
        assert_eq!(conn.admit(snap, &syn, UP, POLICY), Admission::Continue);
        let again = conn
            .step(snap, &syn, snap.state.last_seen().after_seconds(1), &T)
            .next
            .unwrap();
        assert_eq!(again.state.tcp(), TcpState::SynRecv);
        assert!(conn.inserts_toa(again));
        assert_eq!(again.seqs, snap.seqs);
    }

    pub(super) fn a_new_syn_starts_over_where_nothing_is_lost<C: Address, S: Address>() {
        let conn = fullnat::<C, S>(ALL_FEATURES);
        let other = from_client(SYN, 5_000_000, 0, 0);
        let snap = established(&conn);
        for tcp in ALL {
            let snap = Snapshot {
                state: snap.state.with_tcp(tcp),
                ..snap
            };
            for mode in 0..4 {
                let policy = ReusePolicy {
                    conn_reuse_mode: mode,
                    ..POLICY
                };
                let over = matches!(
                    tcp,
                    TcpState::TimeWait | TcpState::Close | TcpState::FinWait
                );
                let expected = if over {
                    Admission::Reschedule
                } else {
                    Admission::Continue
                };
                assert_eq!(
                    conn.admit(snap, &other, UP, policy),
                    expected,
                    "{tcp:?} {mode}"
                );
                // The same number, or an answer to the server's SYN: by mode alone.
                for same in [
                    from_client(SYN, 0, 0, 0),
                    from_client(SYN | ACK, 5_000_000, 0, 0),
                ] {
                    let expected = if mode != 0 && tcp.is_over() {
                        Admission::Reschedule
                    } else {
                        Admission::Continue
                    };
                    assert_eq!(
                        conn.admit(snap, &same, UP, policy),
                        expected,
                        "{tcp:?} {mode}"
                    );
                }
            }
        }
        // A handshake: left alone once the server has answered, unless the client gave up.
        let asked = run(&conn, &handshake()[..1]);
        assert_eq!(conn.admit(asked, &other, UP, POLICY), Admission::Reschedule);
        let answered = run(&conn, &handshake()[..2]);
        assert_eq!(
            conn.admit(answered, &other, UP, POLICY),
            Admission::Continue
        );
        let given_up = conn
            .step(
                answered,
                &from_client(Flags::RST, 1, 1, 0),
                Ticks::new(99),
                &T,
            )
            .next
            .unwrap();
        assert_eq!(given_up.state.tcp(), TcpState::SynRecv);
        assert_eq!(
            conn.admit(given_up, &other, UP, POLICY),
            Admission::Reschedule
        );
    }

    pub(super) fn a_removed_destination_drops_or_reschedules<C: Address, S: Address>() {
        let conn = fullnat::<C, S>(ALL_FEATURES);
        let snap = established(&conn);
        let data = from_client(ACK, 1, 1, 10);
        assert_eq!(conn.admit(snap, &data, UP, POLICY), Admission::Continue);
        assert_eq!(
            conn.admit(snap, &data, GONE, POLICY),
            Admission::Drop(DropReason::DestinationGone)
        );
        assert_eq!(
            conn.admit(snap, &data, GONE, POLICY_EXPIRE),
            Admission::Reschedule
        );
        // Weight 0: a SYN is rescheduled, with expire_nodest_conn, even of an
        // established connection; the rest goes on.
        let syn = from_client(SYN, 0, 0, 0);
        assert_eq!(conn.admit(snap, &syn, QUIET, POLICY), Admission::Continue);
        assert_eq!(
            conn.admit(snap, &syn, QUIET, POLICY_EXPIRE),
            Admission::Reschedule
        );
        assert_eq!(
            conn.admit(snap, &data, QUIET, POLICY_EXPIRE),
            Admission::Continue
        );
    }

    pub(super) fn replies_are_never_rescheduled<C: Address, S: Address>() {
        let conn = fullnat::<C, S>(ALL_FEATURES);
        let snap = established(&conn);
        let reply = from_server(SYN | ACK, 0, 1, 0);
        assert_eq!(
            conn.admit(snap, &reply, GONE, POLICY_EXPIRE),
            Admission::Continue
        );
    }
}
