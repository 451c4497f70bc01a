// SPDX-License-Identifier: GPL-2.0

//! Messages for the families `IPVS`, `LVS` and `TOA`, right ones and wrong
//! ones, by who may and by who may not, with the state that they must lead to
//! kept beside the kernel's.
//!
//! ```text
//!   generate ── mutate ── bytes ──┬── core ── model ──── answer foretold ──┐
//!      │                          │             │                         same?
//!      └──── state of the model ──┼─────────────┤                          │
//!                                 └── kernel ───┼──────── answer given ────┘
//!                                               └─ the same, now and then: observe
//! ```
//!
//! With `--failures`: the same beside allocations that fail.
//!
//! A seed makes the same messages again, as long as the kernel does what is
//! foretold.

mod actor;
mod answer;
mod attrs;
mod core;
mod failures;
mod family;
mod fields;
mod generate;
mod message;
mod model;
mod mutate;
mod observe;
mod run;
mod socket;
mod tally;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use crate::{
    attrs::{number, split},
    core::Numbers,
    family::Family,
    message::{Message, ACK, REQUEST},
    run::{Outcome, Plan, Run},
    socket::{decode, Socket, What},
};

const USAGE: &str = "usage: lvs_messages [--seed S] [--count N] [--every M]
       lvs_messages --failures messages|files|connections|first-service|namespaces STEP|loading STEP MODULE FILE

Sends N messages (30000) to the families IPVS, LVS and TOA of this network namespace, which nobody else may change
meanwhile and which must have the addresses that selftests/lib/messages.sh gives it. After every M (100)
messages everything that is configured is compared with what it must be.

With --failures the 1st, 2nd, ... allocation of each operation fails (/proc/self/fail-nth, kernels with
FAULT_INJECTION), until there are no more; what is left must be whole.";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.as_slice() {
        [word] if word == "--worker" => actor::work().map_err(|error| error.to_string()),
        [word, rest @ ..] if word == "--failures" => failures::go(rest),
        words => plan(words).and_then(go),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn plan(words: &[String]) -> Outcome<Plan> {
    let mut plan = Plan {
        seed: 1,
        count: 30_000,
        every: 100,
    };
    for pair in words.chunks(2) {
        let [name, value] = pair else {
            return Err(USAGE.to_string());
        };
        let value: u64 = value.parse().map_err(|_| USAGE.to_string())?;
        match name.as_str() {
            "--seed" => plan.seed = value,
            "--count" => plan.count = value,
            "--every" if value > 0 => plan.every = value,
            _ => return Err(USAGE.to_string()),
        }
    }
    Ok(plan)
}

fn go(plan: Plan) -> Outcome {
    let mut run = Run::new(plan, numbers()?)?;
    run.run()?;
    println!("{}", run.tally);
    println!(
        "seed {}, {} messages, everything compared {} times",
        plan.seed, plan.count, run.compared
    );
    let missing = run.tally.missing();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!("the run proves too little: {}", missing.join(", ")))
    }
}

/// What the kernel calls the families here.
fn numbers() -> Outcome<Numbers> {
    let socket = Socket::open().map_err(|error| format!("no netlink socket: {error}"))?;
    let mut numbers = Family::ALL.map(|family| (family, 0));
    for (family, kind) in &mut numbers {
        *kind = resolve(&socket, family.name())?;
    }
    Ok(numbers)
}

/// The number that the kernel gave a family (`CTRL_CMD_GETFAMILY`).
fn resolve(socket: &Socket, name: &str) -> Outcome<u16> {
    const CONTROL: u16 = 0x10;
    const GET_FAMILY: u8 = 3;
    const ATTR_ID: u16 = 1;
    const ATTR_NAME: u16 = 2;
    let name_attr = message::attr(ATTR_NAME, format!("{name}\0"));
    let mut request = Message::new(Family::Lvs, GET_FAMILY, false, vec![name_attr]);
    request.flags = REQUEST | ACK;
    let told = socket
        .exchange(&request.encode(CONTROL, 1))
        .map_err(|error| error.to_string())?;
    for got in decode(&told)? {
        if let What::Data(data) = got.what {
            let (attrs, _) = split(&data);
            let id = attrs.iter().find(|(kind, _)| number(*kind) == ATTR_ID);
            let id = id.and_then(|(_, value)| value.first_chunk::<2>());
            return id
                .map(|id| u16::from_ne_bytes(*id))
                .ok_or(format!("{name} has no number"));
        }
    }
    Err(format!(
        "there is no netlink family {name}: load lvs and toa"
    ))
}
