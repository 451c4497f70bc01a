// SPDX-License-Identifier: GPL-2.0

//! Names of hosts and ports, through the C library as stock asks for them.

mod services;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use dns_lookup::{getaddrinfo, getnameinfo, lookup_addr, AddrInfoHints};

use crate::model::service::Protocol;

/// What turns names into numbers and back.
pub(crate) trait Names {
    /// The first IPv4 address of a host.
    fn address(&self, host: &str) -> Option<Ipv4Addr>;
    /// The port of a named service.
    fn port(&self, service: &str, protocol: Protocol) -> Option<u16>;
    /// The name of an address.
    fn host(&self, addr: IpAddr) -> Option<String>;
    /// The name of a port.
    fn service(&self, port: u16, protocol: Protocol) -> Option<String>;
}

/// Asks the C library, and so DNS, /etc/hosts and /etc/services.
pub(crate) struct System;

/// Asks nobody: numbers stay numbers.
pub(crate) struct Numbers;

impl Names for System {
    fn address(&self, host: &str) -> Option<Ipv4Addr> {
        if host.is_empty() {
            return None;
        }
        let hints = AddrInfoHints {
            address: libc::AF_INET,
            socktype: libc::SOCK_STREAM,
            ..AddrInfoHints::default()
        };
        let found = getaddrinfo(Some(host), None, Some(hints)).ok()?;
        found.flatten().find_map(|info| match info.sockaddr.ip() {
            IpAddr::V4(v4) => Some(v4),
            IpAddr::V6(_) => None,
        })
    }

    fn port(&self, service: &str, protocol: Protocol) -> Option<u16> {
        // getaddrinfo would take any number, and only its low 16 bits.
        if !service.contains(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        if protocol == Protocol::SCTP {
            return services::port(service, "sctp");
        }
        let hints = AddrInfoHints {
            address: libc::AF_INET,
            socktype: socket_type(protocol)?,
            ..AddrInfoHints::default()
        };
        let found = getaddrinfo(None, Some(service), Some(hints)).ok()?;
        found.flatten().map(|info| info.sockaddr.port()).next()
    }

    fn host(&self, addr: IpAddr) -> Option<String> {
        lookup_addr(&addr).ok()
    }

    fn service(&self, port: u16, protocol: Protocol) -> Option<String> {
        if protocol == Protocol::SCTP {
            return services::name(port, "sctp");
        }
        let datagram = match socket_type(protocol)? {
            libc::SOCK_DGRAM => libc::NI_DGRAM,
            _ => 0,
        };
        let place = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        let (_, name) = getnameinfo(&place, libc::NI_NUMERICHOST | datagram).ok()?;
        Some(name)
    }
}

impl Names for Numbers {
    fn address(&self, _: &str) -> Option<Ipv4Addr> {
        None
    }

    fn port(&self, _: &str, _: Protocol) -> Option<u16> {
        None
    }

    fn host(&self, _: IpAddr) -> Option<String> {
        None
    }

    fn service(&self, _: u16, _: Protocol) -> Option<String> {
        None
    }
}

fn socket_type(protocol: Protocol) -> Option<i32> {
    match protocol {
        Protocol::TCP => Some(libc::SOCK_STREAM),
        Protocol::UDP => Some(libc::SOCK_DGRAM),
        _ => None,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    pub(crate) use super::Numbers as NoNames;
}
