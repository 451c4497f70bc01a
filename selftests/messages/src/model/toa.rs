// SPDX-License-Identifier: GPL-2.0

//! What toa.ko is set to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lvs_wire::netlink::toa::{attr, trusted};

use super::{nested, Refusal, Request, Verdict};
use crate::attrs::{number, split, Attrs, Policy, Strictness};

/// Kinds of TCP options, and who may send them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Toa {
    pub(crate) kinds: Vec<u8>,
    /// In the order in which they were added; none is everybody.
    pub(crate) trusted: Vec<(IpAddr, u8)>,
}

const POLICY: [Policy; 3] = [Policy::None, Policy::Binary(16), Policy::Number(1)];
/// Most sources.
const MOST: usize = 32;

impl Toa {
    /// All that a request asks for, or nothing of it.
    pub(super) fn change(&mut self, request: &Request<'_>) -> Verdict {
        let kinds = request.attrs.bytes(attr::KINDS);
        kinds.map(check_kinds).transpose()?;
        let mut list = if request.attrs.has(attr::TRUSTED_RESET) {
            Vec::new()
        } else {
            self.trusted.clone()
        };
        let (all, _) = split(request.body);
        for (_, nest) in all
            .iter()
            .filter(|(kind, _)| number(*kind) == attr::TRUSTED)
        {
            let source = source(&nested(nest, &POLICY, Strictness::Strict)?)?;
            if list.contains(&source) {
                continue;
            }
            if list.len() == MOST {
                return Err(Refusal::said(libc::ENOSPC, "at most 32 trusted sources"));
            }
            list.push(source);
        }
        self.trusted = list;
        if let Some(kinds) = kinds {
            self.kinds = kinds.to_vec();
        }
        Ok(())
    }
}

fn check_kinds(kinds: &[u8]) -> Verdict {
    let refused = |text| Err(Refusal::said(libc::EINVAL, text));
    for (place, kind) in kinds.iter().enumerate() {
        // TCP's own, MD5, AO, MPTCP, Fast Open and AccECN.
        if matches!(kind, 0..=8 | 19 | 29 | 30 | 34 | 172 | 174) {
            return refused("TCP itself uses this option kind");
        }
        if kinds[place + 1..].contains(kind) {
            return refused("the same option kind twice");
        }
    }
    if kinds.is_empty() {
        return refused("no option kind");
    }
    Ok(())
}

fn source(attrs: &Attrs<'_>) -> Verdict<(IpAddr, u8)> {
    let bytes = attrs.bytes(trusted::ADDR).unwrap_or_default();
    let addr: IpAddr = match bytes.len() {
        4 => bytes
            .first_chunk::<4>()
            .map(|four| Ipv4Addr::from(*four).into()),
        16 => bytes
            .first_chunk::<16>()
            .map(|all| Ipv6Addr::from(*all).to_canonical()),
        _ => None,
    }
    .ok_or(Refusal::said(
        libc::EINVAL,
        "a trusted source has an address of 4 or 16 bytes",
    ))?;
    let most = if addr.is_ipv4() { 32 } else { 128 };
    let prefix = attrs.u8(trusted::PREFIX).unwrap_or(most);
    if prefix > most {
        return Err(Refusal::said(
            libc::EINVAL,
            "the prefix is longer than the address",
        ));
    }
    Ok((addr, prefix))
}
