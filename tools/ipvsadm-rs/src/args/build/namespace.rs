// SPDX-License-Identifier: GPL-2.0

//! Timeouts, sync daemons and local addresses.

use std::net::IpAddr;

use lvs_wire::netlink::ipvs::IFNAME_MAX;

use super::Context;
use crate::args::values;
use crate::failure::Failure;
use crate::model::daemon::{Daemon, Role};
use crate::model::info::Timeouts;

/// Stock's interface of sync messages.
const DEFAULT_INTERFACE: &str = "eth0";

impl Context<'_> {
    pub(super) fn timeouts(&self) -> Result<Timeouts, Failure> {
        match self.words().as_slice() {
            [tcp, tcp_fin, udp] => Ok(Timeouts {
                tcp: values::timeout(tcp, 0)?,
                tcp_fin: values::timeout(tcp_fin, 0)?,
                udp: values::timeout(udp, 0)?,
            }),
            [_, _, _, extra, ..] => Err(Failure::usage(format!(
                "unexpected argument {extra}: --set takes three timeouts."
            ))),
            _ => Err(Failure::usage(
                "--set option requires 3 timeout values: tcp, tcpfin and udp in seconds, 0 to leave one as it is.",
            )),
        }
    }

    pub(super) fn role(&self, option: &str) -> Result<Role, Failure> {
        match self.value(option) {
            Some("master") => Ok(Role::Master),
            Some("backup") => Ok(Role::Backup),
            other => Err(Failure::usage(format!(
                "illegal {option} parameter specified: `{}` is neither master nor backup.",
                other.unwrap_or_default()
            ))),
        }
    }

    pub(super) fn daemon(&self) -> Result<Daemon, Failure> {
        let narrow = |value: Option<u32>| {
            value
                .and_then(|v| u16::try_from(v).ok())
                .unwrap_or_default()
        };
        let ttl = self.number("mcast-ttl", 1, 255, "mcast-ttl")?;
        Ok(Daemon {
            role: self.role("start-daemon")?,
            interface: self
                .name("mcast-interface", IFNAME_MAX)?
                .unwrap_or_else(|| DEFAULT_INTERFACE.into()),
            syncid: self.number("syncid", 0, 255, "syncid")?.unwrap_or_default(),
            maxlen: narrow(self.number("sync-maxlen", 1, 65535 - 20 - 8, "sync-maxlen")?),
            group: self.group()?,
            port: narrow(self.number("mcast-port", 1, 65535, "mcast-port")?),
            ttl: ttl.and_then(|t| u8::try_from(t).ok()).unwrap_or_default(),
        })
    }

    pub(super) fn group(&self) -> Result<Option<IpAddr>, Failure> {
        self.value("mcast-group")
            .map(|text| {
                let addr = text.parse::<IpAddr>().ok().filter(IpAddr::is_multicast);
                addr.ok_or_else(|| {
                    Failure::usage(format!(
                        "invalid mcast-group `{text}': it is not a multicast address."
                    ))
                })
            })
            .transpose()
    }

    pub(super) fn local_address(&self) -> Result<IpAddr, Failure> {
        let text = self.value("local-address").unwrap_or_default();
        text.parse().map_err(|_| {
            Failure::usage(format!(
                "illegal local address specified: `{text}` is not an IPv4 or IPv6 address (-z takes no port and no name)."
            ))
        })
    }
}
