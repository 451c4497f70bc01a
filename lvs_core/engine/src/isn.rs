// SPDX-License-Identifier: GPL-2.0

//! The initial sequence number that a server sees from a local port, and
//! whether the timestamps of the SYN may pass.
//!
//! A FULLNAT port is used by one client after another, and to the server they
//! are one peer. Each new connection must start above the last one's numbers,
//! or the server's TIME_WAIT socket answers it with an old acknowledgement
//! (RFC 9293 section 3.6.1). And since each client has its own timestamp clock, the
//! server's PAWS check (RFC 7323 section 5) would discard the second one's SYN.

use crate::tcp::seq;
use crate::time::Ticks;

/// Distance kept from the last sequence number the port used before.
pub const MARGIN: u32 = 65_536;

/// Seconds after which a server's TIME_WAIT socket is surely gone.
pub const QUIET_SECONDS: u32 = 60;

/// RFC 6528: a clock of 64 ns steps plus a hash of the connection's addresses
/// and ports under a secret.
///
/// `now_ns` is a monotonic clock; directors that take over from one another
/// share the secret and so this number.
///
/// ```
/// # use lvs_engine::isn;
/// assert_eq!(isn::generate(128, 5), 7);
/// ```
#[inline]
#[must_use]
pub const fn generate(now_ns: u64, hash: u32) -> u32 {
    // CAST: the low 32 bits are the wrapping clock.
    hash.wrapping_add((now_ns >> 6) as u32)
}

/// The number to start with: the generator's, or [`MARGIN`] above the last one
/// the port used if a fast sender has overtaken the generator.
///
/// ```
/// # use lvs_engine::isn;
/// assert_eq!(isn::choose(1_000_000, None), 1_000_000);
/// assert_eq!(isn::choose(1_000_000, Some(10)), 1_000_000);
/// assert_eq!(isn::choose(10, Some(1_000_000)), 1_065_536);
/// ```
#[inline]
#[must_use]
pub const fn choose(generated: u32, last_used: Option<u32>) -> u32 {
    match last_used {
        Some(last) => seq::later(generated, last.wrapping_add(MARGIN)),
        None => generated,
    }
}

/// What to add to a client's sequence numbers so that they start at `isn`.
///
/// ```
/// # use lvs_engine::isn;
/// assert_eq!(isn::delta(5, u32::MAX), 6);
/// ```
#[inline]
#[must_use]
pub const fn delta(isn: u32, client_isn: u32) -> u32 {
    isn.wrapping_sub(client_isn)
}

/// When the timestamps of a client's SYN are taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Timestamps {
    /// Only if the port was in use within the last [`QUIET_SECONDS`].
    #[default]
    Auto,
    /// On every SYN.
    Always,
    /// On none.
    Never,
}

impl Timestamps {
    /// The policy with this number in the sysctl: 0 never, 1 always, 2 auto.
    #[must_use]
    pub const fn from_number(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::Never),
            1 => Some(Self::Always),
            2 => Some(Self::Auto),
            _ => None,
        }
    }

    /// Whether a SYN from a port that was last in use at `last_used` loses its timestamps.
    ///
    /// ```
    /// # use lvs_engine::{isn::Timestamps, time::Ticks};
    /// let freed = Ticks::new(100);
    /// assert!(Timestamps::Auto.strip(Some(freed), freed.after_seconds(60)));
    /// assert!(!Timestamps::Auto.strip(Some(freed), freed.after_seconds(61)));
    /// assert!(!Timestamps::Auto.strip(None, freed));
    /// ```
    #[inline]
    #[must_use]
    pub fn strip(self, last_used: Option<Ticks>, now: Ticks) -> bool {
        match (self, last_used) {
            (Self::Always, _) => true,
            (Self::Never, _) | (Self::Auto, None) => false,
            (Self::Auto, Some(last)) => !now.is_after(last.after_seconds(QUIET_SECONDS)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_policies_have_the_numbers_of_the_sysctl() {
        let all = [Timestamps::Never, Timestamps::Always, Timestamps::Auto];
        for (number, policy) in (0..).zip(all) {
            assert_eq!(Timestamps::from_number(number), Some(policy));
        }
        assert_eq!(Timestamps::from_number(3), None);
        assert_eq!(Timestamps::default(), Timestamps::Auto);
    }

    #[test]
    fn always_and_never_do_not_look_at_the_port() {
        let now = Ticks::new(9);
        for last_used in [None, Some(now)] {
            assert!(Timestamps::Always.strip(last_used, now));
            assert!(!Timestamps::Never.strip(last_used, now));
        }
    }

    #[test]
    fn auto_strips_from_a_port_that_was_in_use_a_minute_ago_and_no_longer() {
        let last = Ticks::new(1000);
        let after = |seconds| Timestamps::Auto.strip(Some(last), last.after_seconds(seconds));
        assert!(after(0) && after(QUIET_SECONDS));
        assert!(!after(QUIET_SECONDS + 1));
        assert!(!Timestamps::Auto.strip(None, last));
    }

    #[test]
    fn the_generator_keeps_ahead_of_125_megabits_a_second() {
        // Bytes; who sends faster is met by the margin.
        assert_eq!(generate(1_000_000_000, 0), 15_625_000);
    }

    proptest! {
        /// A connection never starts at or below what its port has used.
        #[test]
        fn a_new_connection_starts_above_the_last(generated in any::<u32>(), last in any::<u32>()) {
            let isn = choose(generated, Some(last));
            prop_assert!(isn.wrapping_sub(last) >= MARGIN && seq::after(isn, last));
            prop_assert!(isn == generated || isn == last.wrapping_add(MARGIN));
        }

        #[test]
        fn the_generator_never_runs_back(now in any::<u64>(), step in 0..60_000_000_000_u64, hash in any::<u32>()) {
            let before = generate(now, hash);
            let later = generate(now.saturating_add(step), hash);
            prop_assert!(!seq::after(before, later));
        }

        #[test]
        fn the_delta_leads_from_one_to_the_other(isn in any::<u32>(), client in any::<u32>()) {
            prop_assert_eq!(client.wrapping_add(delta(isn, client)), isn);
        }
    }
}
