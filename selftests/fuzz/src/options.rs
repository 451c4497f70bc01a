// SPDX-License-Identifier: GPL-2.0

//! TCP options, read by plain code: a list of those that mean something.

use lvs_wire::rewrite::options::MIN_MSS;
use lvs_wire::rewrite::TcpEdit;

/// The options in `bytes` without padding, `None` if one is malformed.
pub(crate) fn read(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (mut at, mut found) = (0, Vec::new());
    while at < bytes.len() {
        match bytes[at] {
            0 => break,
            1 => at += 1,
            _ => {
                let len = usize::from(*bytes.get(at + 1)?);
                if len < 2 {
                    return None;
                }
                found.push(bytes.get(at..at + len)?.to_vec());
                at += len;
            }
        }
    }
    Some(found)
}

/// Adds to the edges of the blocks of an option that has some.
pub(crate) fn shift_blocks(option: &mut [u8], add: u32) {
    if is_sack(option) {
        for edge in option[2..].chunks_mut(4) {
            let old = u32::from_be_bytes(edge.try_into().unwrap());
            edge.copy_from_slice(&old.wrapping_add(add).to_be_bytes());
        }
    }
}

/// The same in a whole list, where the options stand, up to a malformed one.
pub(crate) fn shift_all(bytes: &mut [u8], add: u32) {
    let mut at = 0;
    while at < bytes.len() && bytes[at] != 0 {
        let len = match (bytes[at], bytes.get(at + 1)) {
            (1, _) => 1,
            (_, Some(len @ 2..)) => usize::from(*len),
            _ => return,
        };
        let Some(option) = bytes.get_mut(at..at + len) else {
            return;
        };
        if len > 1 {
            shift_blocks(option, add);
        }
        at += len;
    }
}

/// Whether an option has SACK blocks.
pub(crate) fn is_sack(option: &[u8]) -> bool {
    option[0] == 5 && option.len() > 2 && option.len() % 8 == 2
}

/// What an edit makes of the options of a segment while there is room for all.
pub(crate) fn edited(old: &[Vec<u8>], edit: &TcpEdit, is_syn: bool) -> Vec<Vec<u8>> {
    let mut new = Vec::new();
    for option in old {
        let kind = option[0];
        let of_syn = (kind == 8 && edit.strip_timestamps) || (kind == 34 && edit.strip_fast_open);
        if edit.strip.contains(kind) || (is_syn && of_syn) {
            continue;
        }
        let mut option = option.clone();
        shift_blocks(&mut option, edit.sack_add);
        if let (true, [2, 4, high, low]) = (is_syn, &mut option[..]) {
            let old = u16::from_be_bytes([*high, *low]);
            let new = old
                .min(edit.mss_cap.unwrap_or(old))
                .saturating_sub(edit.mss_lower);
            // What is small already is not made smaller.
            [*high, *low] = new.max(old.min(MIN_MSS)).to_be_bytes();
        }
        new.push(option);
    }
    new
}
