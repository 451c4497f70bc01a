// SPDX-License-Identifier: GPL-2.0

//! What packets become.

use super::*;
use lvs_wire::ip::TtlStep;
use lvs_wire::kinds::KindSet;
use lvs_wire::rewrite::translate::icmp::translate_error;
use lvs_wire::rewrite::TcpEdit;
use lvs_wire::toa::Toa;

const KINDS: ToaKinds = ToaKinds {
    v4: 254,
    v6: 253,
    strip: KindSet::TOA,
};
/// A client's segment, in the middle of a conversation.
fn plain(flags: Flags) -> Segment {
    from_client(flags, 77, 1, 0)
}

const DELTA: u32 = ISN.wrapping_sub(CLIENT_ISN);

for_families! {
    during_the_handshake_the_client_is_told;
    afterwards_numbers_are_all_that_changes;
    replies_are_translated_back;
    a_reset_carries_no_option;
    a_client_may_never_tell_itself;
    whom_a_client_says_it_is_never_passes;
    icmp_errors_go_both_ways;
    udp_changes_endpoints_only;
    the_kind_is_that_of_the_clients_family;
    no_more_is_announced_than_fits_behind_the_clients_header;
}

mod bodies {
    use super::*;

    pub(super) fn during_the_handshake_the_client_is_told<C: Address, S: Address>() {
        let conn = fullnat::<C, S>(ALL_FEATURES);
        let asked = run(&conn, &handshake()[..1]);
        let plan = conn.plan_in(asked, &plain(SYN), &KINDS);
        assert_eq!((plan.src, plan.dst), (conn.local, conn.real));
        assert_eq!(plan.ttl, TtlStep::Decrement);
        let edit = plan.tcp.unwrap();
        assert_eq!(edit.toa, Some(Toa::from(conn.client)));
        assert_eq!(edit.strip, KindSet::TOA);
        assert_eq!((edit.seq_add, edit.ack_add, edit.sack_add), (DELTA, 0, 0));
        assert_eq!((edit.mss_lower, edit.mss_cap), (0, None));
        assert!(edit.strip_timestamps && edit.strip_fast_open);
        // The ACK and the first data keep their timestamps: an ACK without
        // them would switch off window scaling behind SYN cookies.
        let edit = conn
            .plan_in(established(&conn), &plain(ACK), &KINDS)
            .tcp
            .unwrap();
        assert!(edit.toa.is_some() && !edit.strip_timestamps && !edit.strip_fast_open);
    }

    pub(super) fn afterwards_numbers_are_all_that_changes<C: Address, S: Address>() {
        let conn = fullnat::<C, S>(ALL_FEATURES);
        let mut all = handshake().to_vec();
        all.push(from_server(ACK, 1, 1, 10));
        let edit = conn
            .plan_in(run(&conn, &all), &plain(ACK), &KINDS)
            .tcp
            .unwrap();
        assert_eq!(
            edit,
            TcpEdit {
                seq_add: DELTA,
                ..TcpEdit::default()
            }
        );
        assert!(!edit.changes_options());
    }

    pub(super) fn replies_are_translated_back<C: Address, S: Address>() {
        let conn = fullnat::<C, S>(ALL_FEATURES);
        let plan = conn.plan_out(SYN | ACK);
        assert_eq!((plan.src, plan.dst), (conn.virt, conn.client));
        let edit = plan.tcp.unwrap();
        let back = DELTA.wrapping_neg();
        assert_eq!((edit.seq_add, edit.ack_add, edit.sack_add), (0, back, back));
        assert_eq!(usize::from(edit.mss_lower), C::LEN + 4);
        assert_eq!(
            conn.plan_out(ACK).tcp,
            Some(TcpEdit {
                ack_add: back,
                sack_add: back,
                ..TcpEdit::default()
            })
        );
    }

    pub(super) fn a_reset_carries_no_option<C: Address, S: Address>() {
        let conn = fullnat::<C, S>(ALL_FEATURES);
        let edit = conn
            .plan_in(established(&conn), &plain(Flags::RST), &KINDS)
            .tcp
            .unwrap();
        assert_eq!((edit.toa, edit.seq_add), (None, DELTA));
    }

    pub(super) fn a_client_may_never_tell_itself<C: Address, S: Address>() {
        let conn = fullnat::<C, S>(Features::default());
        let edit = conn
            .plan_in(established(&conn), &plain(ACK), &KINDS)
            .tcp
            .unwrap();
        assert_eq!((edit.toa, edit.strip), (None, KindSet::TOA));
        assert_eq!(conn.plan_out(SYN | ACK).tcp.unwrap().mss_lower, 0);
    }

    /// A server with SYN cookies takes the last segment of an old handshake
    /// once more when the connection is gone, be it closed or not.
    pub(super) fn whom_a_client_says_it_is_never_passes<C: Address, S: Address>() {
        let conn = fullnat::<C, S>(ALL_FEATURES);
        let nat = Conn {
            method: Method::Nat,
            ..fullnat::<C, S>(Features::default())
        };
        let odd = |at| Segment {
            rare_options: true,
            ..from_client(ACK, at, 1, 0)
        };
        let open = run(
            &conn,
            &[&handshake()[..], &[from_server(ACK, 1, 1, 10)]].concat(),
        );
        for tcp in ALL {
            let snap = Snapshot {
                state: open.state.with_tcp(tcp),
                ..open
            };
            let edit = |conn: &Conn<C, S>, segment| conn.plan_in(snap, &segment, &KINDS).tcp;
            let (first, later) = (edit(&conn, odd(1)).unwrap(), edit(&conn, odd(2)).unwrap());
            assert_eq!((first.strip, later.strip), (KindSet::TOA, KindSet::TOA));
            assert_eq!(edit(&nat, odd(1)).unwrap().strip, KindSet::TOA);
            // What may open a connection says who the client is.
            assert_eq!(first.toa.is_some(), tcp != TcpState::Established);
            assert_eq!(later.toa.is_some(), tcp == TcpState::Close);
            if tcp == TcpState::Close {
                continue;
            }
            // What can say nothing is not looked at.
            let usual = edit(&conn, from_client(ACK, 2, 1, 0)).unwrap();
            assert!(!usual.changes_options());
        }
    }

    pub(super) fn icmp_errors_go_both_ways<C: Address, S: Address>() {
        let conn = fullnat::<C, S>(ALL_FEATURES);
        let snap = established(&conn);
        let plan = conn.icmp_to_client(snap);
        assert_eq!((plan.src, plan.dst), (conn.virt.addr, conn.client.addr));
        assert_eq!(
            (plan.embedded_src, plan.embedded_dst),
            (conn.client, conn.virt)
        );
        assert_eq!((plan.seq_add, plan.ack_add), (DELTA.wrapping_neg(), 0));
        assert_eq!(usize::from(plan.mtu_lower), C::LEN + 4);
        let answered = conn
            .step(snap, &from_server(ACK, 1, 1, 9), Ticks::new(99), &T)
            .next
            .unwrap();
        assert_eq!(conn.icmp_to_client(answered).mtu_lower, 0);

        let plan = conn.icmp_to_server(addr(9));
        assert_eq!((plan.src, plan.dst), (conn.local.addr, conn.real.addr));
        assert_eq!(
            (plan.embedded_src, plan.embedded_dst),
            (conn.real, conn.local)
        );
        assert_eq!((plan.seq_add, plan.ack_add, plan.mtu_lower), (0, DELTA, 0));
    }

    pub(super) fn udp_changes_endpoints_only<C: Address, S: Address>() {
        let conn = udp::<C, S>();
        let snap = conn.start(Ticks::new(0));
        let plan = conn.plan_in(snap, &Segment::udp(Dir::In, 9), &KINDS);
        assert_eq!(
            (plan.src, plan.dst, plan.tcp),
            (conn.local, conn.real, None)
        );
        assert_eq!(conn.plan_out(Flags::NONE).tcp, None);
    }

    pub(super) fn the_kind_is_that_of_the_clients_family<C: Address, S: Address>() {
        let conn = fullnat::<C, S>(ALL_FEATURES);
        let snap = established(&conn);
        let edit = conn.plan_in(snap, &plain(ACK), &KINDS).tcp.unwrap();
        assert_eq!(edit.toa_kind, if C::LEN == 4 { 254 } else { 253 });
        let edit = conn
            .plan_in(snap, &plain(ACK), &ToaKinds::DEFAULT)
            .tcp
            .unwrap();
        assert_eq!(edit.toa_kind, 254);
    }

    pub(super) fn no_more_is_announced_than_fits_behind_the_clients_header<
        C: Address,
        S: Address,
    >() {
        let differ = C::LEN != S::LEN;
        for (features, lower) in [(Features::default(), 0), (ALL_FEATURES, C::LEN as u16 + 4)] {
            let conn = fullnat::<C, S>(features);
            let edit = conn.plan_out(SYN | ACK).tcp.unwrap();
            assert_eq!(edit.mss_lower, lower);
            // 1440 remain, with the client's address or without.
            assert_eq!(edit.mss_cap, differ.then_some(1440 + lower));
            // A segment of that much fills 1500 bytes in IPv4 too, when the
            // client's address is beside it.
            assert!(!differ || 1440 + 40 + lower <= 1500);
            let edit = conn.plan_out(ACK).tcp.unwrap();
            assert_eq!((edit.mss_lower, edit.mss_cap), (0, None));
        }
        // What a client announces holds for a server's shorter header as well.
        let conn = fullnat::<C, S>(ALL_FEATURES);
        let asked = run(&conn, &handshake()[..1]);
        let edit = conn.plan_in(asked, &plain(SYN), &KINDS).tcp.unwrap();
        assert_eq!((edit.mss_lower, edit.mss_cap), (0, None));
    }
}

/// The translation adds or takes what the headers differ by, so that a plan
/// says nothing but what the balancer adds itself.
#[test]
fn an_mtu_through_nat64_is_what_the_sender_may_send() {
    let conn = fullnat::<Ipv6Addr, Ipv4Addr>(ALL_FEATURES);
    let too_big = |mtu: u16, embedded: &[u8], icmp: [u8; 4]| {
        let [high, low] = mtu.to_be_bytes();
        [&icmp[..], &[0, 0, high, low], embedded].concat()
    };
    let mut to_server = vec![0; 28];
    to_server[..10].copy_from_slice(&[0x45, 0, 5, 0xdc, 0, 0, 0x40, 0, 64, 6]);
    let message = too_big(1400, &to_server, [3, 4, 0, 0]);
    let told = |snap| {
        let mut packet = vec![0; 60];
        packet[40..50].copy_from_slice(&[0x45, 0, 0, 56, 0, 0, 0, 0, 64, 1]);
        packet.extend(&message);
        let plan = conn.icmp_to_client(snap);
        let done = translate_error::<Ipv4Addr, _>(&mut packet, 20, &plan, 0).unwrap();
        packet[done.start + 40..][..8].to_vec()
    };
    // While the client is told, its 20 bytes are what its header is longer by.
    assert_eq!(told(established(&conn))[4..], [0, 0, 0x05, 0x78]);
    let mut all = handshake().to_vec();
    all.push(from_server(ACK, 1, 1, 10));
    assert_eq!(told(run(&conn, &all))[4..], [0, 0, 0x05, 0x8c]);

    let mut to_client = vec![0; 48];
    to_client[..8].copy_from_slice(&[0x60, 0, 0, 0, 5, 0xb4, 6, 64]);
    let mut packet = vec![0; 40];
    packet[..8].copy_from_slice(&[0x60, 0, 0, 0, 0, 56, 58, 64]);
    packet.extend(too_big(1400, &to_client, [2, 0, 0, 0]));
    let plan = conn.icmp_to_server(conn.local.addr);
    let done = translate_error::<Ipv6Addr, _>(&mut packet, 40, &plan, 0).unwrap();
    let told = &packet[done.start + 20..][..8];
    assert_eq!((&told[..2], &told[6..]), (&[3, 4][..], &[0x05, 0x64][..]));
}

#[test]
fn nat_leaves_tcp_alone_once_the_server_has_answered() {
    let conn = Conn::<Ipv4Addr, Ipv4Addr>::plain(
        Protocol::Tcp,
        Method::Nat,
        end(1, 40_000),
        end(2, 80),
        end(4, 80),
        CLIENT_ISN,
    )
    .unwrap();
    let syn = from_client(SYN, 0, 0, 0);
    let asked = run(&conn, &[syn]);
    let edit = conn.plan_in(asked, &plain(SYN), &KINDS).tcp.unwrap();
    assert_eq!(
        edit,
        TcpEdit {
            strip: KindSet::TOA,
            ..TcpEdit::default()
        }
    );
    let data = Segment {
        ack: CLIENT_ISN.wrapping_add(1),
        ..from_server(ACK, 1, 0, 5)
    };
    let answered = run(&conn, &[syn, data]);
    assert_eq!(conn.plan_in(answered, &plain(ACK), &KINDS).tcp, None);
    assert_eq!(conn.plan_out(SYN | ACK).tcp, None);
    assert_eq!(conn.plan_in(answered, &plain(ACK), &KINDS).src, conn.client);
    // The router that reported stays visible.
    assert_eq!(conn.icmp_to_server(addr(9)).src, addr::<Ipv4Addr>(9));
}

proptest! {
    /// There and back again: the two directions undo each other.
    #[test]
    fn the_directions_are_inverse(client_isn in any::<u32>(), isn in any::<u32>(), number in any::<u32>()) {
        let conn = Conn::<Ipv4Addr, Ipv4Addr>::fullnat(
            Protocol::Tcp, end(1, 1), end(2, 2), end(3, 3), end(4, 4),
            Numbers { client_isn, isn }, Features::default(),
        );
        let snap = conn.start(Ticks::new(0));
        let seq_add = conn.plan_in(snap, &plain(SYN), &KINDS).tcp.map_or(0, |e| e.seq_add);
        let ack_add = conn.plan_out(ACK).tcp.map_or(0, |e| e.ack_add);
        prop_assert_eq!(client_isn.wrapping_add(seq_add), isn);
        prop_assert_eq!(number.wrapping_add(seq_add).wrapping_add(ack_add), number);
        prop_assert_eq!(seq_add.wrapping_add(conn.icmp_to_client(snap).seq_add), 0);
        prop_assert_eq!(ack_add.wrapping_add(conn.icmp_to_server(addr(9)).ack_add), 0);
    }
}
