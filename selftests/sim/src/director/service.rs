// SPDX-License-Identifier: GPL-2.0

//! Services, their servers and their local addresses, as the module keeps them.

use lvs_engine::{
    conn::{Activity, DestStatus, Method},
    dest::{self, DestConfig, LocalAddresses},
    laddr,
    sched::{Candidates, Preference, Request, FREE},
    service::{ServiceConfig, ServiceKey},
};
use lvs_wire::addr::{AnyAddr, AnyEndpoint, Family};

/// A server of one service.
#[derive(Clone, Debug)]
pub(crate) struct Dest {
    pub(crate) real: AnyEndpoint,
    pub(crate) config: DestConfig,
    last_weight: u32,
    overloaded: std::cell::Cell<bool>,
    pub(crate) available: bool,
    pub(crate) total: u32,
    pub(crate) active: u32,
    pub(crate) templates: u32,
}

impl Dest {
    pub(crate) fn new(real: AnyEndpoint, config: DestConfig) -> Self {
        Self {
            real,
            config,
            last_weight: config.weight,
            overloaded: false.into(),
            available: true,
            total: 0,
            active: 0,
            templates: 0,
        }
    }

    pub(crate) fn change(&mut self, config: DestConfig) {
        self.config = config;
        if config.weight > 0 {
            self.last_weight = config.weight;
        }
    }

    pub(crate) fn status(&self) -> DestStatus {
        DestStatus {
            available: self.available,
            weight: self.config.weight,
        }
    }

    pub(crate) fn count(&mut self, activity: Activity) {
        match activity {
            Activity::Unchanged => {}
            Activity::Activated => self.active += 1,
            Activity::Deactivated => self.active -= 1,
        }
    }

    fn is_overloaded(&self) -> bool {
        let now = self
            .config
            .thresholds
            .is_reached(self.overloaded.get(), self.total);
        self.overloaded.set(now);
        now
    }
}

/// A local address in one pool.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    pub(crate) addr: AnyAddr,
    pub(crate) dedicated: bool,
    pub(crate) conns: u32,
}

/// Local addresses that connections are spread over, by their numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pool {
    pub(crate) members: Vec<usize>,
    cursor: usize,
}

impl Pool {
    pub(crate) fn count(&self, family: Family, locals: &[Local]) -> usize {
        let all = self.members.iter();
        all.filter(|at| Family::of(&locals[**at].addr) == family)
            .count()
    }

    pub(crate) fn in_turn(&mut self, family: Family, locals: &[Local]) -> Vec<usize> {
        let start = self.cursor.checked_rem(self.members.len()).unwrap_or(0);
        self.cursor += 1;
        let (earlier, later) = self.members.split_at(start);
        let turn = later.iter().chain(earlier).copied();
        turn.filter(|at| Family::of(&locals[*at].addr) == family)
            .collect()
    }
}

pub(crate) struct Service {
    pub(crate) key: ServiceKey,
    pub(crate) config: ServiceConfig,
    pub(crate) cursor: u64,
    /// Its servers by their numbers, oldest first.
    pub(crate) dests: Vec<usize>,
    table: Option<Vec<u16>>,
    pub(crate) pool: Pool,
    pub(crate) masq_only: bool,
}

impl Service {
    pub(crate) fn new(key: ServiceKey, config: ServiceConfig, cursor: u64) -> Self {
        Self {
            key,
            config,
            cursor,
            dests: Vec::new(),
            table: None,
            pool: Pool::default(),
            masq_only: false,
        }
    }

    /// Lets the scheduler see what has changed.
    pub(crate) fn refresh(&mut self, all: &[Dest]) {
        let scheduler = self.config.scheduler;
        let choice = Choice(&self.dests, all);
        self.table = scheduler.table_len().map(|len| {
            let mut table = vec![FREE; len];
            let mut scratch = vec![Preference::default(); self.dests.len()];
            scheduler.fill(&choice, &mut table, &mut scratch);
            table
        });
    }

    pub(crate) fn schedule(
        &mut self,
        all: &[Dest],
        client: AnyEndpoint,
        virt: AnyAddr,
    ) -> Option<usize> {
        let request = Request {
            client,
            virt,
            flags: self.config.flags,
        };
        let choice = Choice(&self.dests, all);
        let scheduler = self.config.scheduler;
        let pick = scheduler.pick(self.cursor, &request, &choice, self.table.as_deref())?;
        self.cursor = pick.cursor;
        self.dests.get(pick.index).copied()
    }

    /// Whether it takes local addresses from its own pool (`true`) or from the
    /// default one.
    pub(crate) fn pool(
        &self,
        family: Family,
        default: &Pool,
        locals: &[Local],
    ) -> Option<laddr::Pool> {
        laddr::pool(
            self.pool.count(family, locals),
            default.count(family, locals),
        )
    }

    /// How packets reach a server from now on.
    pub(crate) fn method(&self, dest: &Dest, default: &Pool, locals: &[Local]) -> Method {
        let family = Family::of(&dest.real.addr);
        let pool = LocalAddresses {
            some: self.pool(family, default, locals).is_some(),
            unwanted: self.masq_only,
        };
        dest::in_effect(dest.config.method, pool, family != self.key.family())
    }
}

/// The servers of a service as the schedulers see them.
struct Choice<'a>(&'a [usize], &'a [Dest]);

impl Choice<'_> {
    fn at(&self, index: usize) -> Option<&Dest> {
        self.0.get(index).map(|at| &self.1[*at])
    }
}

impl Candidates for Choice<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn weight(&self, index: usize) -> u32 {
        self.at(index).map_or(0, |dest| dest.config.weight)
    }

    fn last_weight(&self, index: usize) -> u32 {
        self.at(index).map_or(0, |dest| dest.last_weight)
    }

    fn endpoint(&self, index: usize) -> Option<AnyEndpoint> {
        self.at(index).map(|dest| dest.real)
    }

    fn is_overloaded(&self, index: usize) -> bool {
        self.at(index).is_some_and(Dest::is_overloaded)
    }

    fn conns(&self, index: usize) -> (u32, u32) {
        self.at(index)
            .map_or((0, 0), |dest| (dest.active, dest.total - dest.active))
    }
}
