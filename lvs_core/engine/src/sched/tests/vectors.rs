// SPDX-License-Identifier: GPL-2.0

//! Tables and picks as IPVS makes them. The numbers are of its own code (Linux
//! 7.3, `ip_vs_mh.c` and `ip_vs_sh.c`, run in user space) and, the same ones, of
//! a model that was written from the description of the rules alone.

use super::*;
use core::net::Ipv6Addr;

/// Address, port and weight, in the order in which they were added.
type Dests = fn() -> Vec<(AnyAddr, u16, u32)>;

struct Vector {
    scheduler: Scheduler,
    dests: Dests,
    /// FNV-1a of the table, entries of two bytes, the lower one first.
    digest: u64,
    /// The first entries.
    head: [u16; 8],
    /// Where [`client`] 1 to 12 go, [`NOBODY`] if to none: all as it was when
    /// the table was made, without flag and by port; with three in four
    /// destinations out of service ([`quiet`]), with fallback, and by port too.
    picks: [[u16; 12]; 4],
}

const NOBODY: u16 = u16::MAX;

fn v4(a: u8, b: u8, c: u8, d: u32) -> AnyAddr {
    Ipv4Addr::new(a, b, c, d as u8).into()
}

fn weighted() -> Vec<(AnyAddr, u16, u32)> {
    let ends = [(80, 1), (80, 2), (8080, 4), (80, 0), (80, 0)];
    let numbered = (1..).zip(ends);
    numbered
        .map(|(n, (port, weight))| (v4(10, 0, 0, n), port, weight))
        .collect()
}

fn heavy() -> Vec<(AnyAddr, u16, u32)> {
    let weights = (1..).zip([100, 65_535, 7, 30_000]);
    let end = |(n, weight)| (v4(192, 168, 1, n), 8000 + n as u16, weight);
    weights.map(end).collect()
}

fn six() -> Vec<(AnyAddr, u16, u32)> {
    let addr = |n| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, n).into();
    [1, 2, 3, 5]
        .iter()
        .map(|n| (addr(*n), 443, u32::from(*n)))
        .collect()
}

fn many() -> Vec<(AnyAddr, u16, u32)> {
    let addr = |n| v4(10, 1, (n / 250) as u8, n % 250 + 1);
    (0..300).map(|n| (addr(n), 80, n % 7)).collect()
}

fn ten() -> Vec<(AnyAddr, u16, u32)> {
    let end = |n: u32| (v4(172, 16, 0, n * 3), 80 + n as u16, 1 + n % 3);
    (0..10).map(end).collect()
}

/// The destinations when the table is made.
fn listed(dests: Dests) -> Fake {
    let dests = dests();
    let mut fake = fake(&dests.iter().map(|dest| dest.2 as i32).collect::<Vec<_>>());
    fake.ends = dests
        .iter()
        .map(|dest| AnyEndpoint::new(dest.0, dest.1))
        .collect();
    if dests.len() == 5 {
        // It had a weight once.
        fake.last_weights[3] = 3;
    }
    fake
}

/// Of four, the second has lost its weight, the first and the third are overloaded.
fn quiet(mut dests: Fake) -> Fake {
    for (index, weight) in dests.weights.iter_mut().enumerate() {
        match index % 4 {
            1 => *weight = 0,
            3 => {}
            _ => *weight = -*weight,
        }
    }
    dests
}

fn client(number: u16, is_v6: bool, flags: u32) -> Request {
    let addr: AnyAddr = if is_v6 {
        Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, number * 77, 1).into()
    } else {
        v4(198, 51, 100, u32::from(number))
    };
    Request {
        client: AnyEndpoint::new(addr, 1024 + 997 * number),
        virt: addr,
        flags,
    }
}

fn digest(table: &[u16]) -> u64 {
    let bytes = table.iter().flat_map(|entry| entry.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

#[test]
fn tables_and_picks_are_those_of_stock() {
    for vector in VECTORS {
        let scheduler = vector.scheduler;
        let dests = listed(vector.dests);
        let table = table_of(scheduler, &dests).unwrap();
        let name = scheduler.name();
        assert_eq!(table[..8], vector.head, "{name}");
        assert_eq!(digest(&table), vector.digest, "{name}");
        let is_v6 = dests.ends[0].addr.is_ipv6();
        let resting = quiet(listed(vector.dests));
        let (fallback, port) = (svc_flags::SCHED1, svc_flags::SCHED2);
        let cases = [
            (&dests, 0),
            (&dests, port),
            (&resting, fallback),
            (&resting, fallback | port),
        ];
        for ((dests, flags), expected) in cases.into_iter().zip(&vector.picks) {
            let served = (1..=12).map(|number| {
                let request = client(number, is_v6, flags);
                let pick = scheduler.pick(0, &request, dests, Some(&table));
                pick.map_or(NOBODY, |pick| pick.index as u16)
            });
            assert_eq!(served.collect::<Vec<_>>(), expected, "{name} {flags}");
        }
    }
}

const VECTORS: &[Vector] = &[
    Vector {
        scheduler: Scheduler::Mh,
        dests: weighted,
        digest: 0x7d9d_d5ee_e0ec_073d,
        head: [2, 2, 2, 3, 3, 2, 1, 1],
        picks: [
            [NOBODY, 2, NOBODY, 0, 2, 2, 0, NOBODY, 2, 2, NOBODY, 1],
            [2, 2, 2, 1, 2, 2, 2, 2, 1, 2, 1, 2],
            [
                NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY,
                NOBODY, NOBODY,
            ],
            [
                NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY,
                NOBODY, NOBODY,
            ],
        ],
    },
    Vector {
        scheduler: Scheduler::Mh,
        dests: heavy,
        digest: 0x5beb_d3f6_5dba_2b75,
        head: [1, 1, 3, 1, 1, 1, 1, 1],
        picks: [
            [3, 1, 1, 1, 1, 1, 1, 3, 1, 3, 1, 1],
            [1, 3, 1, 3, 1, 3, 1, 1, 1, 1, 1, 3],
            [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3],
            [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3],
        ],
    },
    Vector {
        scheduler: Scheduler::Mh,
        dests: six,
        digest: 0x8076_1a78_5db0_845e,
        head: [3, 3, 2, 3, 3, 1, 2, 3],
        picks: [
            [3, 3, 3, 1, 3, 2, 3, 3, 2, 3, 1, 3],
            [0, 3, 2, 1, 3, 3, 3, 3, 0, 2, 3, 1],
            [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3],
            [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3],
        ],
    },
    Vector {
        scheduler: Scheduler::Mh,
        dests: many,
        digest: 0xb1b9_ef06_a287_8cfd,
        head: [286, 187, 251, 251, 158, 258, 153, 139],
        picks: [
            [216, 13, 277, 277, 212, 255, 131, 278, 75, 86, 97, 139],
            [209, 296, 183, 286, 146, 185, 207, 135, 256, 89, 96, 172],
            [103, 103, 283, 291, 191, 255, 131, 271, 75, 163, 207, 139],
            [83, 111, 183, 215, 111, 187, 207, 135, 23, 123, 99, 11],
        ],
    },
    Vector {
        scheduler: Scheduler::Mh,
        dests: ten,
        digest: 0xe3b0_def3_04af_b37c,
        head: [8, 1, 2, 0, 5, 4, 3, 7],
        picks: [
            [5, 1, 5, 3, 0, 6, 2, 3, 5, 8, 0, 7],
            [8, 8, 8, 4, 4, 2, 7, 2, 6, 5, 5, 6],
            [7, 7, 3, 3, 3, 3, 7, 3, 7, 7, 7, 7],
            [3, 3, 7, 3, 7, 3, 7, 7, 7, 3, 7, 7],
        ],
    },
    Vector {
        scheduler: Scheduler::Sh,
        dests: weighted,
        digest: 0x891e_2be0_0278_41fa,
        head: [4, 3, 2, 2, 2, 2, 1, 1],
        picks: [
            [1, 2, 0, 1, 1, NOBODY, NOBODY, 2, 2, NOBODY, 2, 2],
            [2, NOBODY, 1, 2, 0, 1, 2, NOBODY, 0, 2, 0, 1],
            [
                NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY,
                NOBODY, NOBODY,
            ],
            [
                NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY,
                NOBODY, NOBODY,
            ],
        ],
    },
    Vector {
        scheduler: Scheduler::Sh,
        dests: heavy,
        digest: 0x811d_a812_66c3_5f25,
        head: [3, 3, 3, 3, 3, 3, 3, 3],
        picks: [
            [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3],
            [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3],
            [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3],
            [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3],
        ],
    },
    Vector {
        scheduler: Scheduler::Sh,
        dests: six,
        digest: 0xe7b6_94fc_1e80_6777,
        head: [3, 3, 3, 3, 3, 2, 2, 2],
        picks: [
            [2, 3, 1, 2, 2, 1, 0, 3, 3, 0, 3, 3],
            [2, 3, 3, 3, 3, 3, 0, 0, 3, 1, 0, 2],
            [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3],
            [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3],
        ],
    },
    Vector {
        scheduler: Scheduler::Sh,
        dests: many,
        digest: 0x5515_bc7c_de43_2da5,
        head: [299, 299, 299, 299, 299, 298, 298, 298],
        picks: [
            [
                270, 237, 289, 257, 227, 277, 244, 296, 264, 234, 284, NOBODY,
            ],
            [272, 257, 241, 223, 289, 272, 256, 239, 222, 286, 271, 255],
            [235, 255, 275, 295, 227, 251, 271, 291, 227, 247, 267, 283],
            [243, 291, 263, 223, 275, 243, 291, 239, 227, 275, 271, 255],
        ],
    },
    Vector {
        scheduler: Scheduler::Sh,
        dests: ten,
        digest: 0x75ff_0d8d_708f_2129,
        head: [9, 8, 8, 8, 7, 7, 6, 5],
        picks: [
            [8, 7, 1, 9, 8, 1, 9, 3, 2, 0, 3, 2],
            [5, 8, 1, 4, 1, 4, 7, 9, 2, 9, 2, 5],
            [7, 7, 7, 3, 7, 7, 3, 3, 3, 3, 3, 7],
            [7, 7, 7, 7, 7, 7, 7, 3, 7, 7, 3, 3],
        ],
    },
];
