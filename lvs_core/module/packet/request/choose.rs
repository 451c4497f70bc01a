// SPDX-License-Identifier: GPL-2.0

//! Who serves a new connection.

use super::{Context, Head};
use crate::{
    conns::Conns,
    dests::Dest,
    family::Family,
    service::Service,
    templates::{Control, Subject, Templates},
    version::{Backend, Version},
};
use kernel::sync::Arc;
use lvs_engine::{conn::Method, drop_reason::DropReason, persist, service::ServiceKey};
use lvs_kapi::route;
use lvs_wire::addr::Family as AnyFamily;

/// Who gets a connection.
pub(super) struct Chosen<'r> {
    pub(super) dest: &'r Arc<Dest>,
    /// Why: the template.
    pub(super) control: Option<Arc<Control>>,
    /// On which port it listens; none for bypass.
    pub(super) port: u16,
    pub(super) method: Method,
}

impl Chosen<'_> {
    /// Whether packets become IPv4's on their way, if they are not.
    pub(super) fn is_translated_to_v4(&self) -> bool {
        matches!(self.method, Method::Nat | Method::Fullnat)
            && AnyFamily::of(&self.dest.real.addr) == AnyFamily::V4
    }
}

/// Who gets the connection: the server that the client stays with, or the one
/// whose turn it is, or, of a transparent cache without servers, the address
/// that the client asked.
pub(super) fn choose<'r, A: Family>(
    cx: Context<'r>,
    conns: &'r Conns,
    service: &'r Service,
    version: &'r Version,
    head: &Head<A>,
) -> Result<Chosen<'r>, DropReason> {
    let config = &version.config;
    // Templates are as many as clients, which may be forged.
    if conns.kept() >= cx.ns.settings.conn_max() {
        return Err(DropReason::TooManyConnections);
    }
    let (client, virt) = (head.source.any(), head.destination.addr.into());
    let schedule = || service.schedule(version, client, virt);
    let asked = head.destination.port;
    let found = if config.is_persistent() {
        persistent(cx, &conns.templates, service, version, head, schedule)?
    } else {
        schedule().map(|backend| {
            let port = match backend.dest.real.port {
                0 => asked,
                port => port,
            };
            (backend, None, port)
        })
    };
    let chosen = found.map(|(backend, control, port)| Chosen {
        dest: &backend.dest,
        control,
        port,
        method: service.method(backend, cx.rcu),
    });
    let bypass = || {
        let dest = service.bypass.as_ref()?;
        let elsewhere = route::is_unicast(cx.net, head.destination.addr)
            && !route::is_local(cx.net, head.destination.addr);
        let chosen = Chosen {
            dest,
            control: None,
            port: 0,
            method: Method::Bypass,
        };
        (cx.ns.settings.cache_bypass() && elsewhere).then_some(chosen)
    };
    chosen.or_else(bypass).ok_or(DropReason::NoDestination)
}

/// The server, its template and the port, as in [`Chosen`].
type Found<'r> = (&'r Backend, Option<Arc<Control>>, u16);

/// The server that the client stays with, or, if it has none yet, the one that
/// it will stay with.
fn persistent<'r, A: Family>(
    cx: Context<'r>,
    templates: &'r Templates,
    service: &'r Service,
    version: &'r Version,
    head: &Head<A>,
    schedule: impl FnOnce() -> Option<&'r Backend>,
) -> Result<Option<Found<'r>>, DropReason> {
    let config = &version.config;
    let asked = head.destination.port;
    let own_port = match service.key {
        ServiceKey::Address { port, .. } => port,
        ServiceKey::Fwmark { .. } => 0,
    };
    let template_port = persist::template_port(own_port, asked);
    let subject = Subject {
        client: persist::network(head.source.addr, config.netmask),
        scope: match service.key {
            ServiceKey::Address { protocol, addr, .. } => ServiceKey::Address {
                protocol,
                addr,
                port: template_port,
            },
            mark => mark,
        },
    };
    // Who is of another version serves nobody of this one.
    let found = templates.find(cx.rcu, subject).and_then(|template| {
        let quiet = cx.ns.settings.expire_quiescent_template();
        let holds = |backend: &&Backend| backend.config.weight != 0 || !quiet;
        let backend = version.of(&template.dest).filter(holds);
        if backend.is_none() {
            templates.remove(template);
        }
        Some((backend?, Some(template)))
    });
    let (backend, template) = match found {
        Some(found) => found,
        None => {
            let Some(backend) = schedule() else {
                return Ok(None);
            };
            let port = if template_port != 0 {
                backend.dest.real.port
            } else {
                0
            };
            let template = templates
                .add(cx.rcu, subject, &backend.dest, port, config.timeout)
                .ok_or(DropReason::NoMemory)?;
            // Another CPU may have been faster, and see another version.
            match version.of(&template.dest) {
                Some(backend) => (backend, Some(template)),
                None => (backend, None),
            }
        }
    };
    let port = match backend.dest.real.port {
        port if port != 0 && asked == own_port => port,
        _ => asked,
    };
    let control = template.map(|template| template.control.clone());
    Ok(Some((backend, control, port)))
}
