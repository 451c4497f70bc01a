// SPDX-License-Identifier: GPL-2.0

//! Destinations (real servers): what they are set to, which requests for one
//! are refused, and how packets reach them.

use lvs_wire::addr::{AnyAddr, AnyEndpoint, Endpoint, Family};
use lvs_wire::netlink::ipvs::{fwd, tun};

use crate::config::ConfigError;
use crate::conn::Method;
use crate::tunnel::Tunnel;

/// A netlink request about a destination: what was there, unchecked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DestRequest<'a> {
    /// Address as it came.
    pub addr: Option<&'a [u8]>,
    /// Port, host order.
    pub port: Option<u16>,
    /// Address family; absent or 0 is the service's.
    pub af: Option<u16>,
    /// Forwarding method; only the bits of the method count.
    pub method: Option<u32>,
    /// Weight, a signed number.
    pub weight: Option<u32>,
    /// Upper connection threshold.
    pub upper: Option<u32>,
    /// Lower connection threshold.
    pub lower: Option<u32>,
    /// Type of tunnel.
    pub tunnel_type: Option<u8>,
    /// Port of a tunnel, host order.
    pub tunnel_port: Option<u16>,
    /// Flags of a tunnel.
    pub tunnel_flags: Option<u16>,
}

/// What a request to add or edit a destination asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DestConfig {
    /// The method that was asked for; what is in effect says [`in_effect`].
    pub method: Method,
    /// Share of new connections, 0 for none.
    pub weight: u32,
    /// How many connections it may have.
    pub thresholds: Thresholds,
    /// How packets are wrapped, if its method is a tunnel.
    pub tunnel: Tunnel,
}

/// How many connections a destination may have before it gets no new ones, and
/// how few it must have before it gets some again. 0: no limit; of the lower
/// one, three quarters of the upper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Thresholds {
    /// Reached, it gets no more.
    pub upper: u32,
    /// Below it, it does again.
    pub lower: u32,
}

impl Thresholds {
    /// Whether a destination with `connections` has too many, when it had or
    /// had not before.
    ///
    /// ```
    /// # use lvs_engine::dest::Thresholds;
    /// let thresholds = Thresholds { upper: 8, lower: 0 };
    /// assert!(!thresholds.is_reached(false, 7) && thresholds.is_reached(false, 8));
    /// assert!(thresholds.is_reached(true, 6) && !thresholds.is_reached(true, 5));
    /// assert!(!Thresholds::default().is_reached(true, u32::MAX));
    /// ```
    #[inline]
    #[must_use]
    pub const fn is_reached(self, before: bool, connections: u32) -> bool {
        let lower = match self.lower {
            0 => self.upper.saturating_sub(self.upper >> 2),
            lower => lower,
        };
        match self.upper {
            0 => false,
            upper if connections >= upper => true,
            _ => before && connections >= lower,
        }
    }
}

/// What a request is for; it decides which attributes must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Add,
    Edit { old: Option<DestConfig> },
}

impl DestRequest<'_> {
    /// Which destination of a service is meant, for a command that needs no more (delete).
    ///
    /// # Errors
    ///
    /// [`ConfigError::DestMissing`], [`ConfigError::Family`], [`ConfigError::AddressLength`].
    pub fn key(&self, service: Family) -> Result<AnyEndpoint, ConfigError> {
        let (bytes, port) = self.named()?;
        let family = self.family(service)?;
        let addr = family.read(bytes).ok_or(ConfigError::AddressLength)?;
        Ok(Endpoint::new(addr, port))
    }

    /// Which destination a command means that adds or edits one: as [`Self::key`],
    /// but everything must be there.
    ///
    /// # Errors
    ///
    /// As [`Self::key`], and [`ConfigError::DestIncomplete`], [`ConfigError::DestFamilyMixed`].
    pub fn full_key(&self, service: Family) -> Result<AnyEndpoint, ConfigError> {
        self.named()?;
        let (method, ..) = self.full()?;
        let family = self.family(service)?;
        let translates = matches!(method, fwd::MASQ | fwd::FULLNAT)
            && matches!((service, family), (Family::V6, Family::V4));
        if family != service && method != fwd::TUNNEL && !translates {
            return Err(ConfigError::DestFamilyMixed);
        }
        self.key(service)
    }

    /// Checks a request to add `key`, which [`Self::full_key`] has returned;
    /// `exists` says whether it is there.
    ///
    /// Whether there is a route to a unicast address the caller checks afterwards
    /// ([`ConfigError::DestAddress`]).
    ///
    /// # Errors
    ///
    /// The first that applies, in the order of IPVS.
    pub fn add(&self, key: AnyEndpoint, exists: bool) -> Result<DestConfig, ConfigError> {
        let method = self.numbers()?;
        if exists {
            return Err(ConfigError::DestExists);
        }
        if !is_host(key.addr) {
            return Err(ConfigError::DestAddress);
        }
        self.config(method, Command::Add)
    }

    /// Checks a request to edit a destination, which is set to `current` if it is there.
    ///
    /// An edit with method 0 leaves an explicit FULLNAT destination FULLNAT:
    /// stock tools know no other way to say "as it is".
    ///
    /// # Errors
    ///
    /// The first that applies, in the order of IPVS.
    pub fn edit(&self, current: Option<DestConfig>) -> Result<DestConfig, ConfigError> {
        let method = self.numbers()?;
        if current.is_none() {
            return Err(ConfigError::DestUnknown);
        }
        self.config(method, Command::Edit { old: current })
    }

    fn named(&self) -> Result<(&[u8], u16), ConfigError> {
        match (self.addr, self.port) {
            (Some(bytes), Some(port)) => Ok((bytes, port)),
            _ => Err(ConfigError::DestMissing),
        }
    }

    fn family(&self, service: Family) -> Result<Family, ConfigError> {
        match self.af {
            None | Some(0) => Ok(service),
            Some(af) => Family::from_af(af).ok_or(ConfigError::Family),
        }
    }

    /// Method, weight, upper and lower threshold.
    fn full(&self) -> Result<(u32, u32, u32, u32), ConfigError> {
        match (self.method, self.weight, self.upper, self.lower) {
            (Some(method), Some(weight), Some(upper), Some(lower)) => {
                Ok((method & fwd::MASK, weight, upper, lower))
            }
            _ => Err(ConfigError::DestIncomplete),
        }
    }

    /// The checks of IPVS before it looks whether the destination exists.
    fn numbers(&self) -> Result<u32, ConfigError> {
        const INT_MAX: u32 = i32::MAX.unsigned_abs();
        let (method, weight, upper, lower) = self.full()?;
        if weight > INT_MAX {
            return Err(ConfigError::Weight);
        }
        if lower > upper {
            return Err(ConfigError::ThresholdOrder);
        }
        if upper > INT_MAX {
            return Err(ConfigError::ThresholdRange);
        }
        if self.tunnel_type == Some(tun::GUE) && self.tunnel_port.unwrap_or(0) == 0 {
            return Err(ConfigError::TunnelPort);
        }
        Ok(method)
    }

    /// What is not supported, and the rest.
    fn config(&self, method: u32, command: Command) -> Result<DestConfig, ConfigError> {
        let method = match method {
            fwd::MASQ => Method::Nat,
            fwd::LOCALNODE => Method::Local,
            fwd::TUNNEL => Method::Tunnel,
            fwd::DROUTE => Method::Droute,
            fwd::FULLNAT => Method::Fullnat,
            _ => return Err(ConfigError::MethodUnknown),
        };
        Ok(DestConfig {
            method: match command {
                Command::Edit { old: Some(old) } => edited(old.method, method),
                _ => method,
            },
            weight: self.weight.unwrap_or(0),
            thresholds: Thresholds {
                upper: self.upper.unwrap_or(0),
                lower: self.lower.unwrap_or(0),
            },
            tunnel: Tunnel::new(
                self.tunnel_type.unwrap_or(0),
                self.tunnel_port.unwrap_or(0),
                self.tunnel_flags.unwrap_or(0),
            )?,
        })
    }
}

/// The method after an edit that asks for `asked`.
fn edited(old: Method, asked: Method) -> Method {
    match (old, asked) {
        (Method::Fullnat, Method::Nat) => Method::Fullnat,
        _ => asked,
    }
}

/// The method of a new connection to a destination.
///
/// A NAT destination of a service that has local addresses, of its own or from
/// the namespace's default pool, is FULLNAT, unless the service says
/// `--masq-only`. What was set to FULLNAT explicitly always is, and what lies
/// between families: a client of one has no address in the other.
///
/// ```
/// # use lvs_engine::{conn::Method, dest::in_effect};
/// # use lvs_engine::dest::LocalAddresses;
/// let pool = LocalAddresses { some: true, unwanted: false };
/// assert_eq!(in_effect(Method::Nat, pool, false), Method::Fullnat);
/// let masq_only = LocalAddresses { some: true, unwanted: true };
/// assert_eq!(in_effect(Method::Nat, masq_only, false), Method::Nat);
/// assert_eq!(in_effect(Method::Nat, masq_only, true), Method::Fullnat);
/// ```
#[inline]
#[must_use]
pub const fn in_effect(configured: Method, pool: LocalAddresses, between_families: bool) -> Method {
    match configured {
        Method::Nat if between_families || (pool.some && !pool.unwanted) => Method::Fullnat,
        configured => configured,
    }
}

/// What a service has of local addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalAddresses {
    /// It has some, of its own or from the default pool.
    pub some: bool,
    /// It says `--masq-only`.
    pub unwanted: bool,
}

fn is_host(addr: AnyAddr) -> bool {
    use lvs_wire::addr::Address;
    match addr {
        AnyAddr::V4(addr) => addr.is_host(),
        AnyAddr::V6(addr) => addr.is_host(),
    }
}

#[cfg(test)]
mod tests;
