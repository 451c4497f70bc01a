// SPDX-License-Identifier: GPL-2.0

//! kapi_test.ko: what of `lvs_kapi` neither lvs.ko nor toa.ko can show. For
//! `selftests/cases/kapi.sh` alone.
//!
//! - The netlink family `KAPI_TEST` tells its group what it is asked to tell.
//! - Values that let go of others when they are freed are left when the module
//!   goes.
//! - With `leak=1` a notifier is forgotten, with `leak=2` all parts are.
//! - What is registered before parts stand is refused, and so are others
//!   beside them.

#![deny(unsafe_code)]

use core::mem::forget;
use kernel::prelude::*;
use lvs_kapi::{
    cursor::Cursor,
    errno::eopnotsupp,
    genl::{
        self, Does, Dump, Family, Halt, Handler, Op, Policy, Refusal, Request, Right, Strictness,
    },
    gfp::Gfp,
    module::{parameter, Parts},
    notifier::{Device, DeviceEvent, DeviceEvents, DeviceNotifier},
    rcu::Boxed,
};

module! {
    type: KapiTest,
    name: "kapi_test",
    authors: ["The LVS authors"],
    description: "Shows what lvs.ko and toa.ko do not",
    license: "GPL",
    params: {
        leak: u32 {
            default: 0,
            description: "1: forget something that the kernel calls; 2: forget everything",
        },
    },
}

struct KapiTest(#[expect(dead_code, reason = "held for its drop")] Option<Parts<Standing>>);

impl kernel::Module for KapiTest {
    fn init(_: &'static ThisModule) -> Result<Self> {
        if DeviceNotifier::<Heard>::new().err() != Some(EPERM) {
            pr_err!("something is registered that nobody waits for\n");
            return Err(EDOM);
        }
        let parts = Parts::new(Standing::new)?;
        if Parts::new(|| Ok(())).err() != Some(EBUSY) {
            pr_err!("there are parts beside the parts\n");
            return Err(EDOM);
        }
        if leak() == Leak::Parts {
            forget(parts);
            return Ok(Self(None));
        }
        Ok(Self(Some(parts)))
    }
}

/// What is to be forgotten.
#[derive(PartialEq, Eq)]
enum Leak {
    Nothing,
    Notifier,
    Parts,
}

fn leak() -> Leak {
    match parameter::<u32>(module_parameters::leak.value()) {
        0 => Leak::Nothing,
        1 => Leak::Notifier,
        _ => Leak::Parts,
    }
}

struct Standing {
    _family: genl::Registration<Telling>,
    _chain: Option<Boxed<Link>>,
}

impl Standing {
    fn new() -> Result<Self> {
        let mut chain = None;
        for _ in 0..LINKS {
            chain = Some(Boxed::new(Link(chain), Gfp::Kernel)?);
        }
        if leak() == Leak::Notifier {
            forget(DeviceNotifier::<Heard>::new()?);
        }
        Ok(Self {
            _family: FAMILY.register()?,
            _chain: chain,
        })
    }
}

/// Each is freed a grace period after the one before it.
const LINKS: u32 = 24;

/// A value that lets go of another one when it is freed.
struct Link(#[expect(dead_code, reason = "held for its drop")] Option<Boxed<Link>>);

struct Heard;

impl DeviceEvents for Heard {
    fn event(_: &Device, event: DeviceEvent) {
        if event == DeviceEvent::Register {
            pr_info!("a device is there\n");
        }
    }
}

static FAMILY: Family<Telling> = Family::new();

/// A family with one command: `TELL`, a number and a group.
struct Telling;

const TELL: u8 = 1;
const NUMBER: u16 = 1;
const GROUP: u16 = 2;

impl Handler for Telling {
    const NAME: &'static str = "KAPI_TEST";
    const VERSION: u8 = 1;
    const POLICY: &'static [Policy] = &[Policy::NONE, Policy::U32, Policy::U8];
    const OPS: &'static [Op] = &[Op {
        command: TELL,
        does: Does::Do,
        right: Right::Admin,
        strictness: Strictness::Strict,
    }];
    const GROUPS: &'static [&'static str] = &["first", "second"];

    fn doit(request: &Request<'_>) -> Result<(), Refusal> {
        let attrs = request.attrs();
        let (number, group) = attrs.u32(NUMBER).zip(attrs.u8(GROUP)).ok_or(EINVAL)?;
        request.notify(group, TELL, |out| out.u32(NUMBER, number))?;
        Ok(())
    }

    fn dumpit(_: &Request<'_>, _: &mut Cursor, _: &mut Dump<'_>) -> Result<(), Halt> {
        Err(Refusal::from(eopnotsupp()).into())
    }
}
