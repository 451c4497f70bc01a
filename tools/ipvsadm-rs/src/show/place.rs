// SPDX-License-Identifier: GPL-2.0

//! Addresses and ports as text.

use std::net::IpAddr;

use crate::model::service::Protocol;
use crate::names::Names;

/// Stock's buffer for an address and a port holds this many bytes.
const LONGEST: usize = 59;

/// Writes addresses and ports, as numbers or as names.
#[derive(Clone, Copy)]
pub(crate) struct Namer<'a> {
    /// Whom to ask for names.
    pub(crate) names: &'a dyn Names,
}

impl Namer<'_> {
    /// `address:port`, `[address]:port` for IPv6.
    pub(crate) fn place(&self, addr: IpAddr, port: u16, protocol: Protocol) -> String {
        let host = self.names.host(addr).unwrap_or_else(|| addr.to_string());
        let service = self
            .names
            .service(port, protocol)
            .unwrap_or_else(|| port.to_string());
        let text = match addr {
            IpAddr::V4(_) => format!("{host}:{service}"),
            IpAddr::V6(_) => format!("[{host}]:{service}"),
        };
        cut(text, LONGEST)
    }
}

/// The first bytes of a text, never half a character.
pub(crate) fn cut(mut text: String, longest: usize) -> String {
    if text.len() > longest {
        let end = (0..=longest).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or_default());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_between_characters() {
        assert_eq!(cut("abc".into(), 5), "abc");
        assert_eq!(cut("abcdef".into(), 5), "abcde");
        assert_eq!(cut("abcdä".into(), 5), "abcd");
    }
}
