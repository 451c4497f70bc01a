// SPDX-License-Identifier: GPL-2.0

//! `ipvsadm-rs`: stock `ipvsadm` 1.31's syntax and output for lvs and for
//! stock ip_vs, and FULLNAT, local addresses, drop reasons, JSON, `who` and
//! `toa` besides.
//!
//! Layers, each using only those before it: `model` (values), `nl` (messages
//! as bytes), `socket`, `kernel` (questions and answers), `names`, `args`,
//! `rules`, `show` (text and JSON), `run`.
//!
//! Netlink goes through `netlink-sys` and `netlink-packet-core` of the
//! rust-netlink project: a plain blocking socket with extended acks and safe
//! header and attribute views, without threads, async or derive macros.
#![forbid(unsafe_code)]

mod args;
mod failure;
mod kernel;
mod model;
mod names;
mod nl;
mod rules;
mod run;
mod show;
mod socket;

use std::io::{self, Write};
use std::process::ExitCode;

use failure::Failure;
use run::Streams;

fn main() -> ExitCode {
    let mut args = std::env::args_os();
    let program = args
        .next()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_else(|| "ipvsadm-rs".into());
    let words: Result<Vec<String>, _> = args.map(|word| word.into_string()).collect();
    let result = match words {
        Ok(words) => run::run(
            &program,
            &words,
            Streams {
                input: &mut io::stdin().lock(),
                output: &mut io::stdout().lock(),
                errors: &mut io::stderr(),
            },
        ),
        Err(word) => Err(Failure::usage(format!(
            "The argument `{}` is not valid UTF-8: names and addresses are plain text.",
            word.to_string_lossy()
        ))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => end(&failure),
    }
}

fn end(failure: &Failure) -> ExitCode {
    if !failure.text.is_empty() {
        // Nothing is left to do about a standard error that is closed.
        let _ = writeln!(io::stderr(), "{}", failure.text);
    }
    ExitCode::from(failure.status)
}
