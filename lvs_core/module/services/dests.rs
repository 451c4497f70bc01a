// SPDX-License-Identifier: GPL-2.0

//! The destinations of services.

use super::{lists::retire, Services};
use crate::dests::Dest;
use kernel::prelude::*;
use lvs_engine::{
    config::ConfigError,
    conn::Method,
    dest::{DestConfig, DestRequest},
    service::ServiceKey,
};
use lvs_kapi::{
    net::Net,
    route::{self, Query, Route},
};
use lvs_wire::addr::{Address, AnyAddr, AnyEndpoint, Family};

impl Services {
    /// Adds a destination. `start` is called before it can be found, when its
    /// family was of no interest before. May sleep.
    pub(crate) fn add_dest(
        &self,
        net: &Net,
        key: ServiceKey,
        request: &DestRequest<'_>,
        start: impl FnOnce(Family) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        let mut lists = self.lists.lock();
        let service = self.known(key)?;
        let mut draft = service.draft()?;
        let named = request.full_key(key.family())?;
        let config = request.add(named, draft.find(named).is_some())?;
        check(net, named, &config)?;
        self.note(named, &config)?;
        let family = Family::of(&named.addr);
        if !lists.has_family(family) {
            start(family)?;
        }
        let former = lists.removed.find(key, named).cloned();
        let serial = lists.next_serial();
        let dest = match &former {
            Some(dest) => dest.clone(),
            None => Dest::new(named, config, service.stats.clone())
                .map_err(|_| ConfigError::NoMemory)?,
        };
        dest.set_serial(serial);
        draft.add(dest, config)?;
        let version = draft.finish()?;
        if let Some(dest) = former {
            lists.removed.revive(key, &dest);
            dest.change(config);
            dest.set_available(true);
        }
        service.publish(version);
        Ok(())
    }

    /// Remembers servers that packets may come from which are about the
    /// connections of others, or without one.
    fn note(&self, named: AnyEndpoint, config: &DestConfig) -> Result<(), ConfigError> {
        match config.method {
            Method::Tunnel => self.tunnels.add(named.addr),
            Method::Nat => self.nat_servers.add(named),
            _ => Ok(()),
        }
    }

    /// Changes a destination. May sleep.
    pub(crate) fn edit_dest(
        &self,
        net: &Net,
        key: ServiceKey,
        request: &DestRequest<'_>,
    ) -> Result<(), ConfigError> {
        let _lists = self.lists.lock();
        let service = self.known(key)?;
        let mut draft = service.draft()?;
        let named = request.full_key(key.family())?;
        let found = draft.find(named);
        let current = found.map(|found| found.config);
        let dest = found.map(|found| found.dest.clone());
        let config = request.edit(current)?;
        // One that is a tunnel stays one while its route is away.
        if !current.is_some_and(|current| current.method == config.method) {
            has_way(net, named, config.method)?;
        }
        self.note(named, &config)?;
        if let Some(dest) = dest {
            draft.change(named, config);
            let version = draft.finish()?;
            dest.change(config);
            service.publish(version);
        }
        Ok(())
    }

    /// Removes a destination; its connections stay. May sleep.
    pub(crate) fn delete_dest(
        &self,
        key: ServiceKey,
        request: &DestRequest<'_>,
    ) -> Result<(), ConfigError> {
        let mut lists = self.lists.lock();
        let service = self.known(key)?;
        let named = request.key(key.family())?;
        let mut draft = service.draft()?;
        let found = draft.find(named).ok_or(ConfigError::DestUnknown)?;
        let dest = found.dest.clone();
        draft.remove(named);
        service.publish(draft.finish()?);
        retire(&dest);
        lists.removed.add(key, &dest);
        Ok(())
    }
}

/// Checks that this host can send to a new destination. May sleep.
pub(super) fn check(net: &Net, named: AnyEndpoint, config: &DestConfig) -> Result<(), ConfigError> {
    if !route::has_family(net, Family::of(&named.addr)) {
        return Err(ConfigError::Ipv6Off);
    }
    let is_unicast = match named.addr {
        AnyAddr::V4(addr) => route::is_unicast(net, addr),
        AnyAddr::V6(addr) => route::is_unicast(net, addr),
    };
    if !is_unicast {
        return Err(ConfigError::DestAddress);
    }
    has_way(net, named, config.method)
}

/// A tunnel leads to where packets of this host can go: nobody else would say
/// that they cannot.
fn has_way(net: &Net, named: AnyEndpoint, method: Method) -> Result<(), ConfigError> {
    match (method, named.addr) {
        (Method::Tunnel, AnyAddr::V4(server)) => routed(net, server),
        (Method::Tunnel, AnyAddr::V6(server)) => routed(net, server),
        _ => Ok(()),
    }
}

fn routed<A: Address>(net: &Net, server: A) -> Result<(), ConfigError> {
    Route::find(net, Query::to(server)).map_or(Err(ConfigError::TunnelRoute), |_| Ok(()))
}
