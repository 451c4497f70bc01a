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
/// `now_ns` is the time of day, as in Linux (`secure_tcp_seq`): directors that
/// take over from one another share the secret and the time, and so this number.
/// When the clock is set back, [`choose`] keeps a port's numbers from running
/// back with it.
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
        // Only what is after the last number can be compared with what is a margin above it.
        Some(last) if !seq::after(generated, last) => last.wrapping_add(MARGIN),
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

/// The secret that initial sequence numbers are hashed under, as two words.
///
/// Written in hexadecimal, in the order of the bytes: four groups of eight
/// digits like the kernel's `tcp_fastopen_key`, or 32 digits in a row.
///
/// ```
/// # use lvs_engine::isn::Secret;
/// let secret = Secret::from_text(b"00112233-44556677-8899aabb-ccddeeff").unwrap();
/// assert_eq!(secret.to_text(), *b"00112233-44556677-8899aabb-ccddeeff");
/// assert_eq!(Secret::from_text(b"00112233445566778899AABBCCDDEEFF"), Some(secret));
/// assert_eq!(Secret::from_text(b"0011"), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Secret(pub [u64; 2]);

impl Secret {
    /// Reads a secret; `None` if it is written in no such way.
    #[must_use]
    pub fn from_text(text: &[u8]) -> Option<Self> {
        let grouped = text.len() == 35;
        if !grouped && text.len() != 32 {
            return None;
        }
        let mut value = 0_u128;
        for (byte, place) in text.iter().zip(0..35) {
            if grouped && matches!(place, 8 | 17 | 26) {
                if *byte != b'-' {
                    return None;
                }
                continue;
            }
            let digit = char::from(*byte).to_digit(16)?;
            value = (value << 4) | u128::from(digit);
        }
        // CAST: the halves.
        Some(Self([(value >> 64) as u64, value as u64]))
    }

    /// Writes it in four groups.
    #[must_use]
    pub fn to_text(self) -> [u8; 35] {
        let Self([high, low]) = self;
        let value = (u128::from(high) << 64) | u128::from(low);
        let mut text = [b'-'; 35];
        let mut shift = 128_u32;
        for (out, place) in text.iter_mut().zip(0..35) {
            if matches!(place, 8 | 17 | 26) {
                continue;
            }
            shift = shift.saturating_sub(4);
            // CAST: four bits are left.
            let nibble = (value.checked_shr(shift).unwrap_or(0) & 0xf) as u8;
            *out = match nibble {
                0..=9 => b'0'.wrapping_add(nibble),
                _ => b'a'.wrapping_sub(10).wrapping_add(nibble),
            };
        }
        text
    }
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

    #[test]
    fn a_generator_half_the_circle_ahead_is_behind() {
        let last = 1_485_115_372_u32;
        for ahead in [1 << 31, (1 << 31) + 1, (1 << 31) + MARGIN - 1] {
            let isn = choose(last.wrapping_add(ahead), Some(last));
            assert_eq!(isn, last.wrapping_add(MARGIN), "{ahead:#x}");
        }
        let most = last.wrapping_add((1 << 31) - 1);
        assert_eq!(choose(most, Some(last)), most);
    }

    #[test]
    fn a_generator_less_than_the_margin_ahead_is_not_enough() {
        let last = u32::MAX - 5;
        for ahead in [1, MARGIN - 1, MARGIN] {
            let isn = choose(last.wrapping_add(ahead), Some(last));
            assert_eq!(isn, last.wrapping_add(MARGIN), "{ahead:#x}");
        }
        let enough = last.wrapping_add(MARGIN + 1);
        assert_eq!(choose(enough, Some(last)), enough);
    }

    #[test]
    fn a_secret_that_is_written_otherwise_is_none() {
        for text in [
            "",
            "0011223344556677-8899aabb-ccddeeff--",
            "00112233-44556677-8899aabb-ccddeefg",
            "00112233-44556677-8899aabb_ccddeeff",
            "00112233445566778899aabbccddeef",
            "00112233445566778899aabbccddeeff0",
        ] {
            assert_eq!(Secret::from_text(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_secret_is_read_as_it_was_written(words in any::<[u64; 2]>()) {
            prop_assert_eq!(Secret::from_text(&Secret(words).to_text()), Some(Secret(words)));
        }

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
