// SPDX-License-Identifier: GPL-2.0

//! What a network namespace must be set to after the messages so far: the
//! rules of the documentation, said a second time. The sentences are the
//! product's own, since a refusal is to be for the right cause.

mod dests;
mod locals;
mod replace;
mod services;
mod settings;
mod shown;
mod toa;

use std::collections::BTreeMap;

use lvs_engine::config::{ConfigError, Errno};
use lvs_wire::netlink::{ipvs, lvs, toa as toa_numbers};

use crate::{
    attrs::{Attrs, Policy, Strictness},
    family::Family,
};

pub(crate) use dests::{Dest, FULLNAT};
pub(crate) use locals::{Local, Pools};
pub(crate) use services::{Key, Service};
pub(crate) use settings::{is_secret, Setting, Settings, SETTINGS};
pub(crate) use toa::Toa;

/// Everything that can be configured in a namespace.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    /// In the order in which they were added.
    pub(crate) services: Vec<Service>,
    /// Local addresses by whose they are; `None` is the default pool.
    pub(crate) pools: Pools,
    /// Seconds: TCP, TCP after a FIN, UDP.
    pub(crate) timeouts: [u32; 3],
    /// Under `net.ipv4.vs`.
    pub(crate) settings: Settings,
    /// toa.ko's.
    pub(crate) toa: Toa,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The error number.
    pub(crate) errno: i32,
    /// The sentence, if it is the product's: the kernel's core has its own.
    pub(crate) text: Option<&'static str>,
}

impl Refusal {
    /// Of the kernel's core.
    pub(crate) const fn core(errno: i32) -> Self {
        Self { errno, text: None }
    }

    /// With a sentence that stands beside the code that says it.
    const fn said(errno: i32, text: &'static str) -> Self {
        Self {
            errno,
            text: Some(text),
        }
    }
}

impl From<ConfigError> for Refusal {
    fn from(error: ConfigError) -> Self {
        let errno = match error.errno() {
            Errno::Inval => libc::EINVAL,
            Errno::AfNoSupport => libc::EAFNOSUPPORT,
            Errno::Srch => libc::ESRCH,
            Errno::Exist => libc::EEXIST,
            Errno::NoEnt => libc::ENOENT,
            Errno::Range => libc::ERANGE,
            Errno::OpNotSupp => libc::EOPNOTSUPP,
            Errno::NoProtoOpt => libc::ENOPROTOOPT,
            Errno::AddrInUse => libc::EADDRINUSE,
            Errno::NoMem => libc::ENOMEM,
        };
        Self::said(errno, error.message())
    }
}

/// What becomes of a request that the core let through to its family.
pub(crate) type Verdict<T = ()> = Result<T, Refusal>;

/// A request's top level.
pub(crate) struct Request<'a> {
    pub(crate) attrs: Attrs<'a>,
    /// All attributes as they lie in the message, for those that may be there several times.
    pub(crate) body: &'a [u8],
}

impl State {
    /// A request that does something.
    pub(crate) fn does(&mut self, family: Family, command: u8, request: &Request<'_>) -> Verdict {
        match family {
            Family::Ipvs => self.ipvs(command, &request.attrs),
            Family::Lvs if command == lvs::cmd::REPLACE => self.replace(request),
            Family::Lvs => self.lvs(command, &request.attrs),
            Family::Toa if command == toa_numbers::cmd::SET_CONFIG => self.toa.change(request),
            Family::Toa => Ok(()),
        }
    }

    /// A request that lists something: how many there are, where that is known.
    pub(crate) fn lists(
        &self,
        family: Family,
        command: u8,
        attrs: &Attrs<'_>,
    ) -> Verdict<Option<usize>> {
        Ok(match (family, command) {
            (Family::Ipvs, ipvs::cmd::GET_SERVICE) => Some(self.services.len()),
            // As stock: a service that is missing or odd has none.
            (Family::Ipvs, ipvs::cmd::GET_DEST) => {
                let key = services::request(attrs).and_then(|request| request.key());
                let service = key.ok().and_then(|key| self.service(&key));
                Some(service.map_or(0, |service| service.dests.len()))
            }
            (Family::Ipvs, _) => Some(0),
            (Family::Lvs, lvs::cmd::GET_SERVICE) => Some(self.services.len()),
            (Family::Lvs, lvs::cmd::GET_DEST) => {
                let key = services::owner(attrs)?.ok_or(ConfigError::ServiceMissing)?;
                let service = self.service(&key).ok_or(ConfigError::ServiceUnknown)?;
                Some(service.dests.len())
            }
            (Family::Lvs, lvs::cmd::GET_LADDR) => {
                services::owner(attrs)?;
                // Those that were just removed may still be listed.
                None
            }
            (Family::Lvs, _) => {
                locals::filter(attrs)?;
                Some(0)
            }
            (Family::Toa, _) => None,
        })
    }

    fn ipvs(&mut self, command: u8, attrs: &Attrs<'_>) -> Verdict {
        use ipvs::cmd;
        match command {
            cmd::NEW_SERVICE => self.add_service(attrs),
            cmd::SET_SERVICE => self.edit_service(attrs),
            cmd::DEL_SERVICE => self.delete_service(attrs),
            cmd::GET_SERVICE => self.known(attrs).map(|_| ()),
            cmd::NEW_DEST => self.add_dest(attrs),
            cmd::SET_DEST => self.edit_dest(attrs),
            cmd::DEL_DEST => self.delete_dest(attrs),
            cmd::NEW_DAEMON => settings::start_daemon(attrs),
            cmd::DEL_DAEMON => settings::stop_daemon(attrs),
            cmd::SET_CONFIG => self.set_timeouts(attrs),
            cmd::ZERO if attrs.has(ipvs::attr::SERVICE) => self.known(attrs).map(|_| ()),
            cmd::FLUSH => {
                self.services.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn lvs(&mut self, command: u8, attrs: &Attrs<'_>) -> Verdict {
        use lvs::cmd;
        match command {
            cmd::GET_SERVICE => {
                let key = services::owner(attrs)?.ok_or(ConfigError::ServiceMissing)?;
                self.service(&key).ok_or(ConfigError::ServiceUnknown)?;
                Ok(())
            }
            cmd::SET_SERVICE => self.set_flags(attrs),
            cmd::NEW_LADDR => self.add_local(attrs),
            cmd::DEL_LADDR => self.delete_local(attrs),
            _ => Ok(()),
        }
    }

    /// The service that a key names.
    pub(crate) fn service(&self, key: &Key) -> Option<&Service> {
        self.services.iter().find(|service| service.key == *key)
    }

    fn service_mut(&mut self, key: &Key) -> Option<&mut Service> {
        self.services.iter_mut().find(|service| service.key == *key)
    }

    /// The service that a request of the family `IPVS` names.
    fn known(&mut self, attrs: &Attrs<'_>) -> Verdict<&mut Service> {
        let key = services::request(attrs)?.key()?;
        Ok(self.service_mut(&key).ok_or(ConfigError::ServiceUnknown)?)
    }
}

/// The attributes of the service, destination, local address or sync daemon
/// that a request names: whatever is wrong in them is `EINVAL`.
fn named<'a>(payload: &'a [u8], policy: &[Policy], how: Strictness) -> Verdict<Attrs<'a>> {
    nested(payload, policy, how).map_err(|_| Refusal::core(libc::EINVAL))
}

/// The attributes in a nest.
fn nested<'a>(payload: &'a [u8], policy: &[Policy], how: Strictness) -> Verdict<Attrs<'a>> {
    Attrs::parse(payload, policy, how).map_err(Refusal::core)
}

/// The counted names of something, for a map that is printed.
pub(crate) type Named<T> = BTreeMap<&'static str, T>;
