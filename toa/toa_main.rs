// SPDX-License-Identifier: GPL-2.0

//! toa.ko: tells a server's programs who their client is.
//!
//! A balancer in FULLNAT mode connects to the server from an address of its
//! own, and names the client in a TCP option (TOA). This module reads the
//! option from the segment that makes the connection, and gives the client in
//! answer to accept, getpeername and their like.
//!
//! ```text
//!   segment -> tcp_child_process -> [accept probe] -> table
//!   accept, getpeername -> inet_getname -> [redirected] -> inet_getname, table
//!   getsockopt 4096 -> [socket option] -> table
//!   socket ends -> tcp_destroy_sock -> [end probe] -> table
//! ```

mod capture;
mod control;
mod counters;
mod namespace;
mod nat64;
mod table;
mod trusted;

use capture::Clients;
use control::Toa as ToaFamily;
use kapi::{
    accept::AcceptProbe,
    genl, //
    getname::PeerNames,
    module::{self, Parts},
    netns,
    sockopt,
    tracepoint::EndProbe,
};
use kernel::{prelude::*, sync::Arc};
use lvs_kapi as kapi;
use namespace::{Namespace, NAMESPACES};
use table::Table;

module! {
    type: Toa,
    name: "toa",
    authors: ["The LVS authors"],
    description: "Gives the client of a balanced TCP connection as its peer",
    license: "GPL",
    params: {
        max_connections: u32 {
            default: 1_048_576,
            description: "Most connections whose client is remembered, all namespaces together",
        },
        trust_any: u32 {
            default: 1,
            description: "1: anyone's option is believed until `ipvsadm-rs toa --trust` has said whose; 0: nobody's",
        },
    },
}

/// The module.
struct Toa(#[expect(dead_code, reason = "held for its drop")] Parts<Standing>);

impl kernel::Module for Toa {
    fn init(_: &'static ThisModule) -> Result<Self> {
        Parts::new(Standing::new).map(Self)
    }
}

/// All that stands while the module is loaded. The fields are dropped in this order: nobody configures,
/// nothing is learnt any more, nobody asks, and only then is forgetting
/// stopped and what was learnt freed.
struct Standing {
    _family: genl::Registration<ToaFamily>,
    _accepts: AcceptProbe<Clients>,
    _names: PeerNames,
    _option: sockopt::Registration,
    _ends: EndProbe<Clients>,
    _namespaces: netns::Registration<Namespace>,
}

impl Standing {
    fn new() -> Result<Self> {
        let limit = module::parameter(module_parameters::max_connections.value());
        let clients = Arc::new(Clients(Table::new(limit)?), GFP_KERNEL)?;
        // The other way round than it ends: a socket that was learnt of is
        // always forgotten.
        let namespaces = NAMESPACES.register()?;
        let ends = EndProbe::new(clients.clone()).inspect_err(|_| {
            pr_err!("the tracepoint tcp_destroy_sock is missing in this kernel\n");
        })?;
        let option =
            sockopt::Registration::new(nat64::NUMBER, clients.clone()).inspect_err(|_| {
                pr_err!("another module answers for socket option 4096 of IPPROTO_IP\n");
            })?;
        let names = PeerNames::new(clients.clone()).inspect_err(say_why)?;
        let accepts = AcceptProbe::new(clients).inspect_err(say_why)?;
        let family = control::FAMILY.register()?;
        match trusts_any() {
            true => {
                pr_info!("TOA options are believed from any source until trusted sources are set\n")
            }
            false => {
                pr_info!("TOA options are believed from no source until trusted sources are set\n")
            }
        }
        Ok(Self {
            _family: family,
            _accepts: accepts,
            _names: names,
            _option: option,
            _ends: ends,
            _namespaces: namespaces,
        })
    }
}

/// Whether a namespace begins with believing anyone.
fn trusts_any() -> bool {
    module::parameter::<u32>(module_parameters::trust_any.value()) != 0
}

/// Says what to do when a function cannot be probed.
fn say_why(error: &Error) {
    if *error == EBUSY {
        pr_err!(
            "cannot attach: set kernel.ftrace_enabled to 1, or a live patch has inet_getname\n"
        );
    } else {
        pr_err!("cannot attach: this kernel lacks a function that is to be watched ({error:?})\n");
    }
}
