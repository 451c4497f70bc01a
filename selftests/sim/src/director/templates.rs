// SPDX-License-Identifier: GPL-2.0

//! Templates: which server a client, or a network of clients, stays with
//! (`lvs_core/module/templates.rs`). By a plain map: their table is the one
//! that connections are in too.

use lvs_engine::{persist, service::ServiceKey, time::Ticks};
use lvs_wire::addr::AnyAddr;

#[derive(Clone, Debug)]
struct Template {
    client: AnyAddr,
    scope: ServiceKey,
    dest: usize,
    timeout: u32,
    renewed: Ticks,
    connections: u32,
    is_there: bool,
}

/// All templates; connections know theirs by number.
#[derive(Default)]
pub(crate) struct Templates(Vec<Template>);

impl Templates {
    /// The template of a client, renewed, and its server.
    pub(crate) fn find(
        &mut self,
        client: AnyAddr,
        scope: ServiceKey,
        now: Ticks,
    ) -> Option<(usize, usize)> {
        let number = self
            .0
            .iter()
            .position(|t| t.is_there && t.client == client && t.scope == scope)?;
        self.0[number].renewed = now;
        Some((number, self.0[number].dest))
    }

    pub(crate) fn add(
        &mut self,
        client: AnyAddr,
        scope: ServiceKey,
        dest: usize,
        timeout: u32,
        now: Ticks,
    ) -> usize {
        self.0.push(Template {
            client,
            scope,
            dest,
            timeout,
            renewed: now,
            connections: 0,
            is_there: true,
        });
        self.0.len() - 1
    }

    pub(crate) fn remove(&mut self, number: usize) {
        self.0[number].is_there = false;
    }

    pub(crate) fn opened(&mut self, number: usize) {
        self.0[number].connections += 1;
    }

    pub(crate) fn closed(&mut self, number: usize) {
        self.0[number].connections -= 1;
    }

    pub(crate) fn expire(&mut self, now: Ticks, mut ended: impl FnMut(usize)) {
        for template in self.0.iter_mut().filter(|template| template.is_there) {
            let end = persist::ends_at(
                template.renewed,
                template.timeout,
                template.connections,
                now,
            );
            if !end.is_after(now) {
                template.is_there = false;
                ended(template.dest);
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.iter().filter(|template| template.is_there).count()
    }
}
