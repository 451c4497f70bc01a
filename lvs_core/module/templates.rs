// SPDX-License-Identifier: GPL-2.0

//! Templates: which server a client, or a network of clients, stays with.

use crate::{conns::now, conns::wheel_tick, dests::Dest, family::Family, hash::Key};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use kernel::{prelude::*, sync::Arc};
use lvs_engine::{conn::Protocol, persist, service::ServiceKey, time::Ticks};
use lvs_kapi::{gfp::Gfp, rcu, rcu::ReadLock};
use lvs_table::{Due, Hashes, InsertError, Item, Ref, Table};
use lvs_wire::addr::{AnyAddr, Endpoint};

/// What the connections of a template and the template know of each other.
pub(crate) struct Control {
    connections: AtomicU32,
    assured: AtomicBool,
}

impl Control {
    pub(crate) fn opened(&self) {
        self.connections.fetch_add(1, Relaxed);
    }

    pub(crate) fn closed(&self) {
        self.connections.fetch_sub(1, Relaxed);
    }

    /// One of the connections has proved to be real.
    #[inline]
    pub(crate) fn assure(&self) {
        if !self.assured.load(Relaxed) {
            self.assured.store(true, Relaxed);
        }
    }
}

/// The server of a network of clients.
pub(crate) struct Template {
    /// The network's first address.
    pub(crate) client: AnyAddr,
    /// What it is for: a mark, or an address with a port or, by port 0, all.
    pub(crate) scope: ServiceKey,
    pub(crate) dest: Arc<Dest>,
    /// The server's port, as listings show it.
    pub(crate) port: u16,
    timeout: u32,
    renewed: AtomicU32,
    pub(crate) control: Arc<Control>,
}

impl Item for Template {}

impl Template {
    /// Holds its server for its whole time again.
    fn renew(&self) {
        self.renewed.store(now().get(), Relaxed);
    }

    fn ends_at(&self, now: Ticks) -> Ticks {
        let renewed = Ticks::new(self.renewed.load(Relaxed));
        let connections = self.control.connections.load(Relaxed);
        persist::ends_at(renewed, self.timeout, connections, now)
    }

    /// Seconds until it ends, if nothing more comes.
    pub(crate) fn expires_in(&self, now: Ticks) -> u32 {
        self.ends_at(now).seconds_after(now)
    }

    /// As stock names it.
    pub(crate) fn state_name(&self) -> &'static str {
        if self.control.assured.load(Relaxed) {
            "ASSURED"
        } else {
            "NONE"
        }
    }
}

/// A client, and what it asks for.
#[derive(Clone, Copy)]
pub(crate) struct Subject<A> {
    pub(crate) client: A,
    pub(crate) scope: ServiceKey,
}

/// All templates of a namespace.
pub(crate) struct Templates {
    table: Table<Template>,
    key: Key,
}

/// Where their memory comes from while the module is loaded.
static CACHE: rcu::Cell<Arc<lvs_table::Cache<Template>>> = rcu::Cell::empty();

/// Keeps the slab cache of templates for all namespaces. To be dropped when
/// their state is gone.
pub(crate) struct Cache(
    #[expect(dead_code, reason = "held for its drop")] Arc<lvs_table::Cache<Template>>,
);

impl Cache {
    /// May sleep.
    pub(crate) fn new() -> Result<Self> {
        let cache = Arc::new(lvs_table::Cache::new(c"lvs_template")?, GFP_KERNEL)?;
        CACHE.replace(Some(rcu::Boxed::new(cache.clone(), Gfp::Kernel)?));
        Ok(Self(cache))
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        CACHE.replace(None);
        // The last reference must be ours: destroying a slab cache sleeps,
        // which a callback must not.
        rcu::barrier();
    }
}

impl Templates {
    /// May sleep.
    pub(crate) fn new() -> Result<Self> {
        let cache = CACHE.read(&ReadLock::new()).cloned().ok_or(ENODEV)?;
        Ok(Self {
            table: Table::new(8, wheel_tick(now()), cache).map_err(|_| ENOMEM)?,
            key: Key::random(),
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    fn hashes<A: Family>(&self, subject: Subject<A>) -> Hashes {
        let client = Endpoint::new(subject.client, 0);
        let hash = match subject.scope {
            ServiceKey::Fwmark { mark, .. } => {
                let scope = Endpoint::new(A::from_words([0, 0, 0, mark]), 0);
                self.key.packet(Protocol::Tcp, client, scope)
            }
            ServiceKey::Address { addr, port, .. } => {
                let addr = A::from_any(addr).unwrap_or(A::UNSPECIFIED);
                let scope = Endpoint::new(addr, port);
                self.key.packet(Protocol::Udp, client, scope)
            }
        };
        (hash, None)
    }

    /// The template of a client, renewed. Any context.
    pub(crate) fn find<'r, A: Family>(
        &'r self,
        rcu: &'r ReadLock,
        subject: Subject<A>,
    ) -> Option<Ref<'r, Template>> {
        let (hash, _) = self.hashes(subject);
        let client = subject.client.into();
        let same = |t: &Template, _| t.client == client && t.scope == subject.scope;
        let (found, _) = self.table.find(rcu, hash, same)?;
        found.renew();
        Some(found)
    }

    /// Remembers `dest` for a client. If another CPU was faster with one for
    /// the same client, it is that one. Any context.
    pub(crate) fn add<'r, A: Family>(
        &'r self,
        rcu: &'r ReadLock,
        subject: Subject<A>,
        dest: &Arc<Dest>,
        port: u16,
        timeout: u32,
    ) -> Option<Ref<'r, Template>> {
        let control = Control {
            connections: AtomicU32::new(0),
            assured: AtomicBool::new(false),
        };
        let now = now();
        let template = Template {
            client: subject.client.into(),
            scope: subject.scope,
            dest: dest.clone(),
            port,
            timeout,
            renewed: AtomicU32::new(now.get()),
            control: Arc::new(control, GFP_ATOMIC).ok()?,
        };
        let (client, scope) = (template.client, template.scope);
        let same = |other: &Template| other.client == client && other.scope == scope;
        let tick = wheel_tick(now.after_seconds(timeout));
        // Counted before it can be found, or who removes it would count first.
        dest.templates(1);
        match self
            .table
            .insert(rcu, template, self.hashes(subject), tick, same)
        {
            Ok(template) => Some(template),
            // Nobody else has found the refused one: it has one side.
            Err(InsertError::Exists { other, .. }) => {
                dest.templates(-1);
                Some(other)
            }
            Err(InsertError::NoMemory) => {
                dest.templates(-1);
                None
            }
        }
    }

    /// Forgets a template. Any context.
    pub(crate) fn remove(&self, template: Ref<'_, Template>) {
        if self.table.remove(template) {
            template.dest.templates(-1);
        }
    }

    /// Forgets what is over. May sleep; one caller at a time.
    pub(crate) fn expire(&self) {
        let now = now();
        let due = |template: &Template| {
            let end = template.ends_at(now);
            if end.is_after(now) {
                Due::At(wheel_tick(end))
            } else {
                Due::Now
            }
        };
        let ended = |template: &Template| template.dest.templates(-1);
        self.table
            .expire(now.get() / lvs_engine::time::TICKS_PER_SECOND, due, ended);
        // No memory now: the next turn tries again.
        let _ = self.table.grow(0);
    }

    /// Forgets all. May sleep; not together with [`Templates::expire`].
    pub(crate) fn clear(&self) {
        self.table.clear(|template| template.dest.templates(-1));
    }

    /// Forgets those of servers that were removed. May sleep.
    pub(crate) fn end_orphans(&self) {
        self.table.for_each(|_, template| {
            if !template.dest.status().available {
                self.remove(template);
            }
        });
    }

    /// Calls `each` for the templates of chain `index`; `false` if there is no
    /// such chain.
    pub(crate) fn for_each_in(
        &self,
        rcu: &ReadLock,
        index: usize,
        mut each: impl FnMut(&Template),
    ) -> bool {
        self.table.for_each_in(rcu, index, |entry| each(&entry))
    }
}
