// SPDX-License-Identifier: GPL-2.0

//! Allocations that fail: of each operation the first, the second, and so on,
//! until it succeeds with none. It is then either done or not begun, and says so.
//!
//! Kernels built with FAULT_INJECTION alone can do that.

mod connections;
mod files;
mod fixture;
mod loading;
mod messages;
mod namespaces;
mod nth;
mod requests;

use std::collections::BTreeMap;

use crate::{run::Outcome, tally::errno_name};
use nth::{Injection, Lack, Nth};

/// More than any operation makes.
const MOST: u32 = 100_000;

/// What came of an operation with a failure in it, or without.
pub(crate) struct Seen {
    injection: Injection,
    /// The error number that its caller saw; 0 is success.
    errno: i32,
}

/// Allocations are failed one after another.
pub(crate) struct Walk {
    nth: Nth,
    /// Which are left out between two: 1 is none.
    step: u32,
    /// How many failed, of all operations.
    failed: u64,
}

impl Walk {
    /// Fails the allocations of `once`, which does the operation with the one
    /// whose number it gets, alone or with all after it, and checks what is
    /// left of it.
    fn operation(
        &mut self,
        name: &str,
        mut once: impl FnMut(&Nth, (u32, Lack)) -> Outcome<Seen>,
    ) -> Outcome {
        self.walk(name, Lack::Once, &mut once)?;
        self.walk(name, Lack::FromThenOn, &mut once)
    }

    /// As [`Self::operation`], of what is mostly the kernel's own: with a lack
    /// that lasts it would be its way back that is tried.
    fn once(
        &mut self,
        name: &str,
        mut once: impl FnMut(&Nth, (u32, Lack)) -> Outcome<Seen>,
    ) -> Outcome {
        self.walk(name, Lack::Once, &mut once)
    }

    fn walk(
        &mut self,
        name: &str,
        lack: Lack,
        once: &mut impl FnMut(&Nth, (u32, Lack)) -> Outcome<Seen>,
    ) -> Outcome {
        let (mut counts, mut n) = (BTreeMap::<i32, u64>::new(), 1);
        loop {
            let seen = once(&self.nth, (n, lack))
                .map_err(|error| format!("{name}, allocation {n} fails, {lack:?}: {error}"))?;
            if seen.injection == Injection::NotReached {
                break;
            }
            self.failed += 1;
            *counts.entry(seen.errno).or_default() += 1;
            n += self.step;
            if n > MOST {
                return Err(format!("{name}: there is no end of allocations"));
            }
        }
        let each = counts
            .iter()
            .map(|(errno, count)| format!("{} {count}", errno_name(*errno)));
        let each: Vec<_> = each.collect();
        println!(
            "{name}, {lack:?}: {} failed, and then: {}",
            counts.values().sum::<u64>(),
            each.join(", ")
        );
        Ok(())
    }
}

/// Whether an error number says that memory was missing, as the kernel's core has it.
fn is_no_memory(errno: i32) -> bool {
    matches!(errno, libc::ENOMEM | libc::ENOBUFS)
}

fn number(step: &str) -> Outcome<u32> {
    step.parse()
        .map_err(|_| "the step is no number".to_string())
}

/// One group of operations, by its name, and what it wants to know.
pub(crate) fn go(words: &[String]) -> Outcome {
    let nth =
        Nth::open().map_err(|error| format!("this kernel cannot fail allocations: {error}"))?;
    let mut walk = Walk {
        nth,
        step: 1,
        failed: 0,
    };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["messages"] => messages::all(&mut walk)?,
        ["files"] => files::all(&mut walk)?,
        ["connections"] => connections::all(&mut walk)?,
        ["first-service", step] => {
            walk.step = number(step)?;
            namespaces::first_service(&mut walk)?;
        }
        ["namespaces", step] => {
            walk.step = number(step)?;
            namespaces::created(&mut walk)?;
        }
        ["loading", step, name, file] => {
            walk.step = number(step)?;
            loading::loaded(&mut walk, name, file)?;
        }
        _ => return Err("there is no such group of operations".to_string()),
    }
    if walk.failed == 0 {
        return Err("no allocation failed: the run proves nothing".to_string());
    }
    println!("{} allocations failed", walk.failed);
    Ok(())
}
