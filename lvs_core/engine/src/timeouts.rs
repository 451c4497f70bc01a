// SPDX-License-Identifier: GPL-2.0

//! [`Timeouts`]: how long a silent connection is kept, one set per namespace.
//!
//! NAT uses IPVS's table as it is. FULLNAT occupies a port of a local address
//! while it waits, so its closed states are short; what is not closed is
//! shared with NAT, and so is what only the client has closed: a server may
//! take its time for the answer.

use crate::tcp::TcpState;

/// Longest timeout that can be set, in seconds: what 31 bits of jiffies hold at 250 Hz, as IPVS has it in Debian's kernel.
pub const MAX_SECONDS: u32 = 8_589_934;

/// Seconds that an entry is kept after a RST was sent for it.
pub const LINGER_SECONDS: u32 = 3;

/// Which table a connection lives by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// IPVS's values (NAT, DR, TUN).
    Ipvs,
    /// Short closed states (FULLNAT).
    Fullnat,
}

/// A timeout that an operator can set, by the name of its setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// TCP ESTABLISHED, both tables (`--set tcp`).
    Established,
    /// TCP FIN_WAIT of IPVS's table (`--set tcpfin`).
    FinWait,
    /// UDP, both tables (`--set udp`).
    Udp,
    /// TCP FIN_WAIT of FULLNAT.
    FullnatFinWait,
    /// TCP TIME_WAIT of FULLNAT.
    FullnatTimeWait,
    /// TCP CLOSE of FULLNAT.
    FullnatClose,
    /// TCP CLOSE_WAIT of FULLNAT.
    FullnatCloseWait,
    /// TCP LAST_ACK of FULLNAT.
    FullnatLastAck,
}

/// A value outside 1..=[`MAX_SECONDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfRange {
    /// What was asked for, in seconds.
    pub seconds: u32,
}

/// All timeouts of a namespace, in seconds.
///
/// ```
/// # use lvs_engine::{tcp::TcpState, timeouts::{Setting, Table, Timeouts}};
/// let mut timeouts = Timeouts::DEFAULT;
/// assert_eq!(timeouts.tcp(Table::Ipvs, TcpState::TimeWait), 120);
/// assert_eq!(timeouts.tcp(Table::Fullnat, TcpState::TimeWait), 7);
/// timeouts.set(Setting::FullnatTimeWait, 4)?;
/// assert_eq!(timeouts.tcp(Table::Fullnat, TcpState::TimeWait), 4);
/// # Ok::<(), lvs_engine::timeouts::OutOfRange>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    established: u32,
    fin_wait: u32,
    udp: u32,
    fullnat_fin_wait: u32,
    fullnat_time_wait: u32,
    fullnat_close: u32,
    fullnat_close_wait: u32,
    fullnat_last_ack: u32,
}

impl Timeouts {
    /// The values a namespace starts with.
    pub const DEFAULT: Self = Self {
        established: 900,
        fin_wait: 120,
        udp: 300,
        fullnat_fin_wait: 10,
        fullnat_time_wait: 7,
        fullnat_close: 3,
        fullnat_close_wait: 60,
        fullnat_last_ack: 7,
    };

    /// Seconds that a TCP connection in `state` is kept.
    #[inline]
    #[must_use]
    pub const fn tcp(&self, table: Table, state: TcpState) -> u32 {
        use TcpState as T;
        match (table, state) {
            (_, T::Established) => self.established,
            (_, T::None) => 2,
            (_, T::SynSent | T::Listen | T::SynAck) => 120,
            (_, T::SynRecv) => 60,
            (Table::Ipvs, T::FinWait) => self.fin_wait,
            (Table::Ipvs, T::TimeWait) => 120,
            (Table::Ipvs, T::Close) => 10,
            (Table::Ipvs, T::CloseWait) => 60,
            (Table::Ipvs, T::LastAck) => 30,
            (Table::Fullnat, T::FinWait) => self.fullnat_fin_wait,
            (Table::Fullnat, T::TimeWait) => self.fullnat_time_wait,
            (Table::Fullnat, T::Close) => self.fullnat_close,
            (Table::Fullnat, T::CloseWait) => self.fullnat_close_wait,
            (Table::Fullnat, T::LastAck) => self.fullnat_last_ack,
        }
    }

    /// Seconds that a UDP connection is kept.
    #[inline]
    #[must_use]
    pub const fn udp(&self) -> u32 {
        self.udp
    }

    /// The value of one setting, in seconds.
    #[must_use]
    pub const fn get(&self, setting: Setting) -> u32 {
        match setting {
            Setting::Established => self.established,
            Setting::FinWait => self.fin_wait,
            Setting::Udp => self.udp,
            Setting::FullnatFinWait => self.fullnat_fin_wait,
            Setting::FullnatTimeWait => self.fullnat_time_wait,
            Setting::FullnatClose => self.fullnat_close,
            Setting::FullnatCloseWait => self.fullnat_close_wait,
            Setting::FullnatLastAck => self.fullnat_last_ack,
        }
    }

    /// Sets one value. Stock tools send 0 for "leave as it is": the caller skips those.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] if `seconds` is 0 or more than [`MAX_SECONDS`]; nothing is changed then.
    pub fn set(&mut self, setting: Setting, seconds: u32) -> Result<(), OutOfRange> {
        if seconds == 0 || seconds > MAX_SECONDS {
            return Err(OutOfRange { seconds });
        }
        let slot = match setting {
            Setting::Established => &mut self.established,
            Setting::FinWait => &mut self.fin_wait,
            Setting::Udp => &mut self.udp,
            Setting::FullnatFinWait => &mut self.fullnat_fin_wait,
            Setting::FullnatTimeWait => &mut self.fullnat_time_wait,
            Setting::FullnatClose => &mut self.fullnat_close,
            Setting::FullnatCloseWait => &mut self.fullnat_close_wait,
            Setting::FullnatLastAck => &mut self.fullnat_last_ack,
        };
        *slot = seconds;
        Ok(())
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tcp::state::ALL;

    const SETTINGS: [Setting; 8] = [
        Setting::Established,
        Setting::FinWait,
        Setting::Udp,
        Setting::FullnatFinWait,
        Setting::FullnatTimeWait,
        Setting::FullnatClose,
        Setting::FullnatCloseWait,
        Setting::FullnatLastAck,
    ];

    #[test]
    fn both_tables_are_the_documented_ones() {
        // Order of the states' numbers.
        let ipvs = [2, 900, 120, 60, 120, 120, 10, 60, 30, 120, 120];
        let fullnat = [2, 900, 120, 60, 10, 7, 3, 60, 7, 120, 120];
        let timeouts = Timeouts::default();
        for (state, (ipvs, fullnat)) in ALL.into_iter().zip(ipvs.into_iter().zip(fullnat)) {
            assert_eq!(timeouts.tcp(Table::Ipvs, state), ipvs, "{state:?}");
            assert_eq!(timeouts.tcp(Table::Fullnat, state), fullnat, "{state:?}");
        }
        assert_eq!(timeouts.udp(), 300);
    }

    #[test]
    fn a_setting_changes_its_own_value_only() {
        for setting in SETTINGS {
            let mut timeouts = Timeouts::DEFAULT;
            timeouts.set(setting, 77).unwrap();
            for other in SETTINGS {
                let expected = if other == setting {
                    77
                } else {
                    Timeouts::DEFAULT.get(other)
                };
                assert_eq!(timeouts.get(other), expected);
            }
        }
    }

    #[test]
    fn zero_and_too_much_are_refused_and_change_nothing() {
        let mut timeouts = Timeouts::DEFAULT;
        for seconds in [0, MAX_SECONDS + 1, u32::MAX] {
            assert_eq!(
                timeouts.set(Setting::Udp, seconds),
                Err(OutOfRange { seconds })
            );
        }
        assert_eq!(timeouts, Timeouts::DEFAULT);
        assert_eq!(timeouts.set(Setting::Udp, MAX_SECONDS), Ok(()));
    }
}
