// SPDX-License-Identifier: GPL-2.0

//! Destinations: their names and settings.

use super::Context;
use crate::args::values;
use crate::failure::Failure;
use crate::model::dest::{DestKey, DestSettings, Method, Tunnel};
use crate::model::service::{Family, ServiceKey};

impl Context<'_> {
    pub(super) fn dest(&self, service: &ServiceKey) -> Result<DestKey, Failure> {
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

    pub(super) fn dest_settings(&self) -> Result<(ServiceKey, DestKey, DestSettings), Failure> {
        let service = self.service()?;
        let mut key = self.dest(&service)?;
        let settings = DestSettings {
            method: self.method(),
            weight: self
                .number("weight", 0, i32::MAX.unsigned_abs(), "weight")?
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

    pub(super) fn method(&self) -> Method {
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

    pub(super) fn threshold(&self, option: &str, what: &str) -> Result<u32, Failure> {
        let max = i32::MAX.unsigned_abs();
        Ok(self.number(option, 0, max, what)?.unwrap_or_default())
    }

    pub(super) fn tunnel(&self) -> Result<Tunnel, Failure> {
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

    pub(super) fn check_dest(
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
}

/// Packets that are tunnelled or routed keep the port they came with.
fn keeps_port(method: Method) -> bool {
    [Method::TUNNEL, Method::ROUTE].contains(&method)
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
