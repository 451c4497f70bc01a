// SPDX-License-Identifier: GPL-2.0

//! Local addresses, owner by owner.

use std::io::ErrorKind;
use std::net::{IpAddr, UdpSocket};

use super::{style, Session};
use crate::args::request::Request;
use crate::failure::Failure;
use crate::model::laddr::LocalAddress;
use crate::model::service::ServiceKey;
use crate::show::{json, laddr};

impl Session<'_, '_, '_> {
    /// An address that this machine does not have is taken, because it may
    /// come later, as a VRRP address does.
    pub(super) fn add_local(
        &mut self,
        service: Option<&ServiceKey>,
        addr: IpAddr,
        dedicated: bool,
    ) -> Result<(), Failure> {
        self.kernel.add_local(service, addr, dedicated)?;
        if !self.restoring && is_elsewhere(addr) {
            self.kernel.add_warning(&format!(
                "{addr} is not an address of this machine, so servers' answers will not come here: add it (ip addr add {addr} dev DEVICE).",
            ));
        }
        Ok(())
    }

    pub(super) fn list_locals(
        &mut self,
        key: Option<&ServiceKey>,
        request: &Request,
    ) -> Result<(), Failure> {
        let owners = match key {
            Some(_) => vec![self.kernel.locals(key)?],
            None => self.all_locals()?,
        };
        if request.format.json {
            let list: Vec<LocalAddress> = owners.into_iter().flatten().collect();
            return self.output.text(&json::text(&json::locals(&list)));
        }
        let style = style(request);
        self.output.text(&laddr::title())?;
        for locals in &owners {
            self.output.text(&laddr::lines(locals, &style))?;
        }
        Ok(())
    }

    /// Every local address, the default pool's first and then each service's.
    pub(super) fn all_locals(&mut self) -> Result<Vec<Vec<LocalAddress>>, Failure> {
        let mut owners: Vec<Vec<LocalAddress>> = Vec::new();
        for local in self.kernel.locals(None)? {
            add(&mut owners, local);
        }
        // Asked of the family that anyone may ask.
        for (key, extra) in self.kernel.extras()? {
            let known = owners.iter().any(|o| belongs(o, Some(&key)));
            if extra.local_addresses > 0 && !known {
                for local in self.kernel.locals(Some(&key))? {
                    add(&mut owners, local);
                }
            }
        }
        Ok(owners)
    }
}

/// Whether the kernel knows that `addr` is not this machine's. Only a socket
/// can ask so that routing tables and namespaces are respected.
fn is_elsewhere(addr: IpAddr) -> bool {
    UdpSocket::bind((addr, 0)).is_err_and(|error| error.kind() == ErrorKind::AddrNotAvailable)
}

fn add(owners: &mut Vec<Vec<LocalAddress>>, local: LocalAddress) {
    match owners
        .iter_mut()
        .find(|o| belongs(o, local.service.as_ref()))
    {
        Some(owner) => owner.push(local),
        None => owners.push(vec![local]),
    }
}

fn belongs(owner: &[LocalAddress], key: Option<&ServiceKey>) -> bool {
    owner.first().is_some_and(|l| l.service.as_ref() == key)
}
