// SPDX-License-Identifier: GPL-2.0

//! Plans made of the fuzzer's bytes. Bytes that are missing are zeros.

use arbitrary::{Arbitrary, Unstructured};
use lvs_wire::addr::{Address, Endpoint};
use lvs_wire::ip::TtlStep;
use lvs_wire::kinds::KindSet;
use lvs_wire::rewrite::icmp::ErrorPlan;
use lvs_wire::rewrite::{CsumState, Plan, TcpEdit};
use lvs_wire::toa::Toa;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The next value.
pub(crate) fn take<'a, T: Arbitrary<'a> + Default>(u: &mut Unstructured<'a>) -> T {
    u.arbitrary().unwrap_or_default()
}

/// An address; as many bytes in both families.
pub(crate) fn addr<A: Address>(u: &mut Unstructured<'_>) -> A {
    let octets: [u8; 16] = take(u);
    A::from_prefix(&octets).unwrap().0
}

/// An endpoint.
pub(crate) fn endpoint<A: Address>(u: &mut Unstructured<'_>) -> Endpoint<A> {
    Endpoint::new(addr(u), take(u))
}

fn ttl(decrement: bool) -> TtlStep {
    if decrement {
        TtlStep::Decrement
    } else {
        TtlStep::Keep
    }
}

/// What a checksum field holds, of two bits.
pub(crate) fn csum(bits: u8) -> CsumState {
    match bits & 3 {
        1 => CsumState::Partial,
        2 => CsumState::None,
        _ => CsumState::Full,
    }
}

/// What changes in a TCP header.
pub(crate) fn tcp_edit(u: &mut Unstructured<'_>) -> TcpEdit {
    let bits: u8 = take(u);
    let toa = match bits & 3 {
        1 => Some(Toa::V4(endpoint::<Ipv4Addr>(u))),
        2 => Some(Toa::V6(endpoint::<Ipv6Addr>(u))),
        _ => None,
    };
    let strip = match bits & 0x30 {
        0x10 => KindSet::TOA,
        0x20 => KindSet::new(&[take(u), take(u)]).unwrap_or_default(),
        _ => KindSet::EMPTY,
    };
    TcpEdit {
        toa,
        toa_kind: if bits & 4 == 0 { 254 } else { 253 },
        strip,
        strip_timestamps: bits & 8 != 0,
        strip_fast_open: bits & 0x18 == 8,
        mss_lower: if bits & 0x40 == 0 { 0 } else { take(u) },
        mss_cap: (bits & 0x80 != 0).then(|| take(u)),
        seq_add: take(u),
        ack_add: take(u),
        sack_add: take(u),
    }
}

/// What a packet is to become.
pub(crate) fn plan<A: Address>(u: &mut Unstructured<'_>) -> Plan<A> {
    let bits: u8 = take(u);
    Plan {
        src: endpoint(u),
        dst: endpoint(u),
        ttl: ttl(bits & 1 != 0),
        tcp: (bits & 2 != 0).then(|| tcp_edit(u)),
    }
}

/// What an ICMP error is to become.
pub(crate) fn error_plan<A: Address>(u: &mut Unstructured<'_>) -> ErrorPlan<A> {
    let bits: u8 = take(u);
    ErrorPlan {
        src: addr(u),
        dst: addr(u),
        ttl: ttl(bits & 1 != 0),
        embedded_src: endpoint(u),
        embedded_dst: endpoint(u),
        seq_add: take(u),
        ack_add: take(u),
        mtu_lower: take(u),
    }
}
