// SPDX-License-Identifier: GPL-2.0

//! How users see and change the load balancer: two netlink families, files in
//! /proc/net and the settings under `net.ipv4.vs`.
//!
//! ```text
//!   stock ipvsadm, keepalived      ipvsadm-rs           cat, sysctl, node_exporter
//!            │                         │                        │
//!       ipvs_genl                  lvs_genl        proc_ipvs, proc_lvs, sysctl
//!            └──── parse ── checks of lvs_engine ── Ns: services, conns, settings
//! ```
//!
//! There is one [`Control`] in the module, and one set of files for each
//! network namespace ([`attach`]).

mod addr;
mod guard;
mod ipvs_genl;
mod ipvs_reply;
mod lvs_genl;
mod lvs_reply;
mod parse;
mod proc_ipvs;
mod proc_lvs;
mod proc_status;
mod refuse;
mod rule;
mod stats;
mod sysctl;

use crate::ns::Ns;
use kernel::{prelude::*, sync::Arc};
use lvs_kapi::{genl, netns::Attachments, notifier::ModuleNotifier};

static IPVS: genl::Family<ipvs_genl::Ipvs> = genl::Family::new();
static LVS: genl::Family<lvs_genl::Lvs> = genl::Family::new();

/// Both families are known, and `ip_vs` is kept out, for as long as this lives.
///
/// Requests that come before the namespaces have their state, or after, are
/// refused.
pub(crate) struct Control {
    _lvs: genl::Registration<lvs_genl::Lvs>,
    _ipvs: genl::Registration<ipvs_genl::Ipvs>,
    // Last: while our family is there, loading ip_vs would only fail later and
    // louder.
    _guard: ModuleNotifier<guard::Guard>,
}

impl Control {
    /// Takes the place of `ip_vs`. May sleep.
    ///
    /// # Errors
    ///
    /// `EEXIST` when `ip_vs` is loaded, with a line in the log; `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        let guard = ModuleNotifier::new()?;
        let ipvs = IPVS.register().inspect_err(|error| {
            if *error == EEXIST {
                pr_err!(
                    "the netlink family IPVS exists already: ip_vs is loaded; \
                     remove it first (ipvsadm -C; modprobe -r its ip_vs_* schedulers, then ip_vs)\n"
                );
            }
        })?;
        Ok(Self {
            _lvs: LVS.register()?,
            _ipvs: ipvs,
            _guard: guard,
        })
    }
}

/// The files and settings of a namespace. May sleep.
pub(crate) fn attach(ns: &Arc<Ns>, at: &mut Attachments<'_>) -> Result {
    at.sysctls(c"net/ipv4/vs", &sysctl::SETTINGS, ns)?;
    at.rows::<proc_ipvs::Services>(ns)?;
    at.rows::<proc_ipvs::Conns>(ns)?;
    at.single::<proc_ipvs::Stats>(ns)?;
    at.single::<proc_ipvs::CpuStats>(ns)?;
    at.single::<proc_status::Status>(ns)?;
    at.rows::<proc_lvs::Conns>(ns)
}
