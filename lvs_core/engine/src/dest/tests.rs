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
            weight: 1,
            thresholds: Thresholds::default(),
            tunnel: Tunnel::Ipip,
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
    request.tunnel_flags = Some(4);
    assert_eq!(request.add(key(), false), Err(ConfigError::TunnelFlags));
    request.tunnel_type = Some(3);
    assert_eq!(request.add(key(), false), Err(ConfigError::TunnelType));
    (request.tunnel_type, request.tunnel_flags) = (None, None);
    assert!(request.add(key(), false).is_ok());
}

#[test]
fn every_method_of_a_destination_has_its_number() {
    for (number, method) in [
        (fwd::MASQ, Some(Method::Nat)),
        (fwd::LOCALNODE, Some(Method::Local)),
        (fwd::TUNNEL, Some(Method::Tunnel)),
        (fwd::DROUTE, Some(Method::Droute)),
        // The balancer's own, never a destination's.
        (fwd::BYPASS, None),
        (fwd::FULLNAT, Some(Method::Fullnat)),
        (6, None),
        (7, None),
    ] {
        let request = DestRequest {
            method: Some(number),
            ..request()
        };
        let got = add(request).map(|config| config.method);
        assert_eq!(got, method.ok_or(ConfigError::MethodUnknown));
        if let Some(method) = method {
            assert_eq!(u32::from(method.number()), number);
            assert_eq!(Method::from_number(method.number()), Some(method));
        }
    }
    assert_eq!(Method::from_number(4), Some(Method::Bypass));
    assert_eq!(Method::from_number(6), None);
}

#[test]
fn thresholds_and_tunnels_are_kept() {
    let request = DestRequest {
        method: Some(fwd::TUNNEL),
        upper: Some(10),
        lower: Some(4),
        tunnel_type: Some(tun::GRE),
        tunnel_flags: Some(tun::CSUM),
        ..request()
    };
    let config = add(request).unwrap();
    assert_eq!(
        config.thresholds,
        Thresholds {
            upper: 10,
            lower: 4
        }
    );
    assert_eq!(config.tunnel, Tunnel::Gre { checksum: true });
}

/// Once full, a destination gets nothing until it has come down to the lower threshold.
#[test]
fn a_full_destination_recovers_below_the_lower_threshold() {
    let thresholds = Thresholds { upper: 4, lower: 2 };
    let mut full = false;
    let seen = [0, 1, 2, 3, 4, 5, 4, 3, 2, 1, 2, 3, 4].map(|conns| {
        full = thresholds.is_reached(full, conns);
        full
    });
    let expected = [
        false, false, false, false, true, true, true, true, true, false, false, false, true,
    ];
    assert_eq!(seen, expected);
}

#[test]
fn addresses_of_either_family_and_no_port_are_taken() {
    let v6 = Endpoint::new("2001:db8::1".parse().unwrap(), 80);
    assert!(request().add(v6, false).is_ok());
    let group = Endpoint::new("ff02::1".parse().unwrap(), 80);
    assert_eq!(request().add(group, false), Err(ConfigError::DestAddress));
    let zero = Endpoint::new(key().addr, 0);
    assert!(
        request().add(zero, false).is_ok(),
        "the port that the client asked for"
    );
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
            ..add(request).unwrap()
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
        (Method::Droute, true, false, Method::Droute),
        (Method::Tunnel, true, false, Method::Tunnel),
        (Method::Local, true, false, Method::Local),
    ];
    for (configured, local, masq_only, expected) in table {
        let pool = LocalAddresses {
            some: local,
            unwanted: masq_only,
        };
        assert_eq!(in_effect(configured, pool, false), expected);
        let between = match expected {
            Method::Nat => Method::Fullnat,
            other => other,
        };
        assert_eq!(in_effect(configured, pool, true), between);
    }
}
