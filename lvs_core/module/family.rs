// SPDX-License-Identifier: GPL-2.0

//! What the glue keeps once for each address family.

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

    /// The slab cache that they come from.
    fn cache() -> &'static CacheCell<Self>;
}

impl Family for Ipv4Addr {
    #[inline]
    fn flows(conns: &Conns) -> Option<&Flows<Self>> {
        conns.v4.as_ref()
    }

    fn cache() -> &'static CacheCell<Self> {
        &V4_CACHE
    }
}

impl Family for Ipv6Addr {
    #[inline]
    fn flows(conns: &Conns) -> Option<&Flows<Self>> {
        conns.v6.as_ref()
    }

    fn cache() -> &'static CacheCell<Self> {
        &V6_CACHE
    }
}

/// Where a family's slab cache is while the module is loaded.
pub(crate) type CacheCell<A> = rcu::Cell<Arc<lvs_table::Cache<Connection<A>>>>;

static V4_CACHE: CacheCell<Ipv4Addr> = rcu::Cell::empty();
static V6_CACHE: CacheCell<Ipv6Addr> = rcu::Cell::empty();

/// Keeps a family's slab cache for all namespaces. To be dropped when their
/// state is gone.
pub(crate) struct Cache<A: Family>(
    #[expect(dead_code, reason = "held for its drop")] Arc<lvs_table::Cache<Connection<A>>>,
);

impl<A: Family> Cache<A> {
    /// Makes it, by the name that `/proc/slabinfo` shows. May sleep.
    pub(crate) fn new(name: &'static CStr) -> Result<Self> {
        let cache = Arc::new(lvs_table::Cache::new(name)?, GFP_KERNEL)?;
        A::cache().replace(Some(rcu::Boxed::new(cache.clone(), Gfp::Kernel)?));
        Ok(Self(cache))
    }
}

impl<A: Family> Drop for Cache<A> {
    fn drop(&mut self) {
        A::cache().replace(None);
        // The last reference must be ours: destroying a slab cache sleeps,
        // which a callback must not.
        rcu::barrier();
    }
}
