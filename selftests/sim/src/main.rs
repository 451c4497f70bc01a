// SPDX-License-Identifier: GPL-2.0

//! Runs seeds, planted faults and named seeds, and says what came of them.

mod named;

use lvs_sim::{run, Config, Planted, Tally};
use named::NAMED;
use std::process::ExitCode;

const USAGE: &str = "usage: sim seeds N | seed X | named | planted

  seeds N    seeds 1 to N, what happened in them, and the first one again, which has to be the same run
  seed X     one, and what happened in it
  named      seeds that found something once
  planted    directors with a fault each, which has to be found";

/// Failures that are reported.
const ENOUGH: u32 = 3;

/// Seeds that a planted fault has to be found in.
const TRIES: u64 = 12;

/// What has to happen in many seeds, or they would leave something out.
const ALL_OF: [&str; 27] = [
    "bytes read by servers",
    "changes: clock set back",
    "changes: local address added",
    "changes: local address removed",
    "changes: server brought back",
    "changes: server quiesced",
    "changes: server removed",
    "choices of a server held against its scheduler's rule",
    "director: connections Evicted",
    "director: connections Expired",
    "director: connections Restarted",
    "director: tables that have grown",
    "dropped: destination_gone",
    "dropped: no_destination",
    "dropped: no_local_address",
    "dropped: ports_exhausted",
    "hosts: ICMP errors about a connection that is there",
    "network: damaged",
    "network: doubled",
    "network: late",
    "network: lost",
    "new connections whose ports a server may remember",
    "opened: Droute TCP v6 to v6",
    "opened: Fullnat TCP v6 to v4",
    "opened: Fullnat UDP v6 to v4",
    "opened: Nat TCP v6 to v6",
    "silent connections of whose reset both ends know",
];
const MANY: u64 = 100;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // What panics is told in the report of its run.
    std::panic::set_hook(Box::new(|_| ()));
    let number = words.get(1).and_then(|word| word.parse::<u64>().ok());
    let failed = match (&words[..], number) {
        (["seeds", _], Some(number @ 1..)) => seeds(number),
        (["seed", _], Some(number)) => seed(number),
        (["named"], None) => named(),
        (["planted"], None) => planted(),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    ExitCode::from(u8::from(failed > 0))
}

/// Seeds 1 to `last`; how many things are wrong.
fn seeds(last: u64) -> u32 {
    let mut all = Tally::default();
    let (mut passed, mut failed) = (0_u64, 0);
    let mut first = None;
    for seed in 1..=last {
        match run(seed, Config::FULL) {
            Ok(run) => {
                passed += 1;
                all.merge(&run.tally);
                first.get_or_insert((seed, run.trace));
            }
            Err(failure) => {
                failed += 1;
                println!("{failure}\n");
                if failed == ENOUGH {
                    break;
                }
            }
        }
    }
    print!("{all}");
    for what in ALL_OF
        .iter()
        .filter(|what| passed >= MANY && all.of(what) == 0)
    {
        println!("it never happened: {what}");
        failed += 1;
    }
    if let Some((seed, trace)) = first {
        let again = run(seed, Config::FULL).map(|run| run.trace);
        if again.as_ref().ok() == Some(&trace) {
            println!("ok      seed {seed} twice is one run: {trace:016x}");
        } else {
            println!("FAILED  seed {seed} twice is {trace:016x} and {again:x?}");
            failed += 1;
        }
    }
    println!("{}  {passed} seeds passed", verdict(failed == 0));
    failed
}

fn seed(number: u64) -> u32 {
    match run(number, Config::FULL) {
        Ok(run) => {
            print!("{}", run.tally);
            println!("ok      seed {number}: {:016x}", run.trace);
            0
        }
        Err(failure) => {
            println!("{failure}");
            1
        }
    }
}

fn named() -> u32 {
    let mut failed = 0;
    for (name, seed, found) in NAMED {
        let done = run(seed, Config::FULL);
        println!(
            "{}  named {name}, seed {seed}: {found}",
            verdict(done.is_ok())
        );
        if let Err(failure) = done {
            println!("{failure}\n");
            failed += 1;
        }
    }
    failed
}

/// Each planted fault has to be found, and by the check that is for it.
fn planted() -> u32 {
    let mut failed = 0;
    for (planted, words) in Planted::ALL {
        let config = Config {
            planted: Some(planted),
            ..Config::FULL
        };
        let found = (1..=TRIES).find_map(|seed| Some((seed, run(seed, config).err()?)));
        let Some((seed, failure)) = found else {
            println!("FAILED  planted {planted:?}: not found in {TRIES} seeds");
            failed += 1;
            continue;
        };
        let (what, event) = failure.what();
        let right = what.contains(words);
        println!(
            "{}  planted {planted:?}: seed {seed}, event {event}: {what:.160}",
            verdict(right)
        );
        failed += u32::from(!right);
    }
    failed
}

fn verdict(right: bool) -> &'static str {
    match right {
        true => "ok    ",
        false => "FAILED",
    }
}
