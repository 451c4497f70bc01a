// SPDX-License-Identifier: GPL-2.0

//! [`TcpState`]: where a balanced TCP connection stands, as IPVS names and moves it.
//!
//! The balancer sees segments, not sockets: the states are a guess at what the
//! two ends do, and tools, timeouts and counters are built on exactly this
//! guess. Names, numbers and every transition are those of Linux 7.3's
//! `ip_vs_proto_tcp.c` (the normal table).

use super::Flags;

/// State of a TCP connection; the numbers are those of IPVS (`IP_VS_TCP_S_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum TcpState {
    /// Just made, no segment seen.
    None = 0,
    /// The handshake is over.
    Established = 1,
    /// The server opened the connection.
    SynSent = 2,
    /// The client's SYN was seen.
    SynRecv = 3,
    /// The server closed first.
    FinWait = 4,
    /// Both closed.
    TimeWait = 5,
    /// Aborted, or nothing that could be understood.
    Close = 6,
    /// The client closed first.
    CloseWait = 7,
    /// Kept for the numbering; nothing leads here.
    LastAck = 8,
    /// Made in advance by a helper.
    Listen = 9,
    /// A SYN that is not believed yet.
    SynAck = 10,
}

use TcpState::{
    Close as CL, CloseWait as CW, Established as ES, FinWait as FW, LastAck as LA, Listen as LI,
    None as NO, SynAck as SA, SynRecv as SR, SynSent as SS, TimeWait as TW,
};

/// Number of states.
pub const STATES: usize = 11;

/// Every state in the order of its number.
pub const ALL: [TcpState; STATES] = [NO, ES, SS, SR, FW, TW, CL, CW, LA, LI, SA];

/// Which half of a connection is seen, and where this segment goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client, and replies are seen too.
    Input,
    /// From the server.
    Output,
    /// From the client, and replies go past the balancer (DR, TUN).
    InputOnly,
}

/// The flag that decides a transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// SYN, whatever else but RST.
    Syn,
    /// FIN, without SYN and RST.
    Fin,
    /// ACK alone.
    Ack,
    /// RST, whatever else.
    Rst,
}

impl Event {
    /// The deciding flag: RST before SYN before FIN before ACK; `None` if none is set.
    #[inline]
    #[must_use]
    pub const fn of(flags: Flags) -> Option<Self> {
        if flags.rst() {
            Some(Self::Rst)
        } else if flags.syn() {
            Some(Self::Syn)
        } else if flags.fin() {
            Some(Self::Fin)
        } else if flags.ack() {
            Some(Self::Ack)
        } else {
            None
        }
    }
}

type Row = [TcpState; STATES];

#[rustfmt::skip]
mod rows {
    use super::{Row, CL, CW, ES, FW, LA, LI, SR, SS, TW};

    //                                  NO  ES  SS  SR  FW  TW  CL  CW  LA  LI  SA
    pub(super) static IN_SYN:  Row = [SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR];
    pub(super) static IN_FIN:  Row = [CL, CW, SS, TW, TW, TW, CL, CW, LA, LI, TW];
    pub(super) static IN_ACK:  Row = [ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES];
    pub(super) static IN_RST:  Row = [CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, SR];

    pub(super) static OUT_SYN: Row = [SS, ES, SS, SR, SS, SS, SS, SS, SS, LI, SR];
    pub(super) static OUT_FIN: Row = [TW, FW, SS, TW, FW, TW, CL, TW, LA, LI, TW];
    pub(super) static OUT_ACK: Row = [ES, ES, SS, ES, FW, TW, CL, CW, LA, ES, ES];
    pub(super) static OUT_RST: Row = [CL, CL, SS, CL, CL, TW, CL, CL, CL, CL, CL];

    pub(super) static ONE_SYN: Row = [SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR];
    pub(super) static ONE_FIN: Row = [CL, FW, SS, TW, FW, TW, CL, CW, LA, LI, TW];
    pub(super) static ONE_ACK: Row = [ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES];
    pub(super) static ONE_RST: Row = [CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL];
}

#[inline]
fn row(direction: Direction, event: Event) -> &'static Row {
    match (direction, event) {
        (Direction::Input, Event::Syn) => &rows::IN_SYN,
        (Direction::Input, Event::Fin) => &rows::IN_FIN,
        (Direction::Input, Event::Ack) => &rows::IN_ACK,
        (Direction::Input, Event::Rst) => &rows::IN_RST,
        (Direction::Output, Event::Syn) => &rows::OUT_SYN,
        (Direction::Output, Event::Fin) => &rows::OUT_FIN,
        (Direction::Output, Event::Ack) => &rows::OUT_ACK,
        (Direction::Output, Event::Rst) => &rows::OUT_RST,
        (Direction::InputOnly, Event::Syn) => &rows::ONE_SYN,
        (Direction::InputOnly, Event::Fin) => &rows::ONE_FIN,
        (Direction::InputOnly, Event::Ack) => &rows::ONE_ACK,
        (Direction::InputOnly, Event::Rst) => &rows::ONE_RST,
    }
}

impl TcpState {
    /// The state after a segment with `flags`; a segment with none of the four closes.
    ///
    /// ```
    /// # use lvs_engine::tcp::{state::Direction, Flags, TcpState};
    /// let open = TcpState::None.next(Direction::Input, Flags::SYN);
    /// assert_eq!(open, TcpState::SynRecv);
    /// assert_eq!(open.next(Direction::Input, Flags::NONE), TcpState::Close);
    /// ```
    #[inline]
    #[must_use]
    pub fn next(self, direction: Direction, flags: Flags) -> Self {
        let Some(event) = Event::of(flags) else {
            return CL;
        };
        // Data of an established connection, by far the most frequent segment,
        // needs no table.
        if matches!(self, ES) && matches!(event, Event::Ack) {
            return ES;
        }
        // CAST: the discriminant is the column.
        row(direction, event)
            .get(self as usize)
            .copied()
            .unwrap_or(CL)
    }

    /// The state with this number, if there is one.
    ///
    /// ```
    /// # use lvs_engine::tcp::TcpState;
    /// assert_eq!(TcpState::from_number(1), Some(TcpState::Established));
    /// assert_eq!(TcpState::from_number(11), None);
    /// ```
    #[inline]
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => NO,
            1 => ES,
            2 => SS,
            3 => SR,
            4 => FW,
            5 => TW,
            6 => CL,
            7 => CW,
            8 => LA,
            9 => LI,
            10 => SA,
            _ => return None,
        })
    }

    /// IPVS's number of this state.
    #[inline]
    #[must_use]
    pub const fn number(self) -> u8 {
        // CAST: the enum is a u8.
        self as u8
    }

    /// The name that `/proc/net/ip_vs_conn` prints.
    ///
    /// ```
    /// # use lvs_engine::tcp::TcpState;
    /// assert_eq!(TcpState::SynRecv.name(), "SYN_RECV");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            NO => "NONE",
            ES => "ESTABLISHED",
            SS => "SYN_SENT",
            SR => "SYN_RECV",
            FW => "FIN_WAIT",
            TW => "TIME_WAIT",
            CL => "CLOSE",
            CW => "CLOSE_WAIT",
            LA => "LAST_ACK",
            LI => "LISTEN",
            SA => "SYNACK",
        }
    }

    /// Whether a connection in this state counts as active (ActiveConn).
    #[inline]
    #[must_use]
    pub const fn is_active(self) -> bool {
        matches!(self, ES | SS | SR | SA)
    }

    /// Whether the connection is over as far as the balancer knows, so that a new SYN starts a new one.
    #[inline]
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, TW | CL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// The table once more, typed independently, as words: one block a
    /// direction, one line a flag, one word a state in the order of `ALL`.
    const EXPECTED: &str = "
        sNO sES sSS sSR sFW sTW sCL sCW sLA sLI sSA
        in  syn  sSR sES sES sSR sSR sSR sSR sSR sSR sSR sSR
        in  fin  sCL sCW sSS sTW sTW sTW sCL sCW sLA sLI sTW
        in  ack  sES sES sSS sES sFW sTW sCL sCW sCL sLI sES
        in  rst  sCL sCL sCL sSR sCL sCL sCL sCL sLA sLI sSR
        out syn  sSS sES sSS sSR sSS sSS sSS sSS sSS sLI sSR
        out fin  sTW sFW sSS sTW sFW sTW sCL sTW sLA sLI sTW
        out ack  sES sES sSS sES sFW sTW sCL sCW sLA sES sES
        out rst  sCL sCL sSS sCL sCL sTW sCL sCL sCL sCL sCL
        one syn  sSR sES sES sSR sSR sSR sSR sSR sSR sSR sSR
        one fin  sCL sFW sSS sTW sFW sTW sCL sCW sLA sLI sTW
        one ack  sES sES sSS sES sFW sTW sCL sCW sCL sLI sES
        one rst  sCL sCL sCL sSR sCL sCL sCL sCL sLA sLI sCL";

    fn state(word: &str) -> TcpState {
        let names = [
            ("sNO", NO),
            ("sES", ES),
            ("sSS", SS),
            ("sSR", SR),
            ("sFW", FW),
            ("sTW", TW),
            ("sCL", CL),
            ("sCW", CW),
            ("sLA", LA),
            ("sLI", LI),
            ("sSA", SA),
        ];
        names.iter().find(|(name, _)| *name == word).unwrap().1
    }

    #[test]
    fn every_cell_is_the_kernels() {
        let mut cells = 0;
        let mut lines = EXPECTED.trim().lines();
        let columns: Vec<_> = lines
            .next()
            .unwrap()
            .split_whitespace()
            .map(state)
            .collect();
        assert_eq!(columns, ALL);
        for line in lines {
            let words: Vec<_> = line.split_whitespace().collect();
            let direction = match words[0] {
                "in" => Direction::Input,
                "out" => Direction::Output,
                _ => Direction::InputOnly,
            };
            let flags = match words[1] {
                "syn" => Flags::SYN,
                "fin" => Flags::FIN,
                "ack" => Flags::ACK,
                _ => Flags::RST,
            };
            for (old, new) in columns.iter().zip(&words[2..]) {
                assert_eq!(
                    old.next(direction, flags),
                    state(new),
                    "{direction:?} {flags:?} in {old:?}"
                );
                cells += 1;
            }
        }
        assert_eq!(cells, 3 * 4 * STATES);
    }

    #[test]
    fn rst_beats_syn_beats_fin_beats_ack() {
        for byte in 0..=u8::MAX {
            let expected = match byte & 0x17 {
                bits if bits & 4 != 0 => Some(Event::Rst),
                bits if bits & 2 != 0 => Some(Event::Syn),
                bits if bits & 1 != 0 => Some(Event::Fin),
                bits if bits & 16 != 0 => Some(Event::Ack),
                _ => None,
            };
            assert_eq!(Event::of(Flags::from_byte(byte)), expected);
        }
    }

    #[test]
    fn a_segment_without_any_flag_closes() {
        for old in ALL {
            for direction in [Direction::Input, Direction::Output, Direction::InputOnly] {
                assert_eq!(old.next(direction, Flags::from_byte(0xe8)), CL);
            }
        }
    }

    #[test]
    fn numbers_and_names_are_the_kernels() {
        let names = [
            "NONE",
            "ESTABLISHED",
            "SYN_SENT",
            "SYN_RECV",
            "FIN_WAIT",
            "TIME_WAIT",
            "CLOSE",
            "CLOSE_WAIT",
            "LAST_ACK",
            "LISTEN",
            "SYNACK",
        ];
        for (number, (state, name)) in ALL.iter().zip(names).enumerate() {
            assert_eq!(usize::from(state.number()), number);
            assert_eq!(TcpState::from_number(state.number()), Some(*state));
            assert_eq!(state.name(), name);
        }
        for number in 11..=u8::MAX {
            assert_eq!(TcpState::from_number(number), None);
        }
    }

    #[test]
    fn four_states_are_active_and_two_are_over() {
        let active: Vec<_> = ALL.iter().filter(|s| s.is_active()).collect();
        assert_eq!(active, [&ES, &SS, &SR, &SA]);
        let over: Vec<_> = ALL.iter().filter(|s| s.is_over()).collect();
        assert_eq!(over, [&TW, &CL]);
    }
}
