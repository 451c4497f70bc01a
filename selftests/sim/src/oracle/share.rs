// SPDX-License-Identifier: GPL-2.0

//! Whether servers get their shares: per service and scheduler, since its
//! servers were last changed.
//!
//! | scheduler | checked at each choice |
//! |---|---|
//! | rr | any two servers' counts differ by one at most |
//! | wrr | a server's count is off its share by twice its turns in a cycle at most: a beginning and an end of a cycle |
//! | lc, wlc, sed | nobody else was less busy for its weight |
//! | sh, mh | a client comes to the server that it came to before |

use lvs_engine::sched::Scheduler;
use std::{collections::BTreeMap, net::IpAddr};

/// A server's number, its weight and its connections, active and others.
pub(crate) type Candidate = (usize, u32, (u32, u32));

#[derive(Default)]
pub(crate) struct Shares {
    counts: BTreeMap<usize, u64>,
    homes: BTreeMap<IpAddr, usize>,
    /// Choices that were held against a rule.
    pub(crate) checked: u64,
}

impl Shares {
    /// Servers have changed: what was before says nothing any more.
    pub(crate) fn changed(&mut self) {
        self.counts.clear();
        self.homes.clear();
    }

    pub(crate) fn chosen(
        &mut self,
        scheduler: Scheduler,
        client: IpAddr,
        chosen: Option<usize>,
        candidates: &[Candidate],
    ) -> Result<(), String> {
        let eligible: Vec<_> = candidates.iter().filter(|one| one.1 > 0).collect();
        let Some(chosen) = chosen else {
            // A client may have been hashed to one of weight 0; and all may
            // have more active connections than their weight.
            use Scheduler::{Dh, Mh, Ovf, Sh};
            let may = match scheduler {
                Sh | Mh | Dh => true,
                Ovf => eligible.iter().all(|one| one.2 .0 > one.1),
                _ => false,
            };
            return match eligible.is_empty() || may {
                true => Ok(()),
                false => Err(format!(
                    "{} found nobody among {candidates:?}",
                    scheduler.name()
                )),
            };
        };
        let Some((_, weight, conns)) = eligible.iter().find(|one| one.0 == chosen) else {
            return Err(format!("server {chosen} chosen among {candidates:?}"));
        };
        *self.counts.entry(chosen).or_default() += 1;
        self.checked += 1;
        let load = |conns: (u32, u32)| match scheduler {
            Scheduler::Sed => u64::from(conns.0) + 1,
            _ => u64::from(conns.0) * 257 + u64::from(conns.1),
        };
        let right = match scheduler {
            Scheduler::Rr => self.is_even(&eligible),
            Scheduler::Wrr => self.is_proportional(&eligible),
            Scheduler::Lc => eligible.iter().all(|one| load(one.2) >= load(*conns)),
            Scheduler::Wlc | Scheduler::Sed => eligible
                .iter()
                .all(|one| load(one.2) * u64::from(*weight) >= load(*conns) * u64::from(one.1)),
            Scheduler::Sh | Scheduler::Mh => *self.homes.entry(client).or_insert(chosen) == chosen,
            _ => {
                self.checked -= 1;
                true
            }
        };
        if right {
            return Ok(());
        }
        let (name, counts) = (scheduler.name(), &self.counts);
        Err(format!(
            "{name} chose {chosen} among {candidates:?}, so far {counts:?}"
        ))
    }

    fn count(&self, server: usize) -> u64 {
        self.counts.get(&server).copied().unwrap_or(0)
    }

    fn is_even(&self, eligible: &[&Candidate]) -> bool {
        let counts = eligible.iter().map(|one| self.count(one.0));
        let (least, most) = counts.fold((u64::MAX, 0), |(a, b), n| (a.min(n), b.max(n)));
        most - least <= 1
    }

    fn is_proportional(&self, eligible: &[&Candidate]) -> bool {
        let all: u64 = eligible.iter().map(|one| self.count(one.0)).sum();
        let weights: u64 = eligible.iter().map(|one| u64::from(one.1)).sum();
        let unit = eligible
            .iter()
            .fold(0, |unit, one| gcd(unit, u64::from(one.1)));
        eligible.iter().all(|one| {
            let weight = u64::from(one.1);
            let off = (self.count(one.0) * weights).abs_diff(all * weight);
            off <= 2 * (weight / unit) * weights
        })
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 {
        a
    } else {
        gcd(b, a % b)
    }
}
