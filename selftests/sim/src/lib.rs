// SPDX-License-Identifier: GPL-2.0

//! A deterministic simulation of the load balancer's pure crates.
//!
//! ```text
//!  clients ──┐                            ┌── servers
//!  (talk,    │   ┌──────────────────┐     │   (host, tcp)
//!   host,    ├──►│ director         │◄────┤
//!   tcp)     │   │ engine+wire+table│     │   network: loses, doubles, reorders,
//!            │   └────────┬─────────┘     │            delays, damages
//!  ──────────┴── network ─┼───────────────┴──────────
//!                         │ notes
//!                    oracle: what may be
//! ```
//!
//! One seed is one run: the order of events, all randomness and the clock come
//! from it. Nothing of what is tested is in what judges it: packets of the ends
//! are written and read by `inet`, the laws of translation, the timeouts and
//! the shares of servers are stated again in `oracle`.
//!
//! [`run`] runs a seed. A failure is run again with a log, so that it can tell
//! what happened to the conversation before.

mod config;
mod director;
mod host;
mod inet;
mod network;
mod oracle;
mod planted;
mod queue;
mod rng;
mod talk;
mod tally;
mod tcp;
mod world;

pub use config::Config;
pub use planted::Planted;
pub use tally::Tally;

use std::{
    fmt,
    hash::Hasher,
    panic::{catch_unwind, AssertUnwindSafe},
};
use world::{Fault, World};

/// A run that found nothing.
#[derive(Clone, Debug)]
pub struct Run {
    /// What happened in it.
    pub tally: Tally,
    /// A number made of all packets and of when they were sent.
    pub trace: u64,
}

/// A run that found a fault.
#[derive(Clone, Debug)]
pub struct Failure {
    seed: u64,
    fault: Fault,
    history: Vec<String>,
}

/// How many lines of a conversation's history a report has.
const HISTORY: usize = 40;

impl Failure {
    /// What was found, and at which event.
    #[must_use]
    pub fn what(&self) -> (&str, u64) {
        (&self.fault.what, self.fault.event)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault {
            event, tag, what, ..
        } = &self.fault;
        writeln!(
            f,
            "seed {}, event {event}, conversation {tag}: {what}",
            self.seed
        )?;
        if let Some(packet) = &self.fault.packet {
            writeln!(f, "the packet: {}", inet::line(packet))?;
            writeln!(f, "in bytes: {packet:02x?}")?;
        }
        writeln!(f, "before it, in this conversation:")?;
        for line in &self.history {
            writeln!(f, "  {line}")?;
        }
        write!(f, "again: make sim SEED={}", self.seed)
    }
}

/// Runs one seed: what happened, or what must not have.
///
/// # Errors
///
/// The first fault, with the history of its conversation.
pub fn run(seed: u64, config: Config) -> Result<Run, Failure> {
    let fault = match once(seed, config, false) {
        (Err(fault), _) => fault,
        (Ok(()), world) => {
            return Ok(Run {
                trace: world.trace.finish(),
                tally: world.tally,
            })
        }
    };
    let (again, world) = once(seed, config, true);
    let again = again.err().map(|fault| (fault.event, fault.what));
    assert_eq!(
        again,
        Some((fault.event, fault.what.clone())),
        "seed {seed} does not reproduce its run"
    );
    let lines = world.log.unwrap_or_default();
    let own = lines
        .iter()
        .filter(|line| line.tag == fault.tag || line.tag == 0);
    let history: Vec<_> = own
        .map(|line| {
            let ms = line.now_us as f64 / 1000.0;
            format!("event {:>6} {ms:>11.3} ms  {}", line.event, line.text)
        })
        .collect();
    let skip = history.len().saturating_sub(HISTORY);
    Err(Failure {
        seed,
        fault,
        history: history[skip..].to_vec(),
    })
}

/// One run, and the world after it. A panic, of the engine or of the
/// simulation, is a fault too.
fn once(seed: u64, config: Config, log: bool) -> (Result<(), Fault>, World) {
    let mut world = World::new(seed, config);
    world.log = log.then(Vec::new);
    let done = catch_unwind(AssertUnwindSafe(|| world.run())).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().cloned();
        let words = words.or_else(|| panic.downcast_ref::<&str>().map(|words| words.to_string()));
        Err(world.fault_here(format!("panic: {}", words.unwrap_or_default())))
    });
    (done, world)
}
