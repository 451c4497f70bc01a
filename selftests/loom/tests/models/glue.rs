// SPDX-License-Identifier: GPL-2.0

//! What connections and ports know of the rest of the glue: counts.

use lvs_engine::conn::{Activity, DestStatus};
use lvs_table::ReadLock;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// `crate::family`.
pub(crate) mod family {
    /// An address family.
    pub(crate) trait Family: lvs_wire::addr::Address {}
    impl Family for core::net::Ipv4Addr {}
    impl Family for core::net::Ipv6Addr {}
}

/// `crate::settings`.
pub(crate) mod settings {
    use super::*;
    use lvs_engine::timeouts::Timeouts;

    /// The settings, which nobody changes.
    pub(crate) struct Settings;

    impl Settings {
        pub(crate) fn timeouts<'r>(&'r self, _: &'r ReadLock) -> &'r Timeouts {
            &Timeouts::DEFAULT
        }
    }
}

/// `crate::dests`.
pub(crate) mod dests {
    use super::*;
    use lvs_wire::addr::AnyEndpoint;

    /// A server, and its connections.
    pub(crate) struct Dest {
        pub(crate) real: AnyEndpoint,
        total: AtomicU32,
    }

    impl Dest {
        pub(crate) fn new(real: AnyEndpoint) -> Self {
            let total = AtomicU32::new(0);
            Self { real, total }
        }

        pub(crate) fn opened(&self) {
            self.total.fetch_add(1, Relaxed);
        }

        pub(crate) fn closed(&self, _active: bool) {
            self.total.fetch_sub(1, Relaxed);
        }

        pub(crate) fn count(&self, _: Activity) {}

        pub(crate) fn status(&self) -> DestStatus {
            DestStatus {
                available: true,
                weight: 1,
            }
        }

        pub(crate) fn conns(&self) -> u32 {
            self.total.load(Relaxed)
        }
    }
}

/// `crate::locals`.
pub(crate) mod locals {
    use super::*;

    /// A local address's connections.
    #[derive(Default)]
    pub(crate) struct Local(AtomicU32);

    impl Local {
        pub(crate) fn opened(&self) {
            self.0.fetch_add(1, Relaxed);
        }

        pub(crate) fn closed(&self) {
            self.0.fetch_sub(1, Relaxed);
        }

        pub(crate) fn conns(&self) -> u32 {
            self.0.load(Relaxed)
        }
    }
}

/// `crate::templates`.
pub(crate) mod templates {
    /// No connection has one.
    pub(crate) struct Control;

    impl Control {
        pub(crate) fn opened(&self) {}
        pub(crate) fn closed(&self) {}
        pub(crate) fn assure(&self) {}
    }
}
