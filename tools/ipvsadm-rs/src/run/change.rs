// SPDX-License-Identifier: GPL-2.0

//! Changes.

use super::Session;
use crate::args::request::{Action, MasqOnly};
use crate::failure::Failure;
use crate::model::dest::{DestKey, DestSettings, Method};
use crate::model::laddr::LocalAddress;
use crate::model::service::{ServiceKey, Settings};

impl Session<'_, '_, '_> {
    pub(super) fn change(&mut self, action: &Action) -> Result<(), Failure> {
        match action {
            Action::AddService(key, settings, masq_only) => {
                self.add_service(key, settings, *masq_only)
            }
            Action::EditService(key, settings, masq_only) => {
                self.needs_lvs_for_masq_only(*masq_only)?;
                self.kernel.edit_service(key, settings)?;
                self.set_masq_only(key, *masq_only)
            }
            Action::DeleteService(key) => self.kernel.delete_service(key),
            Action::Clear => self.kernel.clear(),
            Action::AddDest(service, key, settings) => {
                self.needs_lvs_for_fullnat(settings)?;
                self.kernel.add_dest(service, key, settings)?;
                self.warn_without_local(service, key, settings)
            }
            Action::EditDest(service, key, settings) => {
                self.needs_lvs_for_fullnat(settings)?;
                self.kernel.edit_dest(service, key, settings)?;
                self.warn_without_local(service, key, settings)
            }
            Action::DeleteDest(service, key) => self.kernel.delete_dest(service, key),
            Action::Zero(key) => self.kernel.zero(key.as_ref()),
            Action::SetTimeouts(timeouts) => self.kernel.set_timeouts(timeouts),
            Action::StartDaemon(daemon) => self.kernel.start_daemon(daemon),
            Action::StopDaemon(role) => self.kernel.stop_daemon(*role),
            _ => Ok(()),
        }
    }

    /// Two messages, so the second one's refusal takes the first one back.
    fn add_service(
        &mut self,
        key: &ServiceKey,
        settings: &Settings,
        masq_only: MasqOnly,
    ) -> Result<(), Failure> {
        self.needs_lvs_for_masq_only(masq_only)?;
        self.kernel.add_service(key, settings)?;
        let flagged = self.set_masq_only(key, masq_only);
        if flagged.is_err() {
            // The refusal is what matters; a service that is gone is as wanted.
            let _ = self.kernel.delete_service(key);
        }
        flagged
    }

    fn set_masq_only(&mut self, key: &ServiceKey, masq_only: MasqOnly) -> Result<(), Failure> {
        match masq_only {
            MasqOnly::Keep => Ok(()),
            MasqOnly::On => self.kernel.set_masq_only(key, true),
            MasqOnly::Off => self.kernel.set_masq_only(key, false),
        }
    }

    fn needs_lvs_for_masq_only(&self, masq_only: MasqOnly) -> Result<(), Failure> {
        if masq_only == MasqOnly::Keep || self.kernel.is_lvs() {
            return Ok(());
        }
        Err(Failure::refused(
            "--masq-only needs the lvs module, and the kernel runs stock ip_vs, where NAT always stays NAT: leave it out.",
        ))
    }

    /// Stock ip_vs would store the method and then send packets nowhere.
    fn needs_lvs_for_fullnat(&self, settings: &DestSettings) -> Result<(), Failure> {
        if settings.method != Method::FULLNAT || self.kernel.is_lvs() {
            return Ok(());
        }
        Err(Failure::refused(
            "--fullnat needs the lvs module, and the kernel runs stock ip_vs: \
             unload it (`ipvsadm -C`, then `modprobe -r` its ip_vs_* schedulers and ip_vs) and load lvs (`modprobe lvs`), or use -m.",
        ))
    }

    /// FULLNAT without a local address is accepted, because the address may
    /// come later, as it may in a rules file.
    fn warn_without_local(
        &mut self,
        service: &ServiceKey,
        dest: &DestKey,
        settings: &DestSettings,
    ) -> Result<(), Failure> {
        if settings.method != Method::FULLNAT || self.restoring {
            return Ok(());
        }
        // Servers answer to addresses of their own family.
        let is_v6 = dest.addr.is_ipv6();
        let usable = |l: &LocalAddress| {
            !l.draining
                && l.addr.is_ipv6() == is_v6
                && l.service.is_none_or(|owner| owner == *service)
        };
        if !self.kernel.locals(None)?.iter().any(usable) {
            let family = if is_v6 { "IPv6" } else { "IPv4" };
            self.kernel.add_warning(&format!(
                "the service has no local address of {family} yet, so connections to this server are refused and counted as no_local_address: add one with -P.",
            ));
        }
        Ok(())
    }
}
