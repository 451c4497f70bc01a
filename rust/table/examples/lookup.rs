// SPDX-License-Identifier: GPL-2.0

//! Times the real table's look-up with 4,000,000 entries against 1,000: what
//! instruction counts do not see, which is caches.
//!
//! Prints one JSON object: nanoseconds a look-up each, and their ratio.

use lvs_table::{Cache, Hashes, Item, ReadLock, Side, Table};
use std::{hint::black_box, sync::Arc, time::Instant};

/// As large as a connection's own part.
struct Conn {
    client: u32,
    server: u32,
    _rest: [u64; 9],
}

fn hash(key: u32) -> u32 {
    let mixed = u64::from(key).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as u32
}

impl Item for Conn {}

impl Conn {
    fn hashes(&self) -> Hashes {
        (hash(self.client), Some(hash(self.server)))
    }
}

/// Nanoseconds a look-up, the best of five rounds: what the machine does
/// besides can only add.
fn lookup_ns(entries: u32) -> f64 {
    const LOOKUPS: u32 = 2_000_000;
    let table = Table::new(12, 0, Arc::new(Cache::default())).expect("memory for the table");
    for client in 0..entries {
        let rcu = ReadLock::new();
        let conn = Conn {
            client,
            server: client ^ 0x8000_0000,
            _rest: [0; 9],
        };
        let hashes = conn.hashes();
        assert!(table.insert(&rcu, conn, hashes, 900, |_| false).is_ok());
        drop(rcu);
        if client.is_power_of_two() {
            table.grow(0).expect("memory to grow");
        }
    }
    table.grow(0).expect("memory to grow");
    let rcu = ReadLock::new();
    let round = || {
        let start = Instant::now();
        for step in 0..LOOKUPS {
            // Every key at a place that the one before says nothing about.
            let client = hash(step) % entries;
            let found = table.find(&rcu, hash(client), |conn, side| {
                side == Side::First && conn.client == client
            });
            assert!(black_box(found).is_some());
        }
        start.elapsed().as_nanos() as f64 / f64::from(LOOKUPS)
    };
    (0..5).map(|_| round()).fold(f64::INFINITY, f64::min)
}

fn main() {
    let (few, many) = (lookup_ns(1_000), lookup_ns(4_000_000));
    println!(
        "{{\"part\": \"lookup\", \"few_ns\": {few:.1}, \"many_ns\": {many:.1}, \"ratio\": {:.2}}}",
        many / few
    );
}
