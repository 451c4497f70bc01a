// SPDX-License-Identifier: GPL-2.0

use super::*;
use crate::config::Errno;
use core::net::{Ipv4Addr, Ipv6Addr};

const VIP: [u8; 4] = [192, 0, 2, 1];

/// What stock ipvsadm sends for `-A -t 192.0.2.1:80 -s rr`.
fn request() -> ServiceRequest<'static> {
    ServiceRequest {
        af: Some(2),
        protocol: Some(6),
        addr: Some(&VIP),
        port: Some(80),
        fwmark: None,
        sched: Some("rr"),
        flags: Some((0, u32::MAX)),
        timeout: Some(0),
        netmask: Some(u32::MAX),
        pe: None,
    }
}

fn key() -> ServiceKey {
    request().key().unwrap()
}

fn add(request: ServiceRequest<'_>) -> Result<ServiceConfig, ConfigError> {
    request.add(request.key()?, false)
}

fn unsupported(request: ServiceRequest<'_>) -> Option<Unsupported> {
    match add(request) {
        Err(ConfigError::Unsupported(what)) => Some(what),
        _ => None,
    }
}

#[test]
fn what_stock_ipvsadm_sends_is_a_service() {
    assert_eq!(
        key(),
        ServiceKey::Address {
            protocol: 6,
            addr: Ipv4Addr::from(VIP).into(),
            port: 80
        }
    );
    let config = add(request()).unwrap();
    assert_eq!(config.scheduler, Scheduler::Rr);
    assert_eq!((config.flags, config.timeout), (0, 0));
    // Addresses come padded to 16 bytes from some tools.
    let mut padded = [0; 16];
    padded[..4].copy_from_slice(&VIP);
    let request = ServiceRequest {
        addr: Some(&padded),
        ..request()
    };
    assert_eq!(request.key(), Ok(key()));
}

#[test]
fn a_service_must_be_named() {
    let whole = request();
    for request in [
        ServiceRequest { af: None, ..whole },
        ServiceRequest {
            protocol: None,
            ..whole
        },
        ServiceRequest {
            addr: None,
            ..whole
        },
        ServiceRequest {
            port: None,
            ..whole
        },
        ServiceRequest::default(),
    ] {
        assert_eq!(request.key(), Err(ConfigError::ServiceMissing));
    }
    // Missing comes before a wrong family.
    let request = ServiceRequest {
        af: Some(7),
        port: None,
        ..whole
    };
    assert_eq!(request.key(), Err(ConfigError::ServiceMissing));
    let request = ServiceRequest {
        af: Some(7),
        ..whole
    };
    assert_eq!(request.key(), Err(ConfigError::Family));
    assert_eq!(
        request.key().map_err(ConfigError::errno),
        Err(Errno::AfNoSupport)
    );
    let request = ServiceRequest {
        af: Some(10),
        ..whole
    };
    assert_eq!(request.key(), Err(ConfigError::AddressLength));
}

#[test]
fn a_mark_stands_above_the_address() {
    let marked = ServiceRequest {
        fwmark: Some(5),
        ..request()
    };
    let key = ServiceKey::Fwmark {
        family: Family::V4,
        mark: 5,
    };
    assert_eq!(marked.key(), Ok(key));
    assert!(add(marked).is_ok());
    let alone = ServiceRequest {
        af: Some(10),
        fwmark: Some(5),
        ..ServiceRequest::default()
    };
    assert_eq!(alone.key().unwrap().family(), Family::V6);
    // Mark 0 is the odd service of IPVS.
    for (af, addr) in [
        (2, AnyAddr::from(Ipv4Addr::UNSPECIFIED)),
        (10, AnyAddr::from(Ipv6Addr::UNSPECIFIED)),
    ] {
        let zero = ServiceRequest {
            af: Some(af),
            fwmark: Some(0),
            ..ServiceRequest::default()
        };
        assert_eq!(
            zero.key(),
            Ok(ServiceKey::Address {
                protocol: 6,
                addr,
                port: 0
            })
        );
    }
}

#[test]
fn an_incomplete_request_is_refused_before_anything_else() {
    let whole = ServiceRequest {
        sched: Some("nonsense"),
        ..request()
    };
    for request in [
        ServiceRequest {
            sched: None,
            ..whole
        },
        ServiceRequest {
            flags: None,
            ..whole
        },
        ServiceRequest {
            timeout: None,
            ..whole
        },
        ServiceRequest {
            netmask: None,
            ..whole
        },
    ] {
        for exists in [false, true] {
            assert_eq!(
                request.add(key(), exists),
                Err(ConfigError::ServiceIncomplete)
            );
        }
        assert_eq!(
            request.edit(key(), None),
            Err(ConfigError::ServiceIncomplete)
        );
    }
    // Then whether it exists, then the scheduler.
    assert_eq!(whole.add(key(), true), Err(ConfigError::ServiceExists));
    assert_eq!(whole.edit(key(), None), Err(ConfigError::ServiceUnknown));
    assert_eq!(whole.add(key(), false), Err(ConfigError::SchedulerUnknown));
}

#[test]
fn schedulers_are_known_unknown_or_not_yet_there() {
    for scheduler in Scheduler::ALL {
        let request = ServiceRequest {
            sched: Some(scheduler.name()),
            ..request()
        };
        assert_eq!(add(request).unwrap().scheduler, *scheduler);
    }
    let request = ServiceRequest {
        sched: Some("lblc"),
        ..request()
    };
    assert_eq!(unsupported(request), Some(Unsupported::Scheduler));
}

#[test]
fn persistence_engines_come_after_schedulers() {
    let pe = |sched, pe| {
        add(ServiceRequest {
            sched: Some(sched),
            pe: Some(pe),
            ..request()
        })
    };
    assert!(pe("rr", "").is_ok());
    assert_eq!(pe("x", "y"), Err(ConfigError::SchedulerUnknown));
    assert_eq!(pe("rr", "y"), Err(ConfigError::PersistenceEngineUnknown));
    assert_eq!(pe("rr", "sip"), Err(Unsupported::PersistenceEngine.into()));
}

#[test]
fn flags_are_masked_and_rr_has_none() {
    for (flags, expected) in [
        (svc_flags::SCHED1, Some(Unsupported::Flags)),
        (0x8000, Some(Unsupported::Flags)),
        (svc_flags::HASHED, None),
        (0, None),
    ] {
        let set = ServiceRequest {
            flags: Some((flags, u32::MAX)),
            ..request()
        };
        assert_eq!(unsupported(set), expected, "{flags:#x}");
        // What is outside the mask does not count.
        let masked = ServiceRequest {
            flags: Some((flags, 0)),
            ..request()
        };
        assert_eq!(add(masked).unwrap().flags, 0);
        // Old flags stay unless the mask says otherwise.
        let current = ServiceConfig {
            flags,
            ..add(request()).unwrap()
        };
        assert_eq!(
            request().edit(key(), Some(&current)).map(|c| c.flags),
            Ok(0)
        );
        let kept = masked.edit(key(), Some(&current));
        assert_eq!(kept.is_err(), expected.is_some());
    }
}

#[test]
fn persistence_needs_a_mask_that_is_one() {
    let persistent = |netmask| {
        add(ServiceRequest {
            flags: Some((svc_flags::PERSISTENT, u32::MAX)),
            netmask: Some(netmask),
            ..request()
        })
    };
    assert!(persistent(u32::MAX).unwrap().is_persistent());
    assert!(persistent(0xffff_0000).is_ok());
    assert_eq!(persistent(0xff00_ff00), Err(ConfigError::Netmask));
    // It means nothing otherwise.
    let without = ServiceRequest {
        netmask: Some(0xff00_ff00),
        ..request()
    };
    assert!(!add(without).unwrap().is_persistent());
}

#[test]
fn one_packet_is_for_udp_and_marks() {
    let ops = |request: ServiceRequest<'static>| {
        add(ServiceRequest {
            flags: Some((svc_flags::ONE_PACKET, u32::MAX)),
            ..request
        })
    };
    assert_eq!(ops(request()), Err(ConfigError::OnePacketTcp));
    let udp = ops(ServiceRequest {
        protocol: Some(17),
        ..request()
    });
    let config = udp.unwrap();
    assert!(config.is_one_packet(Protocol::Udp) && !config.is_one_packet(Protocol::Tcp));
    let marked = ServiceRequest {
        fwmark: Some(7),
        ..request()
    };
    assert!(ops(marked).is_ok());
}

#[test]
fn fallback_and_port_are_flags_of_sh_and_mh_alone() {
    let both = svc_flags::SCHED1 | svc_flags::SCHED2;
    for scheduler in Scheduler::ALL {
        let has_flags = matches!(scheduler, Scheduler::Sh | Scheduler::Mh);
        for flags in [svc_flags::SCHED1, svc_flags::SCHED2, both] {
            let set = ServiceRequest {
                sched: Some(scheduler.name()),
                flags: Some((flags, u32::MAX)),
                ..request()
            };
            let expected = (!has_flags).then_some(Unsupported::Flags);
            assert_eq!(unsupported(set), expected, "{}", scheduler.name());
            if has_flags {
                assert_eq!(add(set).unwrap().flags, flags);
                // They do not stay unnoticed with a scheduler that has none.
                let current = add(set).unwrap();
                let kept = ServiceRequest {
                    flags: Some((0, 0)),
                    ..request()
                };
                assert_eq!(
                    kept.edit(key(), Some(&current)),
                    Err(Unsupported::Flags.into())
                );
            }
        }
        for flags in [svc_flags::SCHED3, 0x8000] {
            let set = ServiceRequest {
                sched: Some(scheduler.name()),
                flags: Some((flags | both, u32::MAX)),
                ..request()
            };
            assert_eq!(unsupported(set), Some(Unsupported::Flags));
        }
    }
}

#[test]
fn what_cannot_be_done_yet_is_named() {
    let v6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let ipv6 = |prefix: u32| ServiceRequest {
        af: Some(10),
        addr: Some(&v6),
        netmask: Some(u32::from_be_bytes(prefix.to_ne_bytes())),
        ..request()
    };
    for prefix in [0, 129, u32::MAX] {
        assert_eq!(add(ipv6(prefix)), Err(ConfigError::PrefixLength));
    }
    for prefix in [1, 128] {
        assert!(add(ipv6(prefix)).is_ok());
    }
    for protocol in [0, 1, 50, 132, 262] {
        let request = ServiceRequest {
            protocol: Some(protocol),
            ..request()
        };
        assert_eq!(unsupported(request), Some(Unsupported::Protocol));
    }
    let udp = ServiceRequest {
        protocol: Some(17),
        ..request()
    };
    assert!(add(udp).is_ok());
    let all = ServiceRequest {
        port: Some(0),
        ..request()
    };
    assert!(add(all).is_ok());
}

#[test]
fn a_key_reads_as_people_write_it() {
    let address = |protocol, addr: &str, port| ServiceKey::Address {
        protocol,
        addr: addr.parse().unwrap(),
        port,
    };
    let mark = ServiceKey::Fwmark {
        family: Family::V6,
        mark: 7,
    };
    for (key, text) in [
        (key(), "TCP 192.0.2.1:80"),
        (address(17, "2001:db8::1", 53), "UDP [2001:db8::1]:53"),
        (address(999, "192.0.2.1", 0), "IP 192.0.2.1:0"),
        (mark, "FWM 7"),
    ] {
        assert_eq!(std::format!("{key}"), text);
    }
}

#[test]
fn ftp_is_a_port() {
    let at = |port| ServiceKey::Address {
        protocol: 6,
        addr: Ipv4Addr::from(VIP).into(),
        port,
    };
    assert!(at(21).is_ftp());
    assert!(!at(20).is_ftp() && !at(0).is_ftp());
    let mark = ServiceKey::Fwmark {
        family: Family::V4,
        mark: 21,
    };
    assert!(!mark.is_ftp());
}
