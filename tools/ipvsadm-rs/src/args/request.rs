// SPDX-License-Identifier: GPL-2.0

//! What the tool is asked to do.

use std::net::IpAddr;

use crate::model::conn::Endpoint;
use crate::model::daemon::{Daemon, Role};
use crate::model::dest::{DestKey, DestSettings};
use crate::model::info::Timeouts;
use crate::model::service::{ServiceKey, Settings};
use crate::model::toa::ToaChange;

/// A request: what to do and how to print it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// What to do.
    pub(crate) action: Action,
    /// How to print.
    pub(crate) format: Format,
}

impl Request {
    /// What no argument at all means.
    pub(crate) fn list_all() -> Self {
        Self {
            action: Action::List(Listing::Services(None)),
            format: Format::default(),
        }
    }
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// `-A`
    AddService(ServiceKey, Settings, MasqOnly),
    /// `-E`
    EditService(ServiceKey, Settings, MasqOnly),
    /// `-D`
    DeleteService(ServiceKey),
    /// `-C`
    Clear,
    /// `-a`
    AddDest(ServiceKey, DestKey, DestSettings),
    /// `-e`
    EditDest(ServiceKey, DestKey, DestSettings),
    /// `-d`
    DeleteDest(ServiceKey, DestKey),
    /// `-L`
    List(Listing),
    /// `-Z`
    Zero(Option<ServiceKey>),
    /// `--set`
    SetTimeouts(Timeouts),
    /// `--start-daemon`
    StartDaemon(Daemon),
    /// `--stop-daemon`
    StopDaemon(Role),
    /// `-R`
    Restore,
    /// `-R --replace`
    Replace,
    /// `-S`
    Save,
    /// `-P`, and whether the machine itself leaves the address alone
    AddLocal(Option<ServiceKey>, IpAddr, bool),
    /// `-Q`
    DeleteLocal(Option<ServiceKey>, IpAddr),
    /// `who`
    Who(Endpoint),
    /// `toa`
    Toa(ToaChange),
    /// `-h`
    Help,
    /// `-v`
    Version,
}

/// What to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Listing {
    /// Services and destinations, all or one service's.
    Services(Option<ServiceKey>),
    /// Connections as stock shows them.
    Conns,
    /// Connections with both legs.
    ConnLegs,
    /// The three timeouts.
    Timeouts,
    /// Sync daemons.
    Daemons,
    /// Why packets were dropped.
    Drops,
    /// Local addresses, all or one service's.
    Locals(Option<ServiceKey>),
}

/// What becomes of NAT destinations when there are local addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MasqOnly {
    /// Not said: stays as it is.
    Keep,
    /// `--masq-only`: they stay NAT.
    On,
    /// `--no-masq-only`: they are FULLNAT.
    Off,
}

/// How to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Format {
    /// Addresses and ports as numbers.
    pub(crate) numeric: bool,
    /// The columns.
    pub(crate) columns: Columns,
    /// Persistence engine's data with connections.
    pub(crate) persistent: bool,
    /// In the kernel's order.
    pub(crate) nosort: bool,
    /// Numbers in full.
    pub(crate) exact: bool,
    /// For programs.
    pub(crate) json: bool,
}

/// Which columns a listing of services has. Where several are asked for,
/// stock shows the first of this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Columns {
    /// Method, weight and connections.
    #[default]
    Usual,
    /// `--stats`
    Stats,
    /// `--rate`
    Rate,
    /// `--thresholds`
    Thresholds,
    /// `--persistent-conn`
    Persistent,
    /// `--tun-info`
    Tunnel,
}
