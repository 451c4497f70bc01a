// SPDX-License-Identifier: GPL-2.0

//! Single values: numbers, addresses, masks, as stock reads them.

use std::net::{IpAddr, Ipv4Addr};

use crate::failure::Failure;
use crate::model::service::{Mask, Protocol, SCHED_FLAGS};
use crate::names::Names;
use lvs_wire::netlink::ipvs::svc_flags;

/// 31 days, stock's longest timeout in seconds.
pub(crate) const MAX_TIMEOUT: u32 = 86400 * 31;

/// An address, and a port if one was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The address.
    pub(crate) addr: IpAddr,
    /// The port.
    pub(crate) port: Option<u16>,
}

/// A decimal number within bounds.
pub(crate) fn number(text: &str, min: u32, max: u32, what: &str) -> Result<u32, Failure> {
    let value = text.trim_start().parse::<u32>().ok();
    value.filter(|v| (min..=max).contains(v)).ok_or_else(|| {
        Failure::usage(format!(
            "illegal {what} specified: `{text}` is not a number from {min} to {max}."
        ))
    })
}

/// A timeout in seconds.
pub(crate) fn timeout(text: &str, min: u32) -> Result<u32, Failure> {
    let value = text.parse::<u32>().ok();
    value
        .filter(|v| (min..=MAX_TIMEOUT).contains(v))
        .ok_or_else(|| {
            Failure::usage(format!(
                "invalid timeout value `{text}' specified: it is a number of seconds from {min} to {MAX_TIMEOUT}."
            ))
        })
}

/// A firewall mark.
pub(crate) fn mark(text: &str) -> Result<u32, Failure> {
    let value = text.parse::<u32>().ok();
    value.filter(|v| *v > 0).ok_or_else(|| {
        Failure::usage(format!(
            "invalid fwmark value `{text}' specified: it is a number from 1 to {}.",
            u32::MAX
        ))
    })
}

/// `host`, `host:port`, `v6`, `[v6]` or `[v6]:port`; hosts and ports may be names.
pub(crate) fn place(text: &str, protocol: Protocol, names: &dyn Names) -> Result<Place, String> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("`{text}` is a bare number, not an address"));
    }
    if let Some(rest) = text.strip_prefix('[') {
        return bracketed(rest, protocol, names);
    }
    if let Ok(addr) = text.parse() {
        return Ok(Place {
            addr: IpAddr::V6(addr),
            port: None,
        });
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(self::port(port, protocol, names)?)),
        None => (text, None),
    };
    let addr = aton(host).or_else(|| names.address(host));
    addr.map(|addr| Place {
        addr: IpAddr::V4(addr),
        port,
    })
    .ok_or_else(|| {
        format!("`{host}` is neither an address nor the name of a host with an IPv4 address")
    })
}

fn bracketed(rest: &str, protocol: Protocol, names: &dyn Names) -> Result<Place, String> {
    let (addr, after) = rest
        .split_once(']')
        .ok_or_else(|| format!("`[{rest}` has no closing bracket"))?;
    let addr = addr
        .parse()
        .map_err(|_| format!("`{addr}` is not an IPv6 address"))?;
    let port = match after.strip_prefix(':') {
        Some(port) => Some(self::port(port, protocol, names)?),
        None if after.is_empty() => None,
        None => return Err(format!("`{after}` after the bracket is not a `:port`")),
    };
    Ok(Place {
        addr: IpAddr::V6(addr),
        port,
    })
}

fn port(text: &str, protocol: Protocol, names: &dyn Names) -> Result<u16, String> {
    match text.parse::<u16>() {
        Ok(port) => Ok(port),
        Err(_) => names.port(text, protocol).ok_or_else(|| {
            format!("`{text}` is neither a port (0 to 65535) nor the name of a service")
        }),
    }
}

/// The C library's `inet_aton`: one to four parts, each decimal, octal (0...)
/// or hexadecimal (0x...), the last one filling what is left.
pub(crate) fn aton(text: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u32> = text.split('.').map(aton_part).collect::<Option<_>>()?;
    let (last, first) = parts.split_last()?;
    let bits_left = 32_u32.checked_sub(u32::try_from(first.len()).ok()?.checked_mul(8)?)?;
    if bits_left == 0 || u64::from(*last) >= 1_u64.checked_shl(bits_left)? {
        return None;
    }
    let mut value: u32 = 0;
    for part in first {
        let byte = u8::try_from(*part).ok()?;
        value = value.checked_shl(8)? | u32::from(byte);
    }
    let value = u64::from(value).checked_shl(bits_left)? | u64::from(*last);
    u32::try_from(value).ok().map(Ipv4Addr::from)
}

fn aton_part(part: &str) -> Option<u32> {
    let lower = part.to_ascii_lowercase();
    let (digits, radix) = match lower.strip_prefix("0x") {
        Some(hex) => (hex, 16),
        None if lower.len() > 1 && lower.starts_with('0') => (lower.get(1..)?, 8),
        None => (lower.as_str(), 10),
    };
    // from_str_radix would take a sign.
    if !digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, radix).ok()
}

/// Persistence granularity: a dotted mask, or a prefix length for IPv6.
pub(crate) fn mask(text: &str, v6: bool, names: &dyn Names) -> Result<Mask, Failure> {
    if v6 {
        let prefix = text.parse::<u32>().ok().filter(|p| (1..=128).contains(p));
        return prefix.map(Mask::V6).ok_or_else(|| {
            Failure::usage(format!(
                "illegal ipv6 netmask specified: `{text}` is not a prefix length from 1 to 128."
            ))
        });
    }
    let mask = aton(text).or_else(|| names.address(text));
    mask.map(Mask::V4).ok_or_else(|| {
        Failure::usage(format!(
            "illegal virtual server persistent mask specified: `{text}` is not a mask such as 255.255.255.0."
        ))
    })
}

/// A flag of a scheduler: its name, its bit and the scheduler it is for.
const FLAG_NAMES: &[(&str, u32, Option<&str>)] = &[
    ("flag-1", svc_flags::SCHED1, None),
    ("flag-2", svc_flags::SCHED2, None),
    ("flag-3", svc_flags::SCHED3, None),
    ("sh-fallback", svc_flags::SCHED1, Some("sh")),
    ("sh-port", svc_flags::SCHED2, Some("sh")),
    ("mh-fallback", svc_flags::SCHED1, Some("mh")),
    ("mh-port", svc_flags::SCHED2, Some("mh")),
];

/// Comma-separated flags of a scheduler.
pub(crate) fn sched_flags(text: &str, scheduler: &str) -> Result<u32, Failure> {
    let mut flags = 0;
    for name in text.split(',').filter(|n| !n.is_empty()) {
        let (_, bit, owner) = FLAG_NAMES
            .iter()
            .find(|(known, _, _)| *known == name)
            .ok_or_else(|| {
                Failure::usage(format!(
                    "invalid scheduler flag `{name}': -b takes sh-fallback, sh-port, mh-fallback, mh-port, \
                     flag-1, flag-2 or flag-3; FULLNAT is --fullnat here."
                ))
            })?;
        if owner.is_some_and(|owner| owner != scheduler) {
            return Err(Failure::usage(format!(
                "incompatible scheduler flag `{name}': it is for the scheduler {}, and this service's is {scheduler}.",
                owner.unwrap_or_default()
            )));
        }
        flags |= bit;
    }
    Ok(flags)
}

/// The names of a service's scheduler flags, as stock prints them: of a flag
/// that is none of the scheduler's nothing is told.
pub(crate) fn sched_flag_names(flags: u32, scheduler: &str) -> String {
    let owner = matches!(scheduler, "sh" | "mh").then_some(scheduler);
    let (names, _) = flag_names(flags, owner);
    names.join(",")
}

/// The same for a rule, which has to name every flag or it cannot be read
/// again.
pub(crate) fn sched_flag_words(flags: u32, scheduler: &str) -> String {
    let (mut names, unnamed) = flag_names(flags, Some(scheduler));
    names.extend(flag_names(unnamed, None).0);
    names.join(",")
}

/// The names that a scheduler has for flags, and the flags it has none for.
fn flag_names(flags: u32, owner: Option<&str>) -> (Vec<&'static str>, u32) {
    let mut unnamed = flags & SCHED_FLAGS;
    let mut names = Vec::new();
    for (name, bit, of) in FLAG_NAMES {
        if *of == owner && unnamed & bit != 0 {
            names.push(*name);
            unnamed &= !bit;
        }
    }
    (names, unnamed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::tests::NoNames;

    fn read(text: &str) -> Result<Place, String> {
        place(text, Protocol::TCP, &NoNames)
    }

    fn at(addr: &str, port: Option<u16>) -> Result<Place, String> {
        Ok(Place {
            addr: addr.parse().unwrap(),
            port,
        })
    }

    #[test]
    fn addresses_and_ports() {
        assert_eq!(read("10.0.0.1:80"), at("10.0.0.1", Some(80)));
        assert_eq!(read("10.0.0.1"), at("10.0.0.1", None));
        assert_eq!(read("[2001:db8::1]:80"), at("2001:db8::1", Some(80)));
        assert_eq!(read("[2001:db8::1]"), at("2001:db8::1", None));
        assert_eq!(read("2001:db8::1"), at("2001:db8::1", None));
        assert_eq!(read("10.1:80"), at("10.0.0.1", Some(80)));
    }

    #[test]
    fn what_is_no_address() {
        for text in [
            "",
            "80",
            "10.0.0.1:",
            "10.0.0.1:65536",
            "10.0.0.1:x",
            "[10.0.0.1]:80",
            "[::1",
            "[::1]80",
            "300.1.1.1",
            ":80",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_forms_of_inet_aton() {
        let reads = |text: &str| aton(text).map(|a| a.to_string());
        assert_eq!(reads("1.2.3.4").as_deref(), Some("1.2.3.4"));
        assert_eq!(reads("0x7f.1").as_deref(), Some("127.0.0.1"));
        assert_eq!(reads("1.2.3").as_deref(), Some("1.2.0.3"));
        assert_eq!(reads("010.0.0.1").as_deref(), Some("8.0.0.1"));
        assert_eq!(reads("4294967295").as_deref(), Some("255.255.255.255"));
        for text in [
            "1.2.3.4.5",
            "256.1",
            "1..2",
            "-1",
            "+1.2.3.4",
            "1.2.3.256",
            "08.0.0.1",
            "",
        ] {
            assert_eq!(reads(text), None, "{text}");
        }
    }

    #[test]
    fn flags_of_schedulers() {
        assert_eq!(sched_flags("sh-port,sh-fallback", "sh"), Ok(0x18));
        assert!(sched_flags("mh-port", "sh").is_err());
        assert!(sched_flags("fullnat", "sh")
            .unwrap_err()
            .text
            .contains("--fullnat"));
        assert_eq!(sched_flag_names(0x18, "mh"), "mh-fallback,mh-port");
        assert_eq!(sched_flag_names(0x20, "rr"), "flag-3");
        assert_eq!(sched_flag_names(0x20, "sh"), "");
        assert_eq!(sched_flag_words(0x30, "sh"), "sh-port,flag-3");
        assert_eq!(sched_flag_words(0x18, "rr"), "flag-1,flag-2");
    }
}
