// SPDX-License-Identifier: GPL-2.0

//! What the options of a segment become: which go, which change, and whether
//! the client's endpoint finds room among 40 bytes.
//!
//! The endpoint comes first, directly behind the fixed header. What has to go
//! for it, in this order:
//!
//! 1. padding;
//! 2. on a SYN the timestamps, which switches them off for the connection; on
//!    any other segment what says something on a SYN only or to nobody, or a
//!    client could fill the room and stay untold; then AccECN counters, then
//!    SACK blocks from the right. Never timestamps there: an ACK without them
//!    would switch off window scaling where the server used SYN cookies.
//!
//! An option that is removed for another reason than room leaves as many NOPs
//! as keep the options behind it aligned.
//!
//! A receiver stops reading at a malformed option and believes those before it
//! (RFC 9293 leaves that open; Linux's `tcp_parse_options`). So these are
//! treated as ever, or a client could have its own endpoint believed, and what
//! is behind them goes.

use super::writer::Writer;
use super::TcpEdit;
use crate::options::{kind, Options, TcpOption, Value};
use crate::tcp::MAX_OPTIONS_LEN;
use crate::toa::Toa;

/// The MSS is not lowered below this, as Linux refuses smaller ones
/// (`TCP_MIN_MSS`).
pub const MIN_MSS: u16 = 88;

/// A client port that Linux reads as a Fast Open cookie when it follows kind
/// 254 on a SYN (`TCPOPT_FASTOPEN_MAGIC`).
pub const FAST_OPEN_PORT: u16 = 0xf989;

/// A client port that Linux reads as SMC when it follows kind 254 on a SYN and
/// [`SMC_ADDR`] follows it (`TCPOPT_SMC_MAGIC`).
pub const SMC_PORT: u16 = 0xe2d4;

/// The first two octets of such an address.
pub const SMC_ADDR: [u8; 2] = [0xc3, 0xd9];

/// What became of the client's endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToaOutcome {
    /// None was to be inserted.
    None,
    /// It is there.
    Inserted,
    /// The other options, or the length of the packet, leave no room.
    NoRoom,
    /// The segment is signed (TCP-MD5 or TCP-AO).
    Md5OrAo,
    /// On a SYN the server would take it for something else.
    ReservedPort,
}

/// The options that a segment gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionsOut {
    bytes: [u8; MAX_OPTIONS_LEN],
    len: usize,
    /// What became of the client's endpoint.
    pub outcome: ToaOutcome,
    /// Options of [`TcpEdit::strip`] that have been removed.
    pub removed: u8,
    /// Timestamps were there and went, as [`TcpEdit::strip_timestamps`] asks.
    pub timestamps_stripped: bool,
    /// Fast Open was there and went, as [`TcpEdit::strip_fast_open`] asks.
    pub fast_open_stripped: bool,
    /// A malformed option was there, and went with all that was behind it.
    pub cut: bool,
    /// Whether anything differs from what was there.
    pub changed: bool,
}

impl OptionsOut {
    /// The options, a multiple of 4 bytes.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }

    /// By how many bytes the segment grows if it had `old_len` bytes of
    /// options; negative when it shrinks.
    #[inline]
    pub fn grow(&self, old_len: usize) -> i32 {
        // Both are at most 40.
        let [new, old] = [self.len, old_len].map(|len| i32::try_from(len).unwrap_or(0));
        new.wrapping_sub(old)
    }
}

/// Says what the options of a segment become.
///
/// `is_syn`: the segment has SYN set. `spare`: bytes by which the packet may
/// grow before its length no longer fits the IP header.
///
/// ```
/// use core::net::Ipv4Addr;
/// use lvs_wire::addr::Endpoint;
/// use lvs_wire::rewrite::{options::{plan, ToaOutcome}, TcpEdit};
/// let client = Endpoint::new(Ipv4Addr::new(192, 0, 2, 7), 12345);
/// let edit = TcpEdit { toa: Some(client.into()), toa_kind: 254, ..TcpEdit::default() };
/// let new = plan(&[2, 4, 5, 0xb4], &edit, true, 1000);
/// assert_eq!(new.outcome, ToaOutcome::Inserted);
/// assert_eq!(new.as_slice(), [254, 8, 0x30, 0x39, 192, 0, 2, 7, 2, 4, 5, 0xb4]);
/// ```
#[inline]
pub fn plan(old: &[u8], edit: &TcpEdit, is_syn: bool, spare: usize) -> OptionsOut {
    let survey = Survey::of(old, edit, is_syn);
    let mut out = match edit.toa {
        None => emit(old, edit, is_syn, Layout::plain(ToaOutcome::None)),
        Some(toa) => {
            let layout = survey.layout(toa, edit.toa_kind, is_syn);
            let out = emit(old, edit, is_syn, layout);
            let grown = out.len.saturating_sub(old.len());
            if layout.outcome == ToaOutcome::Inserted && grown > spare {
                emit(old, edit, is_syn, Layout::plain(ToaOutcome::NoRoom))
            } else {
                out
            }
        }
    };
    out.removed = survey.removed;
    out.timestamps_stripped = survey.stripped;
    out.fast_open_stripped = survey.fast_open;
    out.cut = survey.cut;
    out.changed = out.as_slice() != old;
    out
}

/// What is to happen to one option, before room is considered.
enum Fate {
    /// Only there for alignment, so many bytes.
    Padding(usize),
    /// Stays.
    Keep,
}

/// Whether an option is one of the sender's own that is to be removed.
#[inline]
fn is_stripped(option: &TcpOption<'_>, edit: &TcpEdit) -> bool {
    edit.strip.contains(option.kind)
}

/// Whether an option is the timestamps of a SYN that is to have none.
#[inline]
fn loses_timestamps(option: &TcpOption<'_>, edit: &TcpEdit, is_syn: bool) -> bool {
    is_syn && edit.strip_timestamps && option.kind == kind::TIMESTAMPS
}

/// Whether an option is the Fast Open of a SYN that is to have none.
#[inline]
fn loses_fast_open(option: &TcpOption<'_>, edit: &TcpEdit, is_syn: bool) -> bool {
    is_syn && edit.strip_fast_open && option.kind == kind::FAST_OPEN
}

/// Whether an option is Fast Open's of before it had a kind (RFC 7413,
/// section 4.1.1).
#[inline]
fn is_experimental_fast_open(option: &TcpOption<'_>) -> bool {
    option.kind == kind::EXPERIMENT_2 && option.data().starts_with(&FAST_OPEN_PORT.to_be_bytes())
}

#[inline]
fn fate(option: &TcpOption<'_>, edit: &TcpEdit, is_syn: bool) -> Fate {
    let len = option.bytes.len();
    match option.kind {
        kind::END | kind::NOP => Fate::Padding(len),
        _ if loses_timestamps(option, edit, is_syn) => Fate::Padding(len & 3),
        _ if loses_fast_open(option, edit, is_syn) => Fate::Padding(len & 3),
        _ if is_stripped(option, edit) => Fate::Padding(len & 3),
        _ => Fate::Keep,
    }
}

/// Whether an option tells a receiver nothing on this segment: it is for SYNs,
/// malformed in its data, or of a kind that TCP stacks pass over.
#[inline]
fn is_idle(option: &TcpOption<'_>, is_syn: bool) -> bool {
    !is_syn
        && match option.value() {
            Value::Mss(_) | Value::WindowScale(_) | Value::SackPermitted | Value::BadLength => true,
            Value::Other => option.kind != kind::MPTCP,
            _ => false,
        }
}

/// What the old options hold, in bytes where not said otherwise.
#[derive(Default)]
struct Survey {
    kept: usize,
    padding: usize,
    timestamps: usize,
    idle: usize,
    acc_ecn: usize,
    /// Options with SACK blocks.
    sacks: usize,
    /// Blocks in all of them.
    blocks: usize,
    signed: bool,
    removed: u8,
    /// Timestamps go because they are to.
    stripped: bool,
    /// Fast Open goes.
    fast_open: bool,
    /// One is malformed.
    cut: bool,
}

impl Survey {
    #[inline]
    fn of(old: &[u8], edit: &TcpEdit, is_syn: bool) -> Self {
        let mut survey = Survey::default();
        for option in Options::new(old) {
            match option {
                Ok(option) => survey.count(&option, edit, is_syn),
                Err(_) => survey.cut = true,
            }
        }
        survey
    }

    #[inline]
    fn count(&mut self, option: &TcpOption<'_>, edit: &TcpEdit, is_syn: bool) {
        let add = |sum: &mut usize, n: usize| *sum = sum.saturating_add(n);
        // Where kind 34 has brought no cookie, Linux asks by the experimental
        // form: that is no claim.
        if is_stripped(option, edit) {
            if edit.strip_fast_open && is_syn && is_experimental_fast_open(option) {
                self.fast_open = true;
            } else {
                self.removed = self.removed.saturating_add(1);
            }
        }
        self.stripped |= loses_timestamps(option, edit, is_syn);
        self.fast_open |= loses_fast_open(option, edit, is_syn);
        if let Fate::Padding(len) = fate(option, edit, is_syn) {
            add(&mut self.padding, len);
            return;
        }
        let len = option.bytes.len();
        add(&mut self.kept, len);
        if is_idle(option, is_syn) {
            add(&mut self.idle, len);
            return;
        }
        match option.value() {
            Value::Timestamps { .. } => add(&mut self.timestamps, len),
            Value::AccEcn => add(&mut self.acc_ecn, len),
            Value::Sack(blocks) => {
                add(&mut self.sacks, 1);
                add(&mut self.blocks, blocks.len());
            }
            Value::Md5 | Value::Ao => self.signed = true,
            _ => {}
        }
    }

    /// Decides what goes so that `toa` fits.
    #[inline]
    fn layout(&self, toa: Toa, toa_kind: u8, is_syn: bool) -> Layout {
        if self.signed {
            return Layout::plain(ToaOutcome::Md5OrAo);
        }
        if is_syn && is_misread(toa, toa_kind) {
            return Layout::plain(ToaOutcome::ReservedPort);
        }
        let room = MAX_OPTIONS_LEN.saturating_sub(toa.option_len());
        let all = Layout {
            toa: Some(toa),
            ..Layout::plain(ToaOutcome::Inserted)
        };
        if self.kept.saturating_add(self.padding) <= room {
            return all;
        }
        let packed = Layout {
            padding: false,
            ..all
        };
        let excess = self.kept.saturating_sub(room);
        if excess == 0 {
            return packed;
        }
        let found = if is_syn {
            (self.timestamps >= excess).then_some(Layout {
                timestamps: false,
                ..packed
            })
        } else {
            self.without_counters(excess, packed)
        };
        found.unwrap_or(Layout::plain(ToaOutcome::NoRoom))
    }

    /// Lets idle options go, then AccECN, then as few SACK blocks as possible.
    #[inline]
    fn without_counters(&self, excess: usize, packed: Layout) -> Option<Layout> {
        let layout = Layout {
            idle: false,
            ..packed
        };
        let excess = excess.saturating_sub(self.idle);
        if excess == 0 {
            return Some(layout);
        }
        let layout = Layout {
            acc_ecn: false,
            ..layout
        };
        let excess = excess.saturating_sub(self.acc_ecn);
        let gone = excess.div_ceil(8);
        if gone < self.blocks {
            return Some(Layout {
                blocks: self.blocks.saturating_sub(gone),
                ..layout
            });
        }
        // Without a block left, kind and length go as well.
        let all = self
            .blocks
            .saturating_mul(8)
            .saturating_add(self.sacks.saturating_mul(2));
        (excess <= all).then_some(Layout {
            blocks: 0,
            ..layout
        })
    }
}

/// Whether Linux would take the option for Fast Open or SMC on a SYN: kind 254
/// is shared by experiments (RFC 6994), told apart by what follows.
#[inline]
fn is_misread(toa: Toa, toa_kind: u8) -> bool {
    if toa_kind != kind::EXPERIMENT_2 {
        return false;
    }
    let [_, _, p, q, a, b, ..] = toa.to_bytes(toa_kind);
    match u16::from_be_bytes([p, q]) {
        FAST_OPEN_PORT => true,
        SMC_PORT => [a, b] == SMC_ADDR,
        _ => false,
    }
}

/// What of the old options stays, and what comes before them.
#[derive(Clone, Copy)]
struct Layout {
    toa: Option<Toa>,
    outcome: ToaOutcome,
    padding: bool,
    timestamps: bool,
    idle: bool,
    acc_ecn: bool,
    /// How many SACK blocks stay, from the left.
    blocks: usize,
}

impl Layout {
    /// Everything stays, nothing comes.
    #[inline]
    fn plain(outcome: ToaOutcome) -> Self {
        Self {
            toa: None,
            outcome,
            padding: true,
            timestamps: true,
            idle: true,
            acc_ecn: true,
            blocks: usize::MAX,
        }
    }
}

/// Writes options as a layout says.
#[inline]
fn emit(old: &[u8], edit: &TcpEdit, is_syn: bool, layout: Layout) -> OptionsOut {
    let mut writer = Writer::new();
    if let Some(toa) = layout.toa {
        let bytes = toa.to_bytes(edit.toa_kind);
        writer.push(bytes.get(..toa.option_len()).unwrap_or(&[]));
    }
    let mut blocks = layout.blocks;
    for option in Options::new(old).map_while(Result::ok) {
        if let Fate::Padding(len) = fate(&option, edit, is_syn) {
            if layout.padding {
                writer.pad(option.kind, len);
            }
            continue;
        }
        if !layout.idle && is_idle(&option, is_syn) {
            continue;
        }
        match option.value() {
            Value::Timestamps { .. } if !layout.timestamps => {}
            Value::AccEcn if !layout.acc_ecn => {}
            Value::Sack(present) => {
                let stay = present.len().min(blocks);
                blocks = blocks.saturating_sub(stay);
                writer.sack(&option, stay, edit.sack_add);
            }
            Value::Mss(mss) if is_syn => {
                let [high, low] = lowered(mss, edit).to_be_bytes();
                writer.push(&[kind::MSS, 4, high, low]);
            }
            _ => writer.push(option.bytes),
        }
    }
    let (bytes, len) = writer.finish();
    OptionsOut {
        bytes,
        len,
        outcome: layout.outcome,
        removed: 0,
        timestamps_stripped: false,
        fast_open_stripped: false,
        cut: false,
        changed: false,
    }
}

/// The MSS that is announced instead of `mss`: never more, and less than
/// [`MIN_MSS`] only if it was.
#[inline]
fn lowered(mss: u16, edit: &TcpEdit) -> u16 {
    let capped = mss.min(edit.mss_cap.unwrap_or(u16::MAX));
    capped.saturating_sub(edit.mss_lower).max(MIN_MSS).min(mss)
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "options_properties.rs"]
pub(super) mod properties;
