// SPDX-License-Identifier: GPL-2.0

//! Addresses as the families and files write them.

use core::net::IpAddr;
use kernel::fmt;

/// 16 bytes with an IPv4 address in the first four, as the family `IPVS` has
/// addresses.
pub(super) fn padded(addr: &IpAddr) -> [u8; 16] {
    match addr {
        IpAddr::V4(addr) => {
            let [a, b, c, d] = addr.octets();
            [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        }
        IpAddr::V6(addr) => addr.octets(),
    }
}

/// An address as stock's files have it: eight hexadecimal digits, or an IPv6
/// address in full.
pub(super) struct Hex(pub(super) IpAddr);

impl fmt::Display for Hex {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(addr) => write!(out, "{:08X}", addr.to_bits()),
            IpAddr::V6(addr) => {
                let [a, b, c, d, e, f, g, h] = addr.segments();
                write!(
                    out,
                    "{a:04x}:{b:04x}:{c:04x}:{d:04x}:{e:04x}:{f:04x}:{g:04x}:{h:04x}"
                )
            }
        }
    }
}

/// As [`Hex`], with brackets around IPv6 addresses.
pub(super) struct Bracketed(pub(super) IpAddr);

impl fmt::Display for Bracketed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(_) => Hex(self.0).fmt(out),
            IpAddr::V6(_) => {
                out.write_str("[")?;
                Hex(self.0).fmt(out)?;
                out.write_str("]")
            }
        }
    }
}
