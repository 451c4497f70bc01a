// SPDX-License-Identifier: GPL-2.0

//! kapi_test.ko: what of `lvs_kapi` neither lvs.ko nor toa.ko can show. For
//! `selftests/cases/kapi.sh` alone.
//!
//! - The netlink family `KAPI_TEST` tells its group what it is asked to tell.
//! - Values that let go of others when they are freed are left when the module
//!   goes.
//! - With `leak=1` a notifier is forgotten.
//! - Parts that are not in the module's own memory are refused, and so is
//!   what is registered before parts stand.

#![deny(unsafe_code)]

use core::mem::forget;
use kernel::{prelude::*, InPlaceModule};
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
            description: "1: forget something that the kernel calls",
        },
    },
}

#[pin_data]
struct KapiTest {
    #[pin]
    parts: Parts<Standing>,
}

impl InPlaceModule for KapiTest {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        let early = DeviceNotifier::<Heard>::new().err();
        try_pin_init!(Self {
            parts <- Parts::new(move || Standing::new(early)),
        })
    }
}

struct Standing {
    _family: genl::Registration<Telling>,
    _chain: Option<Boxed<Link>>,
}

impl Standing {
    fn new(early: Option<Error>) -> Result<Self> {
        if early != Some(EPERM) {
            pr_err!("something is registered that nobody waits for\n");
            return Err(EDOM);
        }
        let elsewhere = KBox::try_pin_init(Parts::new(|| Ok(())), GFP_KERNEL);
        if elsewhere.err() != Some(EINVAL) {
            pr_err!("parts stand where nobody drops them\n");
            return Err(EDOM);
        }
        let mut chain = None;
        for _ in 0..LINKS {
            chain = Some(Boxed::new(Link(chain), Gfp::Kernel)?);
        }
        if parameter::<u32>(module_parameters::leak.value()) != 0 {
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
