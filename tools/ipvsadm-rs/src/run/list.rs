// SPDX-License-Identifier: GPL-2.0

//! Listings.

use std::fs::File;
use std::io::{BufRead, BufReader};

use super::table::{self, Reading};
use super::{style, Session};
use crate::args::request::{Columns, Listing, Request};
use crate::failure::Failure;
use crate::model::conn::Endpoint;
use crate::model::dest::Dest;
use crate::model::service::{Service, ServiceKey};
use crate::show::{conn, dest, drops, json, namespace, proc_conn, service, title};

/// All that stock ip_vs tells about connections; lvs has the same file.
const CONN_FILE: &str = "/proc/net/ip_vs_conn";

impl Session<'_, '_, '_> {
    pub(super) fn list(&mut self, listing: &Listing, request: &Request) -> Result<(), Failure> {
        match listing {
            Listing::Services(key) => self.list_services(key.as_ref(), request),
            Listing::Conns if request.format.json && self.kernel.is_lvs() => {
                self.list_legs(request)
            }
            Listing::Conns => self.list_proc_conns(request),
            Listing::ConnLegs => self.list_legs(request),
            Listing::Timeouts => self.list_timeouts(request),
            Listing::Daemons => self.list_daemons(request),
            Listing::Drops => self.list_drops(request),
            Listing::Locals(key) => self.list_locals(key.as_ref(), request),
        }
    }

    fn list_services(
        &mut self,
        key: Option<&ServiceKey>,
        request: &Request,
    ) -> Result<(), Failure> {
        let reading = Reading {
            nosort: request.format.nosort,
            methods: request.format.json
                || matches!(request.format.columns, Columns::Usual | Columns::Tunnel),
        };
        let info = self.kernel.info()?;
        let services = match key {
            Some(key) => vec![table::service(&mut self.kernel, key)?],
            None => table::services(&mut self.kernel, reading)?,
        };
        if request.format.json {
            let list = self.with_dests(services, reading)?;
            return self.output.text(&json::text(&json::services(&info, &list)));
        }
        if key.is_none() {
            self.output.text(&title::banner(&info))?;
        }
        self.output.text(&title::columns(request.format.columns))?;
        for service in &services {
            self.list_service(service, reading, request)?;
        }
        Ok(())
    }

    fn with_dests(
        &mut self,
        services: Vec<Service>,
        reading: Reading,
    ) -> Result<Vec<(Service, Vec<Dest>)>, Failure> {
        services
            .into_iter()
            .map(|service| {
                let dests = table::dests(&mut self.kernel, &service.key, reading)?;
                Ok((service, dests))
            })
            .collect()
    }

    fn list_service(
        &mut self,
        service: &Service,
        reading: Reading,
        request: &Request,
    ) -> Result<(), Failure> {
        let style = style(request);
        let dests = table::dests(&mut self.kernel, &service.key, reading)?;
        self.output.text(&service::line(service, &style))?;
        for dest in &dests {
            let line = dest::line(dest, service.key.protocol(), &style);
            self.output.text(&line)?;
        }
        Ok(())
    }

    fn list_proc_conns(&mut self, request: &Request) -> Result<(), Failure> {
        let unreadable = |e: std::io::Error| {
            Failure::unlisted(format!(
                "cannot open file {CONN_FILE}: {e}; is /proc mounted?"
            ))
        };
        let file = BufReader::new(File::open(CONN_FILE).map_err(unreadable)?);
        let style = style(request);
        let mut found = Vec::new();
        if !request.format.json {
            self.output
                .text(&proc_conn::title(request.format.persistent))?;
        }
        // The first line names the columns.
        for line in file.lines().skip(1) {
            let line = line.map_err(unreadable)?;
            let Some(conn) = proc_conn::parse(&line) else {
                return Err(Failure::unlisted(format!(
                    "unexpected input from {CONN_FILE}: `{line}`; the module does not match this tool."
                )));
            };
            if request.format.json {
                found.push(conn);
            } else {
                self.output.text(&proc_conn::line(&conn, &style))?;
            }
        }
        if request.format.json {
            self.output.text(&json::text(&json::proc_conns(&found)))?;
        }
        Ok(())
    }

    fn list_legs(&mut self, request: &Request) -> Result<(), Failure> {
        let conns = self.kernel.conns(None)?;
        if request.format.json {
            return self.output.text(&json::text(&json::conns(&conns)));
        }
        let style = style(request);
        self.output.text(&conn::title())?;
        for conn in &conns {
            self.output.text(&conn::line(conn, &style))?;
        }
        Ok(())
    }

    /// Who is behind an address and port in a server's log?
    pub(super) fn who(&mut self, local: &Endpoint, request: &Request) -> Result<(), Failure> {
        let conns = self.kernel.conns(Some(local))?;
        if conns.is_empty() {
            return Err(Failure::unlisted(format!(
                "No connection leaves from {}: it may have ended; `-Lc --conn-legs -n` lists those that live.",
                crate::show::place::Namer { names: &crate::names::Numbers }.place(
                    local.addr,
                    local.port,
                    crate::model::service::Protocol::TCP
                )
            )));
        }
        if request.format.json {
            return self.output.text(&json::text(&json::conns(&conns)));
        }
        let style = style(request);
        self.output.text(&conn::title())?;
        for conn in &conns {
            self.output.text(&conn::line(conn, &style))?;
        }
        Ok(())
    }

    fn list_timeouts(&mut self, request: &Request) -> Result<(), Failure> {
        let timeouts = self.kernel.timeouts()?;
        self.output.text(&if request.format.json {
            json::text(&json::timeouts(&timeouts))
        } else {
            namespace::timeouts(&timeouts)
        })
    }

    fn list_daemons(&mut self, request: &Request) -> Result<(), Failure> {
        let daemons = self.kernel.daemons()?;
        if request.format.json {
            return self.output.text(&json::text(&json::daemons(&daemons)));
        }
        for daemon in &daemons {
            self.output.text(&namespace::daemon(daemon))?;
        }
        Ok(())
    }

    fn list_drops(&mut self, request: &Request) -> Result<(), Failure> {
        let drops = self.kernel.drops()?;
        let events = self.kernel.events()?;
        self.output.text(&if request.format.json {
            json::text(&json::drops(&drops, &events))
        } else {
            drops::table(&drops, &events)
        })
    }
}
