// SPDX-License-Identifier: GPL-2.0

//! What the glue keeps once for each address family, or for two of them: those
//! of clients and servers that are balanced together.

use crate::conns::{Connection, Conns, Flows};
use core::net::{Ipv4Addr, Ipv6Addr};
use kernel::{prelude::*, sync::Arc};
use lvs_kapi::{gfp::Gfp, rcu};
use lvs_wire::ip::Network;

/// An address family, as the glue is generic over it.
pub(crate) trait Family: Network {
    /// The connections whose client and server both are of this family; none
    /// before the family's first service.
    fn flows(conns: &Conns) -> Option<&Flows<Self>>;

    /// The connections of this family's clients with IPv4 servers.
    fn to_v4(conns: &Conns) -> Option<&Flows<Self, Ipv4Addr>>;

    /// The connections of IPv6 clients with this family's servers.
    fn from_v6(conns: &Conns) -> Option<&Flows<Ipv6Addr, Self>>;
}

impl Family for Ipv4Addr {
    #[inline]
    fn flows(conns: &Conns) -> Option<&Flows<Self>> {
        conns.v4.as_ref()
    }

    #[inline]
    fn to_v4(conns: &Conns) -> Option<&Flows<Self>> {
        conns.v4.as_ref()
    }

    #[inline]
    fn from_v6(conns: &Conns) -> Option<&Flows<Ipv6Addr, Self>> {
        conns.v64.as_ref()
    }
}

impl Family for Ipv6Addr {
    #[inline]
    fn flows(conns: &Conns) -> Option<&Flows<Self>> {
        conns.v6.as_ref()
    }

    #[inline]
    fn to_v4(conns: &Conns) -> Option<&Flows<Self, Ipv4Addr>> {
        conns.v64.as_ref()
    }

    #[inline]
    fn from_v6(conns: &Conns) -> Option<&Flows<Self>> {
        conns.v6.as_ref()
    }
}

/// Clients of a family that may have servers of family `S`.
pub(crate) trait Pair<S: Family>: Family {
    /// Where the slab cache of their connections is while the module is loaded.
    fn cache() -> &'static CacheCell<Self, S>;
}

/// Where a slab cache is.
pub(crate) type CacheCell<C, S> = rcu::Cell<Arc<lvs_table::Cache<Connection<C, S>>>>;

static V4: CacheCell<Ipv4Addr, Ipv4Addr> = rcu::Cell::empty();
static V6: CacheCell<Ipv6Addr, Ipv6Addr> = rcu::Cell::empty();
static V64: CacheCell<Ipv6Addr, Ipv4Addr> = rcu::Cell::empty();

impl Pair<Ipv4Addr> for Ipv4Addr {
    fn cache() -> &'static CacheCell<Self, Ipv4Addr> {
        &V4
    }
}

impl Pair<Ipv6Addr> for Ipv6Addr {
    fn cache() -> &'static CacheCell<Self, Ipv6Addr> {
        &V6
    }
}

impl Pair<Ipv4Addr> for Ipv6Addr {
    fn cache() -> &'static CacheCell<Self, Ipv4Addr> {
        &V64
    }
}

/// Keeps the slab cache of a pair for all namespaces. To be dropped when their
/// state is gone.
pub(crate) struct Cache<C: Pair<S>, S: Family>(
    #[expect(dead_code, reason = "held for its drop")] Arc<lvs_table::Cache<Connection<C, S>>>,
);

impl<C: Pair<S>, S: Family> Cache<C, S> {
    /// Makes it, by the name that `/proc/slabinfo` shows. May sleep.
    pub(crate) fn new(name: &'static CStr) -> Result<Self> {
        let cache = Arc::new(lvs_table::Cache::new(name)?, GFP_KERNEL)?;
        C::cache().replace(Some(rcu::Boxed::new(cache.clone(), Gfp::Kernel)?));
        Ok(Self(cache))
    }
}

impl<C: Pair<S>, S: Family> Drop for Cache<C, S> {
    fn drop(&mut self) {
        C::cache().replace(None);
        // The last reference must be ours: destroying a slab cache sleeps,
        // which a callback must not.
        rcu::barrier();
    }
}
