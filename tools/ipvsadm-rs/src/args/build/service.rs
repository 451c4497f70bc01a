// SPDX-License-Identifier: GPL-2.0

//! Services: their names and settings.

use lvs_wire::netlink::ipvs::{svc_flags, PE_NAME_MAX, SCHED_NAME_MAX};

use super::Context;
use crate::args::request::MasqOnly;
use crate::args::values;
use crate::failure::Failure;
use crate::model::service::{Family, Mask, Protocol, ServiceKey, Settings};

/// Stock's scheduler where none is named.
const DEFAULT_SCHEDULER: &str = "wlc";

impl Context<'_> {
    pub(super) fn service(&self) -> Result<ServiceKey, Failure> {
        // The table has seen to it that there is one.
        self.service_opt()?.ok_or_else(|| {
            Failure::usage("No virtual service given: name it with -t, -u, --sctp-service or -f.")
        })
    }

    pub(super) fn service_opt(&self) -> Result<Option<ServiceKey>, Failure> {
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

    pub(super) fn service_at(&self, text: &str, protocol: Protocol) -> Result<ServiceKey, Failure> {
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

    pub(super) fn service_settings(&self) -> Result<(ServiceKey, Settings), Failure> {
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

    pub(super) fn name(&self, option: &str, max: usize) -> Result<Option<String>, Failure> {
        let illegal = |text: &str| {
            format!("illegal {option} specified: `{text}` is not a name of 1 to {max} characters.")
        };
        match self.value(option) {
            Some("") => Err(Failure::usage(illegal(""))),
            // Stock cuts it off, and the kernel does not know what is left.
            Some(text) if text.len() > max => Err(Failure::refused(illegal(text))),
            other => Ok(other.map(str::to_string)),
        }
    }

    pub(super) fn service_flags(&self) -> Result<u32, Failure> {
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

    pub(super) fn persistence(&self) -> Result<u32, Failure> {
        self.value("persistent")
            .map_or(Ok(0), |text| values::timeout(text, 1))
    }

    pub(super) fn mask(&self, family: Family) -> Result<Mask, Failure> {
        let text = self.value("netmask");
        text.map_or(Ok(Mask::full(family)), |text| {
            values::mask(text, family == Family::V6, self.names)
        })
    }

    pub(super) fn masq_only(&self) -> Result<MasqOnly, Failure> {
        match (self.flag("masq-only"), self.flag("no-masq-only")) {
            (true, true) => Err(Failure::usage(
                "--masq-only and --no-masq-only contradict each other: give one.",
            )),
            (true, false) => Ok(MasqOnly::On),
            (false, true) => Ok(MasqOnly::Off),
            (false, false) => Ok(MasqOnly::Keep),
        }
    }

    pub(super) fn no_synproxy(&self) -> Result<(), Failure> {
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
