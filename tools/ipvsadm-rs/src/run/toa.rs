// SPDX-License-Identifier: GPL-2.0

//! toa.ko on this machine.

use super::output::Output;
use crate::args::request::Format;
use crate::failure::Failure;
use crate::kernel::ToaModule;
use crate::model::toa::ToaChange;
use crate::show::{json, toa};
use crate::socket::Transport;

/// Changes settings if there are changes, else shows everything.
pub(super) fn run(
    transport: &mut dyn Transport,
    change: &ToaChange,
    format: Format,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let mut module = ToaModule::connect(transport)?;
    if *change != ToaChange::default() {
        return module.change(change);
    }
    let state = module.read()?;
    output.text(&if format.json {
        json::text(&json::toa(&state))
    } else {
        toa::table(&state)
    })
}
