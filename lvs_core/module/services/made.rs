// SPDX-License-Identifier: GPL-2.0

//! A service of a set in the making.

use super::{
    dests::check,
    generation::Sketch,
    lists::{retire, Lists},
};
use crate::{
    dests::Dest,
    locals::Pool,
    order,
    service::{Lineage, PoolPair, Service},
    version::Draft,
};
use kernel::{prelude::*, sync::Arc};
use lvs_engine::{
    config::ConfigError,
    dest::{DestConfig, DestRequest},
    service::{ServiceConfig, ServiceKey},
};
use lvs_kapi::{gfp::Gfp, net::Net, rcu::ReadLock, vec::Vec};
use lvs_wire::addr::AnyEndpoint;

/// A service, as far as rules go.
pub(super) struct Made {
    pub(super) key: ServiceKey,
    config: ServiceConfig,
    masq_only: bool,
    pub(super) pool: Arc<Pool>,
    lineage: Lineage,
    /// It was not there before.
    is_new: bool,
    /// Who served it, in the order of their addresses.
    former: Vec<Member>,
    /// Who else is to serve it, in the order of the addresses.
    joining: Vec<Member>,
    /// What it will be, once all rules are there.
    pub(super) service: Option<Arc<Service>>,
}

/// A destination, and what it is to be set to in the set, if it is in there.
struct Member {
    dest: Arc<Dest>,
    /// What it is set to, if it serves.
    current: Option<DestConfig>,
    wanted: Option<DestConfig>,
}

impl Sketch<Made> {
    /// The service of a key, if a rule has added it.
    pub(super) fn find(&mut self, key: ServiceKey) -> Option<&mut Made> {
        self.bucket(&key)?.iter_mut().find(|made| made.key == key)
    }
}

impl Made {
    /// Without destinations; `former` is what there is of the same key. May
    /// sleep.
    pub(super) fn new(
        key: ServiceKey,
        (config, masq_only): (ServiceConfig, bool),
        pool: Arc<Pool>,
        lineage: Lineage,
        former: Option<&Service>,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            key,
            config,
            masq_only,
            pool,
            lineage,
            is_new: former.is_none(),
            former: match former {
                Some(service) => members(service)?,
                None => Vec::new(),
            },
            joining: Vec::new(),
            service: None,
        })
    }

    /// Adds a destination. May sleep.
    pub(super) fn add(
        &mut self,
        net: &Net,
        lists: &mut Lists,
        request: &DestRequest<'_>,
    ) -> Result<(AnyEndpoint, DestConfig), ConfigError> {
        let named = request.full_key(self.key.family())?;
        let member = |list: &Vec<Member>| order::place(list, |one| one.dest.real.cmp(&named));
        let (former, joining) = (member(&self.former), member(&self.joining));
        let serving = former.ok().and_then(|place| self.former.get_mut(place));
        let exists = joining.is_ok() || serving.as_ref().is_some_and(|one| one.wanted.is_some());
        let config = request.add(named, exists)?;
        // As an edit: what is about the way there was seen to before.
        let current = serving.as_ref().and_then(|one| one.current);
        if current.is_none_or(|current| current.method != config.method) {
            check(net, named, &config)?;
        }
        if let Some(one) = serving {
            one.wanted = Some(config);
            return Ok((named, config));
        }
        let dest = match lists.removed.find(self.key, named) {
            Some(dest) => dest.clone(),
            None => {
                let dest = Dest::new(named, config, self.lineage.stats().clone());
                dest.map_err(|_| ConfigError::NoMemory)?
            }
        };
        // Nobody asks a removed one for its number.
        dest.set_serial(lists.next_serial());
        let member = Member {
            dest,
            current: None,
            wanted: Some(config),
        };
        let (Ok(place) | Err(place)) = joining;
        self.joining
            .insert(place, member, Gfp::Kernel)
            .map_err(|_| ConfigError::NoMemory)?;
        Ok((named, config))
    }

    /// All that serve it or are to.
    fn members(&self) -> impl Iterator<Item = &Member> {
        let lists = [&self.former, &self.joining];
        lists.into_iter().flat_map(|list| list.iter())
    }

    /// The service. May sleep.
    pub(super) fn finish(&mut self, default: &Arc<Pool>) -> Result<Arc<Service>, ConfigError> {
        let mut draft = Draft::with_room(self.config, 0)?;
        for member in self.members() {
            if let Some(config) = member.wanted {
                draft.add(member.dest.clone(), config)?;
            }
        }
        let pools = PoolPair {
            own: self.pool.clone(),
            default: default.clone(),
        };
        let lineage = self.lineage.clone();
        let service = Service::new(self.key, draft.finish()?, self.masq_only, pools, lineage)?;
        self.service = Some(service.clone());
        Ok(service)
    }

    /// The set that it is of is known now: its destinations are told, and those
    /// that it has not go. May sleep.
    pub(super) fn enter(&self, lists: &mut Lists) {
        if self.is_new {
            self.lineage.stats().clear();
        }
        for member in self.members() {
            match member.wanted {
                Some(config) => {
                    member.dest.change(config);
                    member.dest.set_available(true);
                }
                None => {
                    retire(&member.dest);
                    lists.removed.push(self.key, &member.dest);
                }
            }
        }
    }
}

/// Who serves a service, in the order of the addresses. May sleep.
fn members(service: &Service) -> Result<Vec<Member>, ConfigError> {
    let len = service.version(&ReadLock::new()).backends().len();
    let mut members = Vec::with_capacity(len, Gfp::Kernel).map_err(|_| ConfigError::NoMemory)?;
    let rcu = ReadLock::new();
    for backend in service.version(&rcu).backends() {
        let member = Member {
            dest: backend.dest.clone(),
            current: Some(backend.config),
            wanted: None,
        };
        members
            .push_within(member)
            .map_err(|_| ConfigError::NoMemory)?;
    }
    drop(rcu);
    order::sort(&mut members, |one: &Member| -> AnyEndpoint {
        one.dest.real
    });
    Ok(members)
}
