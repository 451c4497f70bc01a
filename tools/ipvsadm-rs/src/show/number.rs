// SPDX-License-Identifier: GPL-2.0

//! Counters in columns, as stock rounds them.

use std::fmt::Write;

/// Adds a counter: nine columns with K, M, G or T where it is large, or in
/// full behind a space.
pub(crate) fn large(out: &mut String, value: u64, exact: bool) {
    // Writing to a string cannot fail.
    let _ = if exact {
        write!(out, " {value:>8}")
    } else if value < 100_000_000 {
        write!(out, "{value:>9}")
    } else {
        let (value, unit) = scaled(value);
        write!(out, "{value:>8}{unit}")
    };
}

fn scaled(value: u64) -> (u64, char) {
    const K: u64 = 1_000;
    const M: u64 = 1_000 * K;
    const G: u64 = 1_000 * M;
    const T: u64 = 1_000 * G;
    if value < G {
        (value / K, 'K')
    } else if value < 100 * G {
        (value / M, 'M')
    } else if value < 100 * T {
        (value / G, 'G')
    } else {
        (value / T, 'T')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: u64, exact: bool) -> String {
        let mut out = String::new();
        large(&mut out, value, exact);
        out
    }

    #[test]
    fn numbers_are_rounded_where_stock_rounds() {
        for (value, expected) in [
            (0, "        0"),
            (99_999_999, " 99999999"),
            (100_000_000, "  100000K"),
            (999_999_999, "  999999K"),
            (1_000_000_000, "    1000M"),
            (99_999_999_999, "   99999M"),
            (100_000_000_000, "     100G"),
            (99_999_999_999_999, "   99999G"),
            (100_000_000_000_000, "     100T"),
        ] {
            assert_eq!(text(value, false), expected);
        }
    }

    #[test]
    fn exact_numbers_are_in_full() {
        assert_eq!(text(1, true), "        1");
        assert_eq!(text(100_000_000, true), " 100000000");
    }
}
