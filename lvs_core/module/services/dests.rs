// SPDX-License-Identifier: GPL-2.0

//! The destinations of services.

use super::Services;
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
        let (named, config) = self.new_dest(net, key, request, |named| draft.has(named))?;
        let family = Family::of(&named.addr);
        if !lists.has_family(family) {
            start(family)?;
        }
        let former = lists.removed(key, named);
        let serial = lists.next_serial();
        let dest = match &former {
            Some(dest) => dest.clone(),
            None => Dest::new(named, config, service.stats.clone())
                .map_err(|_| ConfigError::NoMemory)?,
        };
        dest.set_serial(serial);
        draft.add(dest, config.weight)?;
        let version = draft.finish()?;
        if let Some(dest) = former {
            lists.revive(&dest);
            dest.change(config);
            dest.set_available(true);
        }
        service.publish(version);
        Ok(())
    }

    /// Checks a request to add a destination to the service `key`, and
    /// remembers its address. `exists` says whether one is there. May sleep.
    pub(super) fn new_dest(
        &self,
        net: &Net,
        key: ServiceKey,
        request: &DestRequest<'_>,
        exists: impl FnOnce(AnyEndpoint) -> bool,
    ) -> Result<(AnyEndpoint, DestConfig), ConfigError> {
        let named = request.full_key(key.family())?;
        let config = request.add(named, exists(named))?;
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
        has_way(net, named, config.method)?;
        self.note(named, &config)?;
        Ok((named, config))
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
        let named = request.full_key(key.family())?;
        let dest = service.find_dest(named);
        let current = dest.as_ref().map(|dest| dest.config());
        let config = request.edit(current)?;
        // One that is a tunnel stays one while its route is away.
        if !current.is_some_and(|current| current.method == config.method) {
            has_way(net, named, config.method)?;
        }
        self.note(named, &config)?;
        if let Some(dest) = dest {
            let mut draft = service.draft()?;
            draft.weigh(named, config.weight);
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
        let dest = service.find_dest(named).ok_or(ConfigError::DestUnknown)?;
        let mut draft = service.draft()?;
        draft.remove(named);
        service.publish(draft.finish()?);
        lists.retire(key, &dest);
        Ok(())
    }
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
