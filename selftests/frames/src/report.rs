// SPDX-License-Identifier: GPL-2.0

//! The report at the end of a run: what was sent, which way it went, and whether
//! all is well.

use crate::bed::SERVICES;
use crate::paths::{Kind, Path};
use crate::world::World;
use std::time::Duration;

/// Prints it; whether all is well. If `every_path`, no path may be left out.
pub(crate) fn print(world: &World, every_path: bool, took: Duration) -> bool {
    let count = &world.count;
    let seconds = took.as_secs_f64();
    println!(
        "{} frames, {:.1} % of them with right lengths and checksums, {} refused by the tap; {} more in conversations; {:.1} s, {:.0} frames a second",
        count.frames,
        100.0 * count.sound as f64 / count.frames.max(1) as f64,
        count.refused,
        count.talk,
        seconds,
        (count.frames + count.talk) as f64 / seconds,
    );
    println!(
        "to virtual addresses {}, to local addresses {}, to others {}",
        count.to_virtual, count.to_local, count.to_others
    );
    println!(
        "left: {} frames, {} of them held against what was sound, {} datagrams put together",
        count.left, count.checked, count.assembled
    );
    table(world);
    let mut well = count.failures == 0;
    if count.failures > 0 {
        println!("{} failures", count.failures);
    }
    if count.sound * 2 < count.frames {
        println!("less than half of the frames are right");
        well = false;
    }
    let left_out: Vec<Path> = Path::all()
        .filter(|path| taken(world, *path) == 0)
        .collect();
    for path in &left_out {
        let way = if path.inward { "in" } else { "out" };
        println!("never: {} {:?} {way}", row(path.place, path.six), path.kind);
    }
    well && (left_out.is_empty() || !every_path)
}

fn taken(world: &World, path: Path) -> u64 {
    world.count.paths.get(&path).copied().unwrap_or(0)
}

fn row(place: usize, six: bool) -> String {
    format!("{} {}", SERVICES[place].name, if six { "v6" } else { "v4" })
}

/// A row for each service and family, in it how often each path was taken: to the
/// server, and to the client.
fn table(world: &World) {
    print!("{:14}", "in/out");
    for (_, name) in Kind::ALL {
        print!(" {name:>13}");
    }
    println!();
    for (place, six) in (0..SERVICES.len()).flat_map(|place| [(place, false), (place, true)]) {
        let path = |kind, inward| Path {
            place,
            six,
            kind,
            inward,
        };
        if !SERVICES[place].has(six) {
            continue;
        }
        print!("{:14}", row(place, six));
        for (kind, _) in Kind::ALL {
            let cell = |inward| {
                let path = path(kind, inward);
                match taken(world, path) {
                    0 if !path.exists() => "-".to_string(),
                    times => times.to_string(),
                }
            };
            print!(" {:>13}", format!("{}/{}", cell(true), cell(false)));
        }
        println!();
    }
}
