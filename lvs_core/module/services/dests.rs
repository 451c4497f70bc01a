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
        let named = request.full_key(key.family())?;
        let existing = service.find_dest(named);
        let config = request.add(named, existing.is_some())?;
        let family = Family::of(&named.addr);
        if !route::has_family(net, family) {
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
        if !lists.has_family(family) {
            start(family)?;
        }
        let mut dests = service.copy_dests()?;
        let former = lists.removed(key, named);
        let serial = lists.next_serial();
        let dest = match &former {
            Some(dest) => dest.clone(),
            None => Dest::new(named, config, service.stats.clone())
                .map_err(|_| ConfigError::NoMemory)?,
        };
        dest.set_serial(serial);
        dests.push_within(dest).map_err(|_| ConfigError::NoMemory)?;
        let draft = service.draft(dests)?;
        if let Some(dest) = former {
            lists.revive(&dest);
            dest.change(config);
            dest.set_available(true);
        }
        service.publish(draft);
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
            let draft = service.redraft(service.config().scheduler)?;
            dest.change(config);
            service.publish(draft);
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
        let mut dests = service.copy_dests()?;
        if let Some(index) = dests.iter().position(|dest| dest.real == named) {
            dests.remove(index);
        }
        service.publish(service.draft(dests)?);
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
