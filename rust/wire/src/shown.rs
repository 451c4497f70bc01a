// SPDX-License-Identifier: GPL-2.0

//! [`Shown`]: an address as people write it.
//!
//! The library's own way checks its arithmetic, and those checks would be ways
//! into a panic.

use core::fmt;
use core::net::Ipv6Addr;

use crate::addr::{AnyAddr, AnyEndpoint, Endpoint};

/// An address that prints in dotted form, or as RFC 5952 section 4 says.
///
/// ```
/// use lvs_wire::shown::Shown;
/// let shown = |text: &str| Shown(text.parse().unwrap()).to_string();
/// assert_eq!(shown("192.0.2.1"), "192.0.2.1");
/// assert_eq!(shown("2001:DB8:0:0:1::1"), "2001:db8::1:0:0:1");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown(pub AnyAddr);

impl fmt::Display for Shown {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            AnyAddr::V4(addr) => {
                let [a, b, c, d] = addr.octets();
                write!(out, "{a}.{b}.{c}.{d}")
            }
            AnyAddr::V6(addr) => v6(addr, out),
        }
    }
}

/// An endpoint: `192.0.2.1:80`, `[2001:db8::1]:80`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShownEnd(pub AnyEndpoint);

impl fmt::Display for ShownEnd {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Endpoint { addr, port } = self.0;
        let shown = Shown(addr);
        match addr {
            AnyAddr::V4(_) => write!(out, "{shown}:{port}"),
            AnyAddr::V6(_) => write!(out, "[{shown}]:{port}"),
        }
    }
}

fn v6(addr: Ipv6Addr, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    let gap = longest_gap(addr.segments());
    let mut colon = false;
    for (segment, place) in addr.segments().into_iter().zip(0..8) {
        match gap {
            Some((start, _)) if start == place => {
                out.write_str("::")?;
                colon = false;
            }
            Some((start, end)) if place > start && place < end => {}
            _ => {
                if colon {
                    out.write_str(":")?;
                }
                write!(out, "{segment:x}")?;
                colon = true;
            }
        }
    }
    Ok(())
}

/// The first of the longest runs of at least two zeros: start and end.
fn longest_gap(segments: [u16; 8]) -> Option<(usize, usize)> {
    let (mut best, mut run) = ((0, 0), (0, 0));
    for (segment, place) in segments.into_iter().zip(0..8_usize) {
        let end = place.saturating_add(1);
        run = match segment {
            0 => (run.0, end),
            _ => (end, end),
        };
        if len(run) > len(best) {
            best = run;
        }
    }
    (len(best) >= 2).then_some(best)
}

fn len((start, end): (usize, usize)) -> usize {
    end.saturating_sub(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::ToString;

    #[test]
    fn the_examples_of_rfc_5952() {
        for (given, shown) in [
            ("::", "::"),
            ("::1", "::1"),
            ("1::", "1::"),
            ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
            ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
            ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
            ("2001:db8:AAAA::0001", "2001:db8:aaaa::1"),
        ] {
            assert_eq!(Shown(given.parse().unwrap()).to_string(), shown);
        }
    }

    #[test]
    fn an_endpoint_has_brackets_around_an_ipv6_address() {
        let shown = |addr: &str| ShownEnd(Endpoint::new(addr.parse().unwrap(), 80)).to_string();
        assert_eq!(shown("192.0.2.1"), "192.0.2.1:80");
        assert_eq!(shown("2001:db8::1"), "[2001:db8::1]:80");
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(segments in prop::array::uniform8(prop_oneof![Just(0_u16), any::<u16>()])) {
            let addr = Ipv6Addr::from(segments);
            let text = Shown(addr.into()).to_string();
            prop_assert_eq!(text.parse::<Ipv6Addr>(), Ok(addr));
            // Short, as the library writes it too; it has a form of its own for embedded IPv4.
            if addr.to_ipv4().is_none() && addr.to_ipv4_mapped().is_none() {
                prop_assert_eq!(text, addr.to_string());
            }
        }
    }
}
