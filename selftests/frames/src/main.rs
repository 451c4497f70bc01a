// SPDX-License-Identifier: GPL-2.0

//! Makes frames from a seed, sends them into the director by its two taps
//! `client` and `server`, and checks everything that leaves there.
//!
//! ```text
//! lvs_frames --seed S --count N [--start K] [--every-path] [--show]
//! lvs_frames rules|network|marks
//! ```
//!
//! A number is a frame: of its block, which begins with conversations that leave
//! connections in all states, and within it. `--start K --count 1 --show` makes
//! frame K again, after the conversations of its block. With `--every-path` a run
//! fails that has left one out. The words print what the director is to be made
//! of: for `ipvsadm-rs -R`, `ip -batch` and `nft -f`.

mod bed;
mod disturb;
mod flow;
mod leak;
mod make;
mod packet;
mod paths;
mod report;
mod talk;
mod tap;
mod verify;
mod vnet;
mod world;

use bed::text;
use disturb::Disturbance;
use fastrand::Rng;
use std::io::Error;
use std::ops::Range;
use std::process::ExitCode;
use std::time::Instant;
use world::World;

/// How many frames follow upon one set of conversations.
const BLOCK: u64 = 1024;

/// How many of these between two questions why there was a reset.
const ASKS: usize = 256;

struct Order {
    seed: u64,
    start: u64,
    count: u64,
    every_path: bool,
    shows: bool,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["rules"] => print!("{}", text::rules()),
        ["network"] => print!("{}", text::network()),
        ["marks"] => print!("{}", text::marks()),
        _ => {
            let Some(order) = order(&words) else {
                eprintln!("usage: lvs_frames --seed S --count N [--start K] [--every-path] [--show] | rules | network | marks");
                return ExitCode::from(2);
            };
            match run(&order) {
                Ok(true) => {}
                Ok(false) => return ExitCode::FAILURE,
                Err(e) => {
                    eprintln!("lvs_frames: {e}");
                    return ExitCode::from(3);
                }
            }
        }
    }
    ExitCode::SUCCESS
}

fn order(words: &[String]) -> Option<Order> {
    let mut order = Order {
        seed: 1,
        start: 0,
        count: 0,
        every_path: false,
        shows: false,
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seed" => order.seed = words.next()?.parse().ok()?,
            "--start" => order.start = words.next()?.parse().ok()?,
            "--count" => order.count = words.next()?.parse().ok()?,
            "--every-path" => order.every_path = true,
            "--show" => order.shows = true,
            _ => return None,
        }
    }
    (order.count > 0).then_some(order)
}

/// Sends the frames; whether all is well.
fn run(order: &Order) -> Result<bool, Error> {
    let mut world = World::attach()?;
    let begun = Instant::now();
    let (mut next, last) = (order.start, order.start.saturating_add(order.count));
    while next < last {
        let block = next / BLOCK;
        let end = ((block + 1) * BLOCK).min(last);
        let disturbance = Disturbance::of(block);
        one_block(&mut world, order, disturbance, next..end)?;
        next = end;
    }
    Ok(report::print(&world, order.every_path, begun.elapsed()))
}

fn one_block(
    world: &mut World,
    order: &Order,
    disturbance: Option<Disturbance>,
    numbers: Range<u64>,
) -> Result<(), Error> {
    let block = numbers.start / BLOCK;
    world.at = format!("seed {}, the conversations of block {block}", order.seed);
    let mut rng = Rng::with_seed(order.seed ^ block.wrapping_mul(0x0a5e_ed00_0001));
    let flows = talk::open_all(world, &mut rng, block)?;
    if let Some(disturbance) = disturbance {
        disturbance.begin()?;
    }
    world.tells = order.shows;
    for (place, number) in numbers.enumerate() {
        if place % ASKS == ASKS - 1 {
            talk::answer_resets(world)?;
        }
        let frame = make::frame(order.seed, number, &flows);
        world.at = format!(
            "seed {}, frame {number} or one of {} before it",
            order.seed,
            world::BATCH
        );
        world.send(&frame)?;
    }
    world.settle()?;
    world.tells = false;
    disturbance.map_or(Ok(()), Disturbance::end)
}
