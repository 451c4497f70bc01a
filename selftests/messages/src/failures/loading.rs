// SPDX-License-Identifier: GPL-2.0

//! A module is loaded, or nothing of it is there.

use std::{ffi::CString, fs::File, path::Path, thread::sleep, time::Duration};

use nix::kmod::{delete_module, finit_module, DeleteModuleFlags, ModuleInitFlags};

use crate::{run::Outcome, tally::errno_name};

use super::{is_no_memory, Seen, Walk};

/// How often it is tried to unload what is on its way out.
const TRIES: u32 = 100;

/// The module `name`, which is in `file` and not loaded.
pub(super) fn loaded(walk: &mut Walk, name: &str, file: &str) -> Outcome {
    let module = File::open(file).map_err(|error| format!("{file}: {error}"))?;
    walk.once(&format!("loading {name}"), |nth, n| {
        let load = || finit_module(&module, c"", ModuleInitFlags::empty());
        let (done, injection) = nth.fail(n, load).map_err(|error| error.to_string())?;
        let errno = done.err().map_or(0, |errno| errno as i32);
        let is_there = Path::new("/sys/module").join(name).exists();
        match errno {
            0 if is_there => unload(name)?,
            0 => return Err("it is not there".to_string()),
            errno if !is_no_memory(errno) => return Err(errno_name(errno)),
            _ if is_there => return Err("it is there though it could not be loaded".to_string()),
            _ => {}
        }
        Ok(Seen { injection, errno })
    })
}

fn unload(name: &str) -> Outcome {
    let c_name = CString::new(name).map_err(|error| error.to_string())?;
    for _ in 0..TRIES {
        match delete_module(&c_name, DeleteModuleFlags::O_NONBLOCK) {
            Ok(()) => return Ok(()),
            Err(nix::errno::Errno::EAGAIN) => sleep(Duration::from_millis(10)),
            Err(errno) => return Err(format!("it cannot be unloaded: {errno}")),
        }
    }
    Err("it cannot be unloaded: it is in use".to_string())
}
