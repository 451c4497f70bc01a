// SPDX-License-Identifier: GPL-2.0

use super::*;
use crate::config::Errno;
use core::net::Ipv4Addr;

const RIP: [u8; 4] = [10, 0, 0, 1];

/// What stock ipvsadm sends for `-a ... -r 10.0.0.1:80 -m`.
fn request() -> DestRequest<'static> {
    DestRequest {
        addr: Some(&RIP),
        port: Some(80),
        af: Some(2),
        method: Some(0),
        weight: Some(1),
        upper: Some(0),
        lower: Some(0),
        tunnel_type: Some(0),
        tunnel_port: Some(0),
        tunnel_flags: Some(0),
    }
}

fn key() -> AnyEndpoint {
    Endpoint::new(Ipv4Addr::from(RIP).into(), 80)
}

fn add(request: DestRequest<'_>) -> Result<DestConfig, ConfigError> {
    request.add(request.full_key(Family::V4)?, false)
}

#[test]
fn what_stock_ipvsadm_sends_is_a_destination() {
    assert_eq!(request().full_key(Family::V4), Ok(key()));
    assert_eq!(
        add(request()),
        Ok(DestConfig {
            method: Method::Nat,
            weight: 1
        })
    );
    // Older tools send neither family nor tunnel.
    let old = DestRequest {
        af: None,
        tunnel_type: None,
        tunnel_port: None,
        tunnel_flags: None,
        ..request()
    };
    assert_eq!(old.full_key(Family::V4), Ok(key()));
    assert!(add(old).is_ok());
    let fullnat = DestRequest {
        method: Some(0xfff5),
        ..request()
    };
    assert_eq!(add(fullnat).unwrap().method, Method::Fullnat);
}

#[test]
fn a_destination_must_be_named() {
    for nameless in [
        DestRequest {
            addr: None,
            ..request()
        },
        DestRequest {
            port: None,
            ..request()
        },
        DestRequest::default(),
    ] {
        assert_eq!(nameless.key(Family::V4), Err(ConfigError::DestMissing));
        assert_eq!(nameless.full_key(Family::V4), Err(ConfigError::DestMissing));
    }
    let bare = DestRequest {
        addr: Some(&RIP),
        port: Some(80),
        ..DestRequest::default()
    };
    assert_eq!(bare.key(Family::V4), Ok(key()));
    assert_eq!(bare.full_key(Family::V4), Err(ConfigError::DestIncomplete));
    assert_eq!(bare.add(key(), false), Err(ConfigError::DestIncomplete));
}

#[test]
fn every_number_of_a_full_request_is_needed() {
    for incomplete in [
        DestRequest {
            method: None,
            ..request()
        },
        DestRequest {
            weight: None,
            ..request()
        },
        DestRequest {
            upper: None,
            ..request()
        },
        DestRequest {
            lower: None,
            ..request()
        },
    ] {
        // Before a wrong family.
        let incomplete = DestRequest {
            af: Some(99),
            ..incomplete
        };
        assert_eq!(
            incomplete.full_key(Family::V4),
            Err(ConfigError::DestIncomplete)
        );
    }
}

#[test]
fn the_family_is_the_services_unless_it_is_a_tunnel() {
    let of = |af, method| {
        DestRequest {
            af: Some(af),
            method: Some(method),
            addr: Some(&[0x20; 16]),
            ..request()
        }
        .full_key(Family::V4)
    };
    assert_eq!(of(99, 0), Err(ConfigError::Family));
    assert_eq!(of(10, fwd::MASQ), Err(ConfigError::DestFamilyMixed));
    assert!(of(10, fwd::TUNNEL).is_ok());
    // To delete one, anything goes.
    let other = DestRequest {
        af: Some(10),
        addr: Some(&[0x20; 16]),
        ..request()
    };
    assert!(other.key(Family::V4).is_ok());
    let short = DestRequest {
        addr: Some(&RIP[..3]),
        ..request()
    };
    assert_eq!(short.key(Family::V4), Err(ConfigError::AddressLength));
}

/// One fault after the other is repaired, in the order of the kernel's checks.
#[test]
fn faults_are_reported_in_the_order_of_ipvs() {
    let mut request = DestRequest {
        weight: Some(u32::MAX),
        lower: Some(u32::MAX),
        upper: Some(u32::MAX - 1),
        tunnel_type: Some(tun::GUE),
        method: Some(fwd::DROUTE),
        ..request()
    };
    let group = Endpoint::new(Ipv4Addr::new(224, 0, 0, 1).into(), 80);
    let expect = |request: &DestRequest<'_>, error: ConfigError, errno| {
        assert_eq!(request.add(group, true), Err(error));
        assert_eq!(error.errno(), errno);
    };
    expect(&request, ConfigError::Weight, Errno::Range);
    request.weight = Some(i32::MAX as u32);
    expect(&request, ConfigError::ThresholdOrder, Errno::Range);
    request.lower = Some(0);
    expect(&request, ConfigError::ThresholdRange, Errno::Inval);
    request.upper = Some(i32::MAX as u32);
    expect(&request, ConfigError::TunnelPort, Errno::Inval);
    request.tunnel_port = Some(6080);
    expect(&request, ConfigError::DestExists, Errno::Exist);
    assert_eq!(request.add(group, false), Err(ConfigError::DestAddress));
    assert_eq!(request.edit(None), Err(ConfigError::DestUnknown));
    assert_eq!(ConfigError::DestUnknown.errno(), Errno::NoEnt);
    let expect = |request: &DestRequest<'_>, what| {
        assert_eq!(
            request.add(key(), false),
            Err(ConfigError::Unsupported(what))
        );
    };
    expect(&request, Unsupported::DirectRouting);
    request.method = Some(fwd::TUNNEL);
    expect(&request, Unsupported::Tunnel);
    request.method = Some(fwd::MASQ);
    expect(&request, Unsupported::Tunnel);
    (request.tunnel_type, request.tunnel_port) = (None, None);
    expect(&request, Unsupported::Thresholds);
    request.upper = Some(0);
    assert!(request.add(key(), false).is_ok());
}

#[test]
fn what_cannot_be_done_yet_is_named() {
    for (method, error) in [
        (fwd::LOCALNODE, Unsupported::LocalNode.into()),
        (fwd::BYPASS, Unsupported::LocalNode.into()),
        (fwd::DROUTE, Unsupported::DirectRouting.into()),
        (fwd::TUNNEL, Unsupported::Tunnel.into()),
        (6, ConfigError::MethodUnknown),
        (7, ConfigError::MethodUnknown),
    ] {
        let request = DestRequest {
            method: Some(method),
            ..request()
        };
        assert_eq!(add(request), Err(error));
    }
    let v6 = Endpoint::new("2001:db8::1".parse().unwrap(), 80);
    assert!(request().add(v6, false).is_ok());
    let group = Endpoint::new("ff02::1".parse().unwrap(), 80);
    assert_eq!(request().add(group, false), Err(ConfigError::DestAddress));
    let zero = Endpoint::new(key().addr, 0);
    assert!(
        request().add(zero, false).is_ok(),
        "the port that the client asked for"
    );
    let flags = DestRequest {
        tunnel_flags: Some(1),
        ..request()
    };
    assert_eq!(add(flags), Err(Unsupported::Tunnel.into()));
}

#[test]
fn an_edit_with_method_0_keeps_explicit_fullnat() {
    let edit = |old, asked| {
        let request = DestRequest {
            method: Some(asked),
            weight: Some(7),
            ..request()
        };
        let old = DestConfig {
            method: old,
            weight: 1,
        };
        let new = request.edit(Some(old)).unwrap();
        assert_eq!(new.weight, 7);
        new.method
    };
    assert_eq!(edit(Method::Fullnat, fwd::MASQ), Method::Fullnat);
    assert_eq!(edit(Method::Fullnat, fwd::FULLNAT), Method::Fullnat);
    assert_eq!(edit(Method::Nat, fwd::MASQ), Method::Nat);
    assert_eq!(edit(Method::Nat, fwd::FULLNAT), Method::Fullnat);
}

#[test]
fn the_method_in_effect_follows_the_local_addresses() {
    let table = [
        (Method::Nat, false, false, Method::Nat),
        (Method::Nat, false, true, Method::Nat),
        (Method::Nat, true, false, Method::Fullnat),
        (Method::Nat, true, true, Method::Nat),
        (Method::Fullnat, false, false, Method::Fullnat),
        (Method::Fullnat, false, true, Method::Fullnat),
        (Method::Fullnat, true, false, Method::Fullnat),
        (Method::Fullnat, true, true, Method::Fullnat),
    ];
    for (configured, local, masq_only, expected) in table {
        assert_eq!(in_effect(configured, local, masq_only), expected);
    }
}
