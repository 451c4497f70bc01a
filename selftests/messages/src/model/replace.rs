// SPDX-License-Identifier: GPL-2.0

//! A whole set of services in place of another.

use lvs_engine::config::ConfigError;
use lvs_wire::netlink::lvs::{attr, rule};

use super::{dests, locals, named, services, Key, Refusal, Request, State, Verdict};
use crate::attrs::{number, split, Attrs, Policy, Strictness};

const POLICY: [Policy; 5] = [
    Policy::None,
    Policy::Nest,
    Policy::Nest,
    Policy::Nest,
    Policy::Number(4),
];

impl State {
    /// All rules of a message, or none of them.
    pub(super) fn replace(&mut self, request: &Request<'_>) -> Verdict {
        let others = [attr::SERVICE, attr::LADDR, attr::FILTER];
        if others.iter().any(|number| request.attrs.has(*number)) {
            let text = "A set is made of rules alone.";
            return Err(Refusal::said(libc::EINVAL, text));
        }
        let mut next = Self {
            services: Vec::new(),
            pools: locals::Pools::new(),
            ..self.clone()
        };
        let (all, _) = split(request.body);
        for (_, payload) in all.iter().filter(|(kind, _)| number(*kind) == attr::RULE) {
            next.add_rule(&named(payload, &POLICY, Strictness::Strict)?, self)?;
        }
        next.keep_places(self);
        *self = next;
        Ok(())
    }

    fn add_rule(&mut self, attrs: &Attrs<'_>, old: &Self) -> Verdict {
        let (service, dest) = (attrs.bytes(rule::SERVICE), attrs.bytes(rule::DEST));
        match (service, dest, attrs.bytes(rule::LADDR), attrs.u32(rule::FLAGS)) {
            (service, None, None, flags) => {
                let service = service.ok_or(ConfigError::ServiceMissing)?;
                let request = services::rule(service)?;
                let masq_only = services::masq_only(flags.unwrap_or(0))?;
                self.add(&request, masq_only)
            }
            (service, Some(dest), None, None) => {
                let dest = dests::rule(dest)?;
                let service = service.ok_or(ConfigError::ServiceMissing)?;
                let key = services::rule_owner(service)?.key()?;
                let service = self.service_mut(&key);
                let service = service.ok_or(ConfigError::ServiceUnknown)?;
                dests::add(service, dest, old.service(&key))
            }
            (owner, None, Some(local), None) => {
                let local = locals::rule(local)?;
                let owner = owner.map(services::rule_owner).transpose()?;
                let local = locals::config(&local)?;
                let owner: Option<Key> = owner.map(|owner| owner.key()).transpose()?;
                self.put_local(owner, local)
            }
            _ => Err(Refusal::said(
                libc::EINVAL,
                "A rule adds a service with its flags, a destination, or a local address: one of them.",
            )),
        }
    }

    /// What there was before comes first in listings, in its order.
    fn keep_places(&mut self, old: &Self) {
        fn sort<T, K: PartialEq>(new: &mut [T], old: &[T], key: impl Fn(&T) -> K) {
            new.sort_by_key(|item| {
                let place = old.iter().position(|other| key(other) == key(item));
                place.unwrap_or(usize::MAX)
            });
        }
        sort(&mut self.services, &old.services, |service| {
            service.key.clone()
        });
        for service in &mut self.services {
            if let Some(old) = old.service(&service.key) {
                sort(&mut service.dests, &old.dests, |dest| {
                    (dest.addr, dest.port)
                });
            }
        }
        for (owner, pool) in &mut self.pools {
            if let Some(old) = old.pools.get(owner) {
                sort(pool, old, |local| local.addr);
            }
        }
    }
}
