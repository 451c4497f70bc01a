// SPDX-License-Identifier: GPL-2.0

//! [`ConfigError`]: why a request to change the configuration is refused.
//!
//! One variant for each cause. Each has the error number that stock IPVS
//! answers with, for the tools that look at nothing else, and a sentence that
//! says what to do, which goes into the extended acknowledgement.

/// Error numbers, under their C names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errno {
    /// `EINVAL`
    Inval,
    /// `EAFNOSUPPORT`
    AfNoSupport,
    /// `ESRCH`
    Srch,
    /// `EEXIST`
    Exist,
    /// `ENOENT`
    NoEnt,
    /// `ERANGE`
    Range,
    /// `EOPNOTSUPP`
    OpNotSupp,
    /// `ENOPROTOOPT`
    NoProtoOpt,
    /// `EADDRINUSE`
    AddrInUse,
    /// `ENOMEM`
    NoMem,
}

/// Declares the errors with number and sentence from one list.
macro_rules! errors {
    ($( $(#[$meta:meta])* $variant:ident: $errno:ident, $message:literal; )*) => {
        /// Why a request is refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ConfigError {
            $( $(#[$meta])* #[doc = $message] $variant, )*
            /// Stock IPVS can do it, this version cannot yet: it is refused
            /// rather than stored and ignored.
            Unsupported(Unsupported),
        }

        impl ConfigError {
            /// Every variant but [`ConfigError::Unsupported`].
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )* ];

            /// The error number that stock tools expect.
            #[must_use]
            pub const fn errno(self) -> Errno {
                match self {
                    $( Self::$variant => Errno::$errno, )*
                    Self::Unsupported(_) => Errno::OpNotSupp,
                }
            }

            /// What is wrong and what to do about it.
            #[must_use]
            pub const fn message(self) -> &'static str {
                match self {
                    $( Self::$variant => $message, )*
                    Self::Unsupported(what) => what.message(),
                }
            }
        }
    };
}

errors! {
    ServiceMissing: Inval, "The request names no service: give address family and either a firewall mark or protocol, address and port.";
    ServiceIncomplete: Inval, "The service lacks scheduler, flags, timeout or netmask: give all four.";
    AddressLength: Inval, "An address has the wrong length for its family: give 4 bytes for IPv4, 16 for IPv6.";
    Ipv6Off: AfNoSupport, "IPv6 is off in this kernel: boot without ipv6.disable=1.";
    Family: AfNoSupport, "The address family is neither IPv4 nor IPv6.";
    ServiceUnknown: Srch, "There is no such service: add it first.";
    ServiceExists: Exist, "The service exists already: edit it, or delete it first.";
    GoingAway: NoProtoOpt, "The module is being loaded or unloaded: try again.";
    SchedulerUnknown: NoEnt, "No scheduler has this name: rr, wrr, lc, wlc, sed, nq, fo, ovf, twos, sh, dh, mh and none are available.";
    PersistenceEngineUnknown: NoEnt, "No persistence engine has this name: none is available.";
    PrefixLength: Inval, "The persistence prefix of an IPv6 service must be 1 to 128 bits long.";
    DestMissing: Inval, "The request names no destination: give its address and port.";
    DestIncomplete: Inval, "The destination lacks method, weight or a threshold: give method, weight and both thresholds.";
    DestFamilyMixed: Inval, "The destination's address family differs from its service's: only tunnels, and FULLNAT from IPv6 to IPv4, allow that.";
    Weight: Range, "The weight is negative: give 0 to stop new connections, or more.";
    ThresholdOrder: Range, "The lower threshold is above the upper one: lower the first or raise the second.";
    ThresholdRange: Inval, "The upper threshold is greater than 2147483647.";
    TunnelRoute: Inval, "There is no route to the tunnel's other end: add one to the server's address first.";
    TunnelPort: Inval, "A GUE tunnel needs a port: give one above 0.";
    DestExists: Exist, "The destination exists already: edit it, or delete it first.";
    DestUnknown: NoEnt, "The service has no such destination: add it first.";
    DestAddress: Inval, "The destination's address is not one that a host can have: give a unicast address that there is a route to.";
    MethodUnknown: Inval, "No forwarding method of a destination has this number: use masquerading (0), local (1), tunnel (2), direct routing (3) or FULLNAT (5).";
    TunnelType: Inval, "No type of tunnel has this number: use ipip (0), gue (1) or gre (2).";
    TunnelFlags: Inval, "The tunnel has a flag that its type does not know: gue takes checksum or remote checksum, gre checksum, ipip none.";
    Netmask: Inval, "The persistence mask is no mask: its ones must come before its zeros, as in 255.255.255.0.";
    OnePacketTcp: Inval, "One-packet scheduling is for UDP: TCP needs its connections.";
    LocalAddressMissing: Inval, "The request names no local address: give its address family and address.";
    LocalAddressNotUnicast: Inval, "A local address must be one that servers can answer to: neither unspecified, loopback, link-local, multicast nor broadcast.";
    LocalAddressFlags: Inval, "A local address has no such flag.";
    LocalAddressFamily: Inval, "A service of IPv4 has no use for a local address of IPv6: its servers are of IPv4.";
    LocalAddressExists: Exist, "The local address is in this pool already.";
    LocalAddressUnknown: NoEnt, "The pool has no such local address.";
    LocalAddressIsVirtual: AddrInUse, "The address of a virtual service cannot be a local address: replies to it could be taken for requests.";
    Ipv6Fragments: OpNotSupp, "This kernel cannot collect IPv6 fragments: load or install the module nf_defrag_ipv6.";
    PortRangeEmpty: Inval, "The port range is empty: fullnat_lport_min must not be above fullnat_lport_max.";
    PortRangePrivileged: Inval, "The port range begins below 1024: those ports belong to root.";
    TimeoutRange: Inval, "A timeout must be 1 to 8589934 seconds.";
    NoMemory: NoMem, "The kernel has no memory for it.";
}

/// What this version cannot do yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsupported {
    /// Protocols besides TCP and UDP.
    Protocol,
    /// Schedulers of stock IPVS that are not here yet.
    Scheduler,
    /// Flags that mean nothing to the scheduler.
    Flags,
    /// Persistence engines.
    PersistenceEngine,
    /// Sync daemons.
    SyncDaemon,
}

impl Unsupported {
    /// Every variant.
    pub const ALL: &'static [Self] = &[
        Self::Protocol,
        Self::Scheduler,
        Self::Flags,
        Self::PersistenceEngine,
        Self::SyncDaemon,
    ];

    /// What is not supported, and what is instead.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Protocol => "Only TCP and UDP are supported yet.",
            Self::Scheduler => {
                "This scheduler is not supported yet: use rr, wrr, lc, wlc, sed, nq, fo, ovf, twos, sh, dh, mh or none."
            }
            Self::Flags => {
                "A service has no such flag: persistent, ops and, with sh and mh, fallback and port are those there are."
            }
            Self::PersistenceEngine => "Persistence engines are not supported yet: leave out --pe.",
            Self::SyncDaemon => "Connection synchronisation is not supported yet.",
        }
    }
}

impl From<Unsupported> for ConfigError {
    fn from(what: Unsupported) -> Self {
        Self::Unsupported(what)
    }
}

impl From<crate::ports::RangeError> for ConfigError {
    fn from(error: crate::ports::RangeError) -> Self {
        match error {
            crate::ports::RangeError::Empty => Self::PortRangeEmpty,
            crate::ports::RangeError::Privileged => Self::PortRangePrivileged,
        }
    }
}

impl From<crate::timeouts::OutOfRange> for ConfigError {
    fn from(_: crate::timeouts::OutOfRange) -> Self {
        Self::TimeoutRange
    }
}

impl From<crate::sched::UnknownScheduler> for ConfigError {
    fn from(error: crate::sched::UnknownScheduler) -> Self {
        match error {
            crate::sched::UnknownScheduler::NotYet => Self::Unsupported(Unsupported::Scheduler),
            crate::sched::UnknownScheduler::Unknown => Self::SchedulerUnknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_error_has_a_sentence_of_its_own() {
        let mut seen = BTreeSet::new();
        let unsupported = Unsupported::ALL.iter().copied().map(ConfigError::from);
        for error in ConfigError::ALL.iter().copied().chain(unsupported) {
            let message = error.message();
            assert!(seen.insert(message), "{message}");
            assert!(message.ends_with('.') && message.len() > 20, "{message}");
            // An extended acknowledgement must fit beside its request.
            assert!(message.len() < 160, "{message}");
        }
    }

    #[test]
    fn every_scheduler_is_named() {
        for scheduler in crate::sched::Scheduler::ALL {
            let is_name = |word: &str| word == scheduler.name();
            for message in [
                ConfigError::SchedulerUnknown.message(),
                Unsupported::Scheduler.message(),
            ] {
                let mut words = message.split([' ', ',', '.', ':']);
                assert!(words.any(is_name), "{}", scheduler.name());
            }
        }
    }

    #[test]
    fn causes_of_other_modules_are_config_errors() {
        use crate::{ports::RangeError, sched::UnknownScheduler, timeouts::OutOfRange};
        assert_eq!(
            ConfigError::from(RangeError::Empty),
            ConfigError::PortRangeEmpty
        );
        assert_eq!(
            ConfigError::from(RangeError::Privileged),
            ConfigError::PortRangePrivileged
        );
        assert_eq!(
            ConfigError::from(OutOfRange { seconds: 0 }),
            ConfigError::TimeoutRange
        );
        assert_eq!(
            ConfigError::from(UnknownScheduler::Unknown).errno(),
            Errno::NoEnt
        );
        assert_eq!(
            ConfigError::from(UnknownScheduler::NotYet).errno(),
            Errno::OpNotSupp
        );
    }
}
