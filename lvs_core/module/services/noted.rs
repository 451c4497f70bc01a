// SPDX-License-Identifier: GPL-2.0

//! The addresses of a set of services in the making.

use super::{addresses::Grown, generation::chains, Services};
use crate::{hash::Key, service::push};
use lvs_engine::{
    config::ConfigError,
    conn::{Method, Protocol},
    dest::DestConfig,
    laddr,
    service::ServiceKey,
};
use lvs_kapi::{rcu, vec::Vec};
use lvs_wire::addr::{AnyAddr, AnyEndpoint};

/// Addresses, each once, to be found quickly.
struct Set {
    key: Key,
    chains: Vec<Vec<AnyAddr>>,
}

const CHAINS: usize = 256;

impl Set {
    fn new() -> Result<Self, ConfigError> {
        Ok(Self {
            key: Key::random(),
            chains: chains(CHAINS)?,
        })
    }

    fn chain(&self, addr: AnyAddr) -> usize {
        let end = AnyEndpoint::new(addr, 0);
        // CAST: Widening.
        self.key.endpoint(Protocol::Tcp, addr, end) as usize % CHAINS
    }

    fn has(&self, addr: AnyAddr) -> bool {
        let chain = self.chains.get(self.chain(addr));
        chain.is_some_and(|chain| chain.contains(&addr))
    }

    fn add(&mut self, addr: AnyAddr) -> Result<(), ConfigError> {
        let chain = self.chain(addr);
        match self.chains.get_mut(chain) {
            Some(chain) if !chain.contains(&addr) => push(chain, addr),
            _ => Ok(()),
        }
    }

    fn list(&self) -> Result<Vec<AnyAddr>, ConfigError> {
        let mut list = Vec::new();
        for addr in self.chains.iter().flat_map(|chain| chain.iter()) {
            push(&mut list, *addr)?;
        }
        Ok(list)
    }
}

/// What is to be remembered of a set.
pub(super) struct Noted {
    virtuals: Set,
    locals: Set,
    tunnels: Vec<AnyAddr>,
    nat_servers: Vec<AnyEndpoint>,
}

/// The same, ready to be remembered.
pub(super) struct Ready {
    virtuals: Grown,
    locals: Grown,
    tunnels: Grown,
    nat_servers: Option<rcu::Boxed<Vec<AnyEndpoint>>>,
}

impl Noted {
    /// Nothing yet. May sleep.
    pub(super) fn new() -> Result<Self, ConfigError> {
        Ok(Self {
            virtuals: Set::new()?,
            locals: Set::new()?,
            tunnels: Vec::new(),
            nat_servers: Vec::new(),
        })
    }

    /// Checks that a service may be added to the set, and notes where it is.
    pub(super) fn service(&mut self, key: ServiceKey) -> Result<(), ConfigError> {
        match key {
            ServiceKey::Fwmark { .. } => Ok(()),
            ServiceKey::Address { addr, .. } if self.locals.has(addr) => {
                Err(ConfigError::LocalAddressIsVirtual)
            }
            ServiceKey::Address { addr, .. } => self.virtuals.add(addr),
        }
    }

    /// Checks that a local address may be added to the set, and notes it;
    /// `exists` says whether its pool has it.
    pub(super) fn local(
        &mut self,
        addr: AnyAddr,
        key: Option<&ServiceKey>,
        exists: bool,
    ) -> Result<(), ConfigError> {
        laddr::check(addr, key, exists)?;
        if self.virtuals.has(addr) {
            return Err(ConfigError::LocalAddressIsVirtual);
        }
        self.locals.add(addr)
    }

    /// Notes a server.
    pub(super) fn server(
        &mut self,
        named: AnyEndpoint,
        config: &DestConfig,
    ) -> Result<(), ConfigError> {
        match config.method {
            Method::Tunnel => push(&mut self.tunnels, named.addr),
            Method::Nat => push(&mut self.nat_servers, named),
            _ => Ok(()),
        }
    }

    /// Together with what is remembered. May sleep; one writer at a time.
    pub(super) fn finish(self, services: &Services) -> Result<Ready, ConfigError> {
        Ok(Ready {
            virtuals: services.virtuals.with(&self.virtuals.list()?)?,
            locals: services.locals.with(&self.locals.list()?)?,
            tunnels: services.tunnels.with(&self.tunnels)?,
            nat_servers: services.nat_servers.with(self.nat_servers)?,
        })
    }
}

impl Ready {
    /// Remembers it.
    pub(super) fn publish(self, services: &Services) {
        services.virtuals.publish(self.virtuals);
        services.locals.publish(self.locals);
        services.tunnels.publish(self.tunnels);
        services.nat_servers.publish(self.nat_servers);
    }
}
