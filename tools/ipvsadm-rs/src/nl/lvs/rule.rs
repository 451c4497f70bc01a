// SPDX-License-Identifier: GPL-2.0

//! A set of services in the family `LVS`.

use lvs_wire::netlink::lvs::{attr, laddr, laddr_flags, rule as id, svc_flags};

use crate::model::rule::SetRule;
use crate::model::service::Family;
use crate::nl::builder::Builder;
use crate::nl::ipvs::{dest, service};

/// Adds a rule to the attributes of `REPLACE`.
pub(crate) fn add(b: &mut Builder, rule: &SetRule<'_>) {
    b.nest(attr::RULE, |n| match rule {
        SetRule::Service(key, settings, masq_only) => {
            n.nest(id::SERVICE, |n| service::encode_full(n, key, settings));
            if *masq_only {
                n.u32(id::FLAGS, svc_flags::MASQ_ONLY);
            }
        }
        SetRule::Dest(owner, key, settings) => {
            n.nest(id::SERVICE, |n| service::encode_key(n, owner));
            n.nest(id::DEST, |n| dest::encode_full(n, key, settings));
        }
        SetRule::Local(owner, addr, dedicated) => {
            if let Some(owner) = owner {
                n.nest(id::SERVICE, |n| service::encode_key(n, owner));
            }
            n.nest(id::LADDR, |n| {
                n.u16(laddr::AF, Family::of(*addr).number());
                n.addr(laddr::ADDR, *addr);
                if *dedicated {
                    n.u32(laddr::FLAGS, laddr_flags::DEDICATED);
                }
            });
        }
    });
}
