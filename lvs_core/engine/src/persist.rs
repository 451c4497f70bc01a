// SPDX-License-Identifier: GPL-2.0

//! Persistence: which clients stay together, what their template is for, and
//! how long it lives.
//!
//! A template remembers the server of a client, or of a network of clients. It
//! is looked for when a connection is new, and renewed then. The rules are
//! IPVS's.

use lvs_wire::addr::{Address, Family};

use crate::time::Ticks;

/// FTP's control port: its template is for the service's other ports too, or
/// the data connections would go elsewhere.
pub const FTP_PORT: u16 = 21;

/// The port from which FTP's servers open data connections.
const FTP_DATA_PORT: u16 = 20;

/// The first port that everybody may listen on, unless a host is told
/// otherwise.
const FIRST_FREE_PORT: u16 = 1024;

/// Seconds after which a template that still has connections is looked at again.
pub const RETRY_SECONDS: u32 = 60;

/// The network of `client` under a mask as a service has it: for IPv4 a mask,
/// for IPv6 the bytes of a prefix length (see
/// [`ServiceRequest::netmask`](crate::service::ServiceRequest::netmask)).
///
/// ```
/// # use core::net::{Ipv4Addr, Ipv6Addr};
/// # use lvs_engine::persist::network;
/// let client = Ipv4Addr::new(192, 0, 2, 77);
/// assert_eq!(network(client, 0xffff_ff00), Ipv4Addr::new(192, 0, 2, 0));
/// let client: Ipv6Addr = "2001:db8:1:2::3".parse()?;
/// let length = u32::from_be_bytes(48_u32.to_ne_bytes());
/// assert_eq!(network(client, length), "2001:db8:1::".parse::<Ipv6Addr>()?);
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[must_use]
pub fn network<A: Address>(client: A, netmask: u32) -> A {
    let words = client.to_words();
    let kept = match A::FAMILY {
        Family::V4 => {
            let [a, b, c, d] = words;
            [a, b, c, d & netmask]
        }
        Family::V6 => {
            let length = prefix_length(netmask);
            let mut masked = words;
            for (word, before) in masked.iter_mut().zip([0_u32, 32, 64, 96]) {
                let bits = length.saturating_sub(before).min(32);
                *word &= u32::MAX.checked_shl(32_u32.wrapping_sub(bits)).unwrap_or(0);
            }
            masked
        }
    };
    A::from_words(kept)
}

/// The prefix length that IPv6 services have in place of a mask.
#[must_use]
pub const fn prefix_length(netmask: u32) -> u32 {
    u32::from_ne_bytes(netmask.to_be_bytes())
}

/// Whether four bytes are a mask: ones, then zeros.
///
/// ```
/// # use lvs_engine::persist::is_mask;
/// assert!(is_mask(0xffff_ff00) && is_mask(u32::MAX) && is_mask(0));
/// assert!(!is_mask(0xff00_ff00) && !is_mask(1));
/// ```
#[must_use]
pub const fn is_mask(netmask: u32) -> bool {
    netmask
        .leading_ones()
        .saturating_add(netmask.trailing_zeros())
        >= 32
}

/// The port that a template of a service at `service_port` has for packets to
/// `port`; 0 is all ports.
///
/// ```
/// # use lvs_engine::persist::template_port;
/// assert_eq!(template_port(80, 80), 80);
/// assert_eq!(template_port(21, 21), 0);
/// assert_eq!(template_port(0, 443), 0);
/// ```
#[must_use]
pub const fn template_port(service_port: u16, port: u16) -> u16 {
    if port == service_port && port != FTP_PORT {
        port
    } else {
        0
    }
}

/// Whether FTP's data connections come to `port`: if no service is there, what
/// comes is for the service at [`FTP_PORT`].
///
/// ```
/// # use lvs_engine::persist::is_ftp_data;
/// assert!(is_ftp_data(20) && is_ftp_data(1024) && is_ftp_data(50_000));
/// assert!(!is_ftp_data(21) && !is_ftp_data(80) && !is_ftp_data(1023));
/// ```
#[must_use]
pub const fn is_ftp_data(port: u16) -> bool {
    port == FTP_DATA_PORT || port >= FIRST_FREE_PORT
}

/// When a template that was renewed at `renewed` is over: not before its time,
/// and not while it has connections.
///
/// ```
/// # use lvs_engine::{persist::ends_at, time::Ticks};
/// let (renewed, now) = (Ticks::new(0), Ticks::new(0).after_seconds(300));
/// assert_eq!(ends_at(renewed, 360, 0, now), renewed.after_seconds(360));
/// assert_eq!(ends_at(renewed, 60, 0, now), renewed.after_seconds(60));
/// assert_eq!(ends_at(renewed, 60, 1, now), now.after_seconds(60));
/// ```
#[must_use]
pub fn ends_at(renewed: Ticks, timeout: u32, connections: u32, now: Ticks) -> Ticks {
    let end = renewed.after_seconds(timeout);
    if connections > 0 && !end.is_after(now) {
        now.after_seconds(RETRY_SECONDS)
    } else {
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::{Ipv4Addr, Ipv6Addr};
    use proptest::prelude::*;

    #[test]
    fn a_template_is_of_the_services_port_or_of_all() {
        for (service, asked, port) in [
            (80, 80, 80),
            (21, 21, 0),
            (21, 20, 0),
            (21, 2000, 0),
            (0, 443, 0),
        ] {
            assert_eq!(template_port(service, asked), port, "{service} {asked}");
        }
        for (port, is_data) in [
            (20, true),
            (1024, true),
            (65_535, true),
            (21, false),
            (1023, false),
        ] {
            assert_eq!(is_ftp_data(port), is_data, "{port}");
        }
    }

    #[test]
    fn a_template_with_connections_outlives_its_time() {
        let (renewed, late) = (Ticks::new(0), Ticks::new(0).after_seconds(300));
        let early = Ticks::new(0).after_seconds(50);
        for (connections, now, end) in [
            (0, early, renewed.after_seconds(60)),
            (1, early, renewed.after_seconds(60)),
            (0, late, renewed.after_seconds(60)),
            (1, late, late.after_seconds(60)),
        ] {
            assert_eq!(ends_at(renewed, 60, connections, now), end);
        }
    }

    proptest! {
        #[test]
        fn an_ipv4_network_is_the_address_under_the_mask(addr in any::<u32>(), length in 0..=32_u32) {
            let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
            prop_assert!(is_mask(mask));
            let network = network(Ipv4Addr::from_bits(addr), mask);
            prop_assert_eq!(network.to_bits(), addr & mask);
        }

        #[test]
        fn an_ipv6_network_keeps_its_prefix_alone(addr in any::<u128>(), length in 0..=128_u32) {
            let netmask = u32::from_be_bytes(length.to_ne_bytes());
            let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
            let network = network(Ipv6Addr::from_bits(addr), netmask);
            prop_assert_eq!(network.to_bits(), addr & mask);
        }

        #[test]
        fn a_mask_has_no_hole(bits in any::<u32>()) {
            prop_assert_eq!(is_mask(bits), (0..=32).any(|n| bits == u32::MAX.checked_shl(n).unwrap_or(0)));
        }
    }
}
