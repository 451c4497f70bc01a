// SPDX-License-Identifier: GPL-2.0

//! From clap's matches to a request.

use std::net::IpAddr;

use clap::ArgMatches;
use lvs_wire::netlink::ipvs::{svc_flags, IFNAME_MAX, PE_NAME_MAX, SCHED_NAME_MAX};

use super::options::WORDS;
use super::request::{Action, Columns, Format, Listing, MasqOnly, Request};
use super::{table, values};
use crate::failure::Failure;
use crate::model::daemon::{Daemon, Role};
use crate::model::dest::{DestKey, DestSettings, Method, Tunnel};
use crate::model::info::Timeouts;
use crate::model::service::{Family, Mask, Protocol, ServiceKey, Settings};
use crate::names::Names;

/// Stock's scheduler where none is named.
const DEFAULT_SCHEDULER: &str = "wlc";
/// Stock's interface of sync messages.
const DEFAULT_INTERFACE: &str = "eth0";

/// What `-a`, `-e` and `-d` are about.
struct Context<'a> {
    matches: &'a ArgMatches,
    names: &'a dyn Names,
}

/// Builds the request, once the options are seen to fit the command.
pub(crate) fn request(matches: &ArgMatches, names: &dyn Names) -> Result<Request, Failure> {
    let c = Context { matches, names };
    let command = table::command(matches)?;
    if command != "set" {
        c.no_stray_words()?;
    }
    Ok(Request {
        action: c.action(command)?,
        format: c.format(),
    })
}

impl Context<'_> {
    fn action(&self, command: &str) -> Result<Action, Failure> {
        Ok(match command {
            "add-service" => {
                let (key, settings) = self.service_settings()?;
                Action::AddService(key, settings, self.masq_only()?)
            }
            "edit-service" => {
                let (key, settings) = self.service_settings()?;
                Action::EditService(key, settings, self.masq_only()?)
            }
            "delete-service" => Action::DeleteService(self.service()?),
            "clear" => Action::Clear,
            "add-server" => {
                let (service, key, settings) = self.dest_settings()?;
                Action::AddDest(service, key, settings)
            }
            "edit-server" => {
                let (service, key, settings) = self.dest_settings()?;
                Action::EditDest(service, key, settings)
            }
            "delete-server" => {
                let service = self.service()?;
                Action::DeleteDest(service, self.dest(&service)?)
            }
            "list" => Action::List(self.listing()?),
            "zero" => Action::Zero(self.service_opt()?),
            "set" => Action::SetTimeouts(self.timeouts()?),
            "start-daemon" => Action::StartDaemon(self.daemon()?),
            "stop-daemon" => Action::StopDaemon(self.role("stop-daemon")?),
            "restore" => Action::Restore,
            "save" => Action::Save,
            "add-laddr" => Action::AddLocal(self.service_opt()?, self.local_address()?),
            "del-laddr" => Action::DeleteLocal(self.service_opt()?, self.local_address()?),
            "get-laddr" => Action::List(Listing::Locals(self.service_opt()?)),
            "version" => Action::Version,
            _ => Action::Help,
        })
    }

    fn flag(&self, name: &str) -> bool {
        self.matches.get_flag(name)
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.matches.get_one::<String>(name).map(String::as_str)
    }

    fn number(&self, name: &str, min: u32, max: u32, what: &str) -> Result<Option<u32>, Failure> {
        self.value(name)
            .map(|text| values::number(text, min, max, what))
            .transpose()
    }

    fn words(&self) -> Vec<&str> {
        self.matches
            .get_many::<String>(WORDS)
            .map(|words| words.map(String::as_str).collect())
            .unwrap_or_default()
    }

    fn no_stray_words(&self) -> Result<(), Failure> {
        match self.words().first() {
            Some(word) => Err(Failure::usage(format!(
                "unexpected argument {word}: every value follows its option."
            ))),
            None => Ok(()),
        }
    }

    fn service(&self) -> Result<ServiceKey, Failure> {
        // The table has seen to it that there is one.
        self.service_opt()?.ok_or_else(|| {
            Failure::usage("No virtual service given: name it with -t, -u, --sctp-service or -f.")
        })
    }

    fn service_opt(&self) -> Result<Option<ServiceKey>, Failure> {
        let v6 = self.flag("ipv6");
        if let Some(text) = self.value("fwmark-service") {
            let mark = values::mark(text)?;
            let family = if v6 { Family::V6 } else { Family::V4 };
            return Ok(Some(ServiceKey::Mark { mark, family }));
        }
        if v6 {
            return Err(Failure::usage(
                "-6 goes with -f only: an address says by itself which family it is of.",
            ));
        }
        let options = [
            ("tcp-service", Protocol::TCP),
            ("udp-service", Protocol::UDP),
            ("sctp-service", Protocol::SCTP),
        ];
        options
            .into_iter()
            .find_map(|(name, protocol)| self.value(name).map(|text| (text, protocol)))
            .map(|(text, protocol)| self.service_at(text, protocol))
            .transpose()
    }

    fn service_at(&self, text: &str, protocol: Protocol) -> Result<ServiceKey, Failure> {
        let place = values::place(text, protocol, self.names).map_err(|why| {
            Failure::usage(format!(
                "illegal virtual server address[:port] specified: {why}."
            ))
        })?;
        Ok(ServiceKey::Address {
            protocol,
            addr: place.addr,
            port: place.port.unwrap_or_default(),
        })
    }

    fn service_settings(&self) -> Result<(ServiceKey, Settings), Failure> {
        let key = self.service()?;
        self.no_synproxy()?;
        let settings = Settings {
            scheduler: self
                .name("scheduler", SCHED_NAME_MAX)?
                .unwrap_or_else(|| DEFAULT_SCHEDULER.into()),
            flags: self.service_flags()?,
            timeout: self.persistence()?,
            mask: self.mask(key.family())?,
            engine: self.name("pe", PE_NAME_MAX)?,
        };
        check_service(&key, &settings)?;
        Ok((key, settings))
    }

    fn name(&self, option: &str, max: usize) -> Result<Option<String>, Failure> {
        match self.value(option) {
            Some(text) if text.is_empty() || text.len() > max => Err(Failure::usage(format!(
                "illegal {option} specified: `{text}` is not a name of 1 to {max} characters."
            ))),
            other => Ok(other.map(str::to_string)),
        }
    }

    fn service_flags(&self) -> Result<u32, Failure> {
        let mut flags = 0;
        if self.value("persistent").is_some() {
            flags |= svc_flags::PERSISTENT;
        }
        if self.flag("ops") {
            flags |= svc_flags::ONE_PACKET;
        }
        if let Some(text) = self.value("sched-flags") {
            let scheduler = self.value("scheduler").unwrap_or(DEFAULT_SCHEDULER);
            flags |= values::sched_flags(text, scheduler)?;
        }
        Ok(flags)
    }

    fn persistence(&self) -> Result<u32, Failure> {
        self.value("persistent")
            .map_or(Ok(0), |text| values::timeout(text, 1))
    }

    fn mask(&self, family: Family) -> Result<Mask, Failure> {
        let text = self.value("netmask");
        text.map_or(Ok(Mask::full(family)), |text| {
            values::mask(text, family == Family::V6, self.names)
        })
    }

    fn masq_only(&self) -> Result<MasqOnly, Failure> {
        match (self.flag("masq-only"), self.flag("no-masq-only")) {
            (true, true) => Err(Failure::usage(
                "--masq-only and --no-masq-only contradict each other: give one.",
            )),
            (true, false) => Ok(MasqOnly::On),
            (false, true) => Ok(MasqOnly::Off),
            (false, false) => Ok(MasqOnly::Keep),
        }
    }

    fn no_synproxy(&self) -> Result<(), Failure> {
        match self.value("synproxy") {
            None | Some("disable") => Ok(()),
            Some("enable") => Err(Failure::refused(
                "Operation not supported: SYNPROXY (-j enable) is not implemented yet; leave -j out.",
            )),
            Some(other) => Err(Failure::usage(format!(
                "illegal synproxy parameter specified: `{other}` is neither enable nor disable."
            ))),
        }
    }

    fn dest(&self, service: &ServiceKey) -> Result<DestKey, Failure> {
        let text = self.value("real-server").unwrap_or_default();
        let place = values::place(text, service.protocol(), self.names).map_err(|why| {
            Failure::usage(format!(
                "illegal real server address[:port] specified: {why}."
            ))
        })?;
        Ok(DestKey {
            addr: place.addr,
            port: place.port.unwrap_or(service.port()),
        })
    }

    fn dest_settings(&self) -> Result<(ServiceKey, DestKey, DestSettings), Failure> {
        let service = self.service()?;
        let mut key = self.dest(&service)?;
        let settings = DestSettings {
            method: self.method(),
            weight: self
                .number("weight", 0, 65535, "weight")?
                .map_or(1, |w| w as i32),
            upper: self.threshold("u-threshold", "u_threshold")?,
            lower: self.threshold("l-threshold", "l_threshold")?,
            tunnel: self.tunnel()?,
        };
        if keeps_port(settings.method) && matches!(service, ServiceKey::Address { .. }) {
            key.port = service.port();
        }
        self.check_dest(&service, &key, &settings)?;
        Ok((service, key, settings))
    }

    fn method(&self) -> Method {
        if self.flag("masquerading") {
            Method::MASQ
        } else if self.flag("fullnat") {
            Method::FULLNAT
        } else if self.flag("ipip") {
            Method::TUNNEL
        } else {
            Method::ROUTE
        }
    }

    fn threshold(&self, option: &str, what: &str) -> Result<u32, Failure> {
        let max = i32::MAX.unsigned_abs();
        Ok(self.number(option, 0, max, what)?.unwrap_or_default())
    }

    fn tunnel(&self) -> Result<Tunnel, Failure> {
        let kind = match self.value("tun-type") {
            None | Some("ipip") => 0,
            Some("gue") => 1,
            Some("gre") => 2,
            Some(other) => {
                return Err(Failure::usage(format!(
                    "illegal tunnel type specified: `{other}` is none of ipip, gue and gre."
                )));
            }
        };
        let port = self.number("tun-port", 1, 65535, "tunnel port")?;
        let mut flags = 0;
        if self.flag("tun-csum") {
            flags |= 1;
        }
        if self.flag("tun-remcsum") {
            flags |= 2;
        }
        Ok(Tunnel {
            kind,
            port: port.and_then(|p| u16::try_from(p).ok()).unwrap_or_default(),
            flags,
        })
    }

    fn check_dest(
        &self,
        service: &ServiceKey,
        key: &DestKey,
        settings: &DestSettings,
    ) -> Result<(), Failure> {
        let mixes_families = [Method::TUNNEL, Method::FULLNAT].contains(&settings.method);
        if Family::of(key.addr) != service.family() && !mixes_families {
            return Err(Failure::usage(
                "Different address family is allowed only for tunneling servers: \
                 use a server address of the service's family, -i or --fullnat.",
            ));
        }
        let tunnel_options = ["tun-type", "tun-port"];
        let checksums = ["tun-nocsum", "tun-csum", "tun-remcsum"];
        let has_port = self.value("tun-port").is_some();
        let given = checksums.iter().filter(|o| self.flag(o)).count();
        let any = given > 0 || tunnel_options.iter().any(|o| self.value(o).is_some());
        if any && settings.method != Method::TUNNEL {
            return Err(Failure::usage(
                "Tunnel options conflict with forward method: they go with -i.",
            ));
        }
        check_tunnel(&settings.tunnel, has_port, given, self.flag("tun-remcsum"))
    }

    fn listing(&self) -> Result<Listing, Failure> {
        let service = self.service_opt()?;
        let chosen: Vec<(&str, Listing)> = [
            ("connection", Listing::Conns),
            ("timeout", Listing::Timeouts),
            ("daemon", Listing::Daemons),
            ("drops", Listing::Drops),
        ]
        .into_iter()
        .filter(|(name, _)| self.flag(name))
        .collect();
        let legs = self.flag("conn-legs");
        self.check_listing(&chosen, service.is_some(), legs)?;
        if legs {
            return Ok(Listing::ConnLegs);
        }
        let first = chosen.into_iter().next();
        Ok(first.map_or(Listing::Services(service), |(_, listing)| listing))
    }

    fn check_listing(
        &self,
        chosen: &[(&str, Listing)],
        service: bool,
        legs: bool,
    ) -> Result<(), Failure> {
        let names: Vec<&str> = service
            .then_some("service-address")
            .into_iter()
            .chain(
                legs.then_some("conn-legs")
                    .filter(|_| !self.flag("connection")),
            )
            .chain(chosen.iter().map(|(name, _)| *name))
            .collect();
        if let [first, second, ..] = names.as_slice() {
            return Err(Failure::usage(format!(
                "The option '{second}' conflicts with the '{first}' option in the 'list' command: list one thing at a time."
            )));
        }
        let tables = ["stats", "rate", "thresholds"];
        let other = legs || !chosen.is_empty();
        let clash = other && tables.iter().any(|o| self.flag(o));
        let persistent = ["timeout", "daemon", "drops"].iter().any(|o| self.flag(o));
        if clash || (persistent && self.flag("persistent-conn")) {
            return Err(Failure::usage(
                "options conflicts in the list command: --stats, --rate, --thresholds and --persistent-conn are about services.",
            ));
        }
        Ok(())
    }

    fn timeouts(&self) -> Result<Timeouts, Failure> {
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

    fn role(&self, option: &str) -> Result<Role, Failure> {
        match self.value(option) {
            Some("master") => Ok(Role::Master),
            Some("backup") => Ok(Role::Backup),
            other => Err(Failure::usage(format!(
                "illegal {option} parameter specified: `{}` is neither master nor backup.",
                other.unwrap_or_default()
            ))),
        }
    }

    fn daemon(&self) -> Result<Daemon, Failure> {
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

    fn group(&self) -> Result<Option<IpAddr>, Failure> {
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

    fn local_address(&self) -> Result<IpAddr, Failure> {
        let text = self.value("local-address").unwrap_or_default();
        text.parse().map_err(|_| {
            Failure::usage(format!(
                "illegal local address specified: `{text}` is not an IPv4 or IPv6 address (-z takes no port and no name)."
            ))
        })
    }

    fn format(&self) -> Format {
        let columns = [
            ("stats", Columns::Stats),
            ("rate", Columns::Rate),
            ("thresholds", Columns::Thresholds),
            ("persistent-conn", Columns::Persistent),
            ("tun-info", Columns::Tunnel),
        ];
        let chosen = columns.into_iter().find(|(name, _)| self.flag(name));
        Format {
            numeric: self.flag("numeric"),
            columns: chosen.map_or(Columns::Usual, |(_, columns)| columns),
            persistent: self.flag("persistent-conn"),
            nosort: self.flag("nosort"),
            exact: self.flag("exact"),
            json: self.flag("json"),
        }
    }
}

/// Packets that are tunnelled or routed keep the port they came with.
fn keeps_port(method: Method) -> bool {
    [Method::TUNNEL, Method::ROUTE].contains(&method)
}

fn check_service(key: &ServiceKey, settings: &Settings) -> Result<(), Failure> {
    let ServiceKey::Address { protocol, port, .. } = key else {
        return Ok(());
    };
    if *port == 0 && settings.flags & svc_flags::PERSISTENT == 0 {
        return Err(Failure::usage(
            "Zero port specified for non-persistent service: give a port, or -p for a service on all ports.",
        ));
    }
    if *protocol != Protocol::UDP && settings.flags & svc_flags::ONE_PACKET != 0 {
        return Err(Failure::usage(
            "One-Packet Scheduling is only for UDP virtual services: use -u or -f with --ops.",
        ));
    }
    Ok(())
}

fn check_tunnel(
    tunnel: &Tunnel,
    has_port: bool,
    checksums: usize,
    remcsum: bool,
) -> Result<(), Failure> {
    let kind = tunnel.kind_name().unwrap_or_default();
    let problem = match tunnel.kind {
        1 if !has_port => Some("You need to supply the 'tun-port' option"),
        0 | 2 if has_port => Some("Illegal 'tun-port' option"),
        0 if checksums > 0 => Some("Illegal checksum option"),
        2 if remcsum => Some("Illegal 'tun-remcsum' option"),
        _ if checksums > 1 => Some("Only one of --tun-nocsum, --tun-csum and --tun-remcsum goes"),
        _ => None,
    };
    problem.map_or(Ok(()), |what| {
        Err(Failure::usage(format!(
            "{what} with the '{kind}' tunnel type."
        )))
    })
}
