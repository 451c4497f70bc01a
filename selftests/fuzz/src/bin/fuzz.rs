// SPDX-License-Identifier: GPL-2.0

//! libFuzzer on the target that `LVS_FUZZ_TARGET` names.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use lvs_fuzz::Target;

static TARGET: OnceLock<&Target> = OnceLock::new();

fuzz_target!(init: choose(), |data: &[u8]| {
    if let Some(target) = TARGET.get() {
        (target.run)(data);
    }
});

fn choose() {
    let name = std::env::var("LVS_FUZZ_TARGET").unwrap_or_default();
    let Some(target) = Target::named(&name) else {
        eprintln!("LVS_FUZZ_TARGET is `{name}', which is no target");
        std::process::exit(1);
    };
    TARGET.get_or_init(|| target);
}
