// SPDX-License-Identifier: GPL-2.0

//! The netlink family `TOA`: counters for anyone, settings for who
//! administrates the namespace. `Documentation/netlink/specs/toa.yaml`.

use crate::{
    counters::Counter,
    namespace::{Namespace, NAMESPACES},
    trusted::{Prefix, Refused, Trusted},
};
use kapi::{
    cursor::Cursor,
    errno::eopnotsupp,
    genl::{
        self, Attrs, Does, Dump, Halt, Op, Policy, Refusal, Request, Right, Strictness, Writer,
    },
};
use kernel::{prelude::*, sync::Arc};
use lvs_kapi as kapi;
use lvs_wire::{
    addr::{AnyAddr, Family},
    kinds::{KindError, KindSet},
    netlink::toa::{self, attr, cmd, counter, trusted},
};

/// The family; registered while the module is loaded.
pub(crate) static FAMILY: genl::Family<Toa> = genl::Family::new();

/// The family `TOA`.
pub(crate) struct Toa;

const TOP: [Policy; attr::MAX as usize + 1] = {
    let mut policy = [Policy::NONE; attr::MAX as usize + 1];
    policy[attr::KINDS as usize] = Policy::binary(KindSet::MAX as u16);
    policy[attr::TRUSTED as usize] = Policy::NEST;
    policy[attr::TRUSTED_RESET as usize] = Policy::FLAG;
    policy
};

static TRUSTED: [Policy; trusted::MAX as usize + 1] = {
    let mut policy = [Policy::NONE; trusted::MAX as usize + 1];
    policy[trusted::ADDR as usize] = Policy::binary(16);
    policy[trusted::PREFIX as usize] = Policy::U8;
    policy
};

const fn operation(command: u8, right: Right) -> Op {
    Op {
        command,
        does: Does::Do,
        right,
        strictness: Strictness::Strict,
    }
}

impl genl::Handler for Toa {
    const NAME: &'static str = toa::NAME;
    const VERSION: u8 = toa::VERSION;
    const POLICY: &'static [Policy] = &TOP;
    const OPS: &'static [Op] = &[
        operation(cmd::GET_STATS, Right::Anyone),
        operation(cmd::GET_CONFIG, Right::Anyone),
        operation(cmd::SET_CONFIG, Right::NamespaceAdmin),
    ];

    fn doit(request: &Request<'_>) -> Result<(), Refusal> {
        let namespace = NAMESPACES.find(request.net()).ok_or(Refusal::new(
            ENODEV,
            c"this network namespace is going away",
        ))?;
        match request.command() {
            cmd::GET_STATS => request.reply(cmd::GET_STATS, |out| stats(&namespace, out)),
            cmd::GET_CONFIG => request.reply(cmd::GET_CONFIG, |out| config(&namespace, out)),
            cmd::SET_CONFIG => set_config(request, &namespace),
            _ => Err(eopnotsupp().into()),
        }
    }

    fn dumpit(_: &Request<'_>, _: &mut Cursor, _: &mut Dump<'_>) -> Result<(), Halt> {
        Err(Refusal::from(eopnotsupp()).into())
    }
}

fn stats(namespace: &Namespace, out: &mut Writer<'_>) -> Result {
    let values = namespace.counters.sum();
    for (which, value) in Counter::ALL.iter().zip(values) {
        out.nest(attr::COUNTER, |out| {
            out.string(counter::NAME, which.name())?;
            out.bytes(counter::VALUE, &value.to_ne_bytes())?;
            out.string(counter::HINT, which.hint())
        })?;
    }
    out.u32(attr::ENTRIES, namespace.live())
}

fn config(namespace: &Namespace, out: &mut Writer<'_>) -> Result {
    let mut kinds = [0; KindSet::MAX];
    let mut count = 0_usize;
    for (slot, kind) in kinds.iter_mut().zip(namespace.kinds().iter()) {
        *slot = kind;
        count = count.saturating_add(1);
    }
    out.bytes(attr::KINDS, kinds.get(..count).unwrap_or_default())?;
    // A copy: the list is read in an RCU section, writing may not.
    let trusted = namespace.with_trusted(|trusted| trusted.copied());
    for prefix in trusted.unwrap_or_default().iter() {
        out.nest(attr::TRUSTED, |out| {
            match prefix.addr {
                AnyAddr::V4(addr) => out.bytes(trusted::ADDR, &addr.octets())?,
                AnyAddr::V6(addr) => out.bytes(trusted::ADDR, &addr.octets())?,
            }
            out.u8(trusted::PREFIX, prefix.len)
        })?;
    }
    Ok(())
}

/// Everything is looked at before anything is changed.
fn set_config(request: &Request<'_>, namespace: &Arc<Namespace>) -> Result<(), Refusal> {
    let attrs = request.attrs();
    let kinds = attrs.bytes(attr::KINDS).map(kinds).transpose()?;
    let reset = attrs.has(attr::TRUSTED_RESET);
    if reset || attrs.has(attr::TRUSTED) {
        namespace.change_trusted(|old| -> Result<Trusted, Refusal> {
            let mut list = if reset { None } else { old.copied() }.unwrap_or_default();
            for nest in request.each(attr::TRUSTED) {
                let source = prefix(&request.nest(nest, &TRUSTED, Strictness::Strict)?)?;
                list.add(source).map_err(refused)?;
            }
            Ok(list)
        })?;
    }
    if let Some(kinds) = kinds {
        namespace.set_kinds(kinds);
    }
    Ok(())
}

fn kinds(bytes: &[u8]) -> Result<KindSet, Refusal> {
    let kinds = KindSet::new(bytes).map_err(|error| match error {
        KindError::TooMany => Refusal::new(EINVAL, c"at most four option kinds"),
        KindError::Reserved(_) => Refusal::new(EINVAL, c"TCP itself uses this option kind"),
        KindError::Duplicate(_) => Refusal::new(EINVAL, c"the same option kind twice"),
    })?;
    match kinds.is_empty() {
        true => Err(Refusal::new(EINVAL, c"no option kind")),
        false => Ok(kinds),
    }
}

fn prefix(attrs: &Attrs<'_>) -> Result<Prefix, Refusal> {
    const ADDRESS: Refusal =
        Refusal::new(EINVAL, c"a trusted source has an address of 4 or 16 bytes");
    let bytes = attrs.bytes(trusted::ADDR).ok_or(ADDRESS)?;
    let family = if bytes.len() == 4 {
        Family::V4
    } else {
        Family::V6
    };
    let addr = family.read(bytes).ok_or(ADDRESS)?;
    // As the segments' sources are written.
    let addr = addr.to_canonical();
    let whole = if addr.is_ipv4() { 32 } else { 128 };
    let len = attrs.u8(trusted::PREFIX).unwrap_or(whole);
    Ok(Prefix { addr, len })
}

fn refused(why: Refused) -> Refusal {
    match why {
        Refused::Prefix => Refusal::new(EINVAL, c"the prefix is longer than the address"),
        Refused::Full => Refusal::new(ENOSPC, c"at most 32 trusted sources"),
    }
}
