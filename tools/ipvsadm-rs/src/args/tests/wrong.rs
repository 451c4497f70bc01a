// SPDX-License-Identifier: GPL-2.0

//! Lines that are not taken.

use super::*;
use crate::failure::{REFUSED, USAGE};
use proptest::prelude::*;

fn refusal(line: &str) -> Failure {
    match read(line) {
        Ok(request) => panic!("{line} was taken as {request:?}"),
        Err(failure) => failure,
    }
}

/// Lines that are wrong, stock's exit status, and words of the sentence.
const WRONG: &[(&str, u8, &str)] = &[
    ("-A", USAGE, "service-address"),
    ("-A -t 1.2.3.4", USAGE, "Zero port"),
    ("-A -t 1.2.3.4:80 -n", USAGE, "Illegal 'numeric'"),
    ("-A -t 1.2.3.4:99999", USAGE, "99999"),
    ("-A -t 80", USAGE, "bare number"),
    ("-A -t nowhere:80", USAGE, "nowhere"),
    (
        "-A -t 1.2.3.4:80 -u 1.2.3.4:80",
        USAGE,
        "multiple 'service-address'",
    ),
    (
        "-A -t 1.2.3.4:80 -t 1.2.3.4:80",
        USAGE,
        "multiple 'tcp-service'",
    ),
    ("-A -t 1.2.3.4:80 -p 0", USAGE, "invalid timeout"),
    ("-A -t 1.2.3.4:80 -p 2678401", USAGE, "invalid timeout"),
    ("-A -t 1.2.3.4:80 -o", USAGE, "One-Packet"),
    ("-A -t 1.2.3.4:80 -M x", USAGE, "mask"),
    ("-A -t [::1]:80 -M 129", USAGE, "ipv6 netmask"),
    ("-A -t 1.2.3.4:80 -6", USAGE, "-6 goes with -f"),
    ("-A -t 1.2.3.4:80 -s abcdefghijklmnop", REFUSED, "scheduler"),
    ("-A -t 1.2.3.4:80 -b nope", USAGE, "--fullnat"),
    ("-A -t 1.2.3.4:80 -b sh-port", USAGE, "incompatible"),
    ("-A -t 1.2.3.4:80 -b", REFUSED, "--fullnat"),
    (
        "-A -t 1.2.3.4:80 --masq-only --no-masq-only",
        USAGE,
        "contradict",
    ),
    ("-A -t 1.2.3.4:80 -j enable", REFUSED, "SYNPROXY"),
    ("-A -t 1.2.3.4:80 -j maybe", USAGE, "synproxy"),
    ("-A -f 0", USAGE, "fwmark"),
    ("-A -f 4294967296", USAGE, "fwmark"),
    ("-A -f -5", USAGE, "fwmark"),
    ("-a -t 1.2.3.4:80", USAGE, "real-server"),
    ("-a -t 1.2.3.4:80 -r 1.1.1.1 -b", REFUSED, "--fullnat"),
    ("-a -t 1.2.3.4:80 -r 1.1.1.1 -b -w 1", USAGE, "--fullnat"),
    ("-ab -t 1.2.3.4:80 -r 1.1.1.1", USAGE, "--fullnat"),
    (
        "-a -t 1.2.3.4:80 -r 1.1.1.1 -m -g",
        USAGE,
        "forwarding-method",
    ),
    (
        "-a -t 1.2.3.4:80 -r 1.1.1.1 -m --fullnat",
        USAGE,
        "forwarding-method",
    ),
    ("-a -t 1.2.3.4:80 -r 1.1.1.1 -w -1", USAGE, "weight"),
    ("-a -t 1.2.3.4:80 -r 1.1.1.1 -w 2147483648", USAGE, "weight"),
    (
        "-a -t 1.2.3.4:80 -r 1.1.1.1 -x 2147483648",
        USAGE,
        "u_threshold",
    ),
    (
        "-a -t 1.2.3.4:80 -r 1.1.1.1 -s rr",
        USAGE,
        "Illegal 'scheduler'",
    ),
    ("-a -t 1.2.3.4:80 -r ::1 -m", USAGE, "address family"),
    ("-a -t 1.2.3.4:80 -r 1.1.1.1 -m --tun-type gre", USAGE, "-i"),
    (
        "-a -t 1.2.3.4:80 -r 1.1.1.1 -i --tun-type gue",
        USAGE,
        "tun-port",
    ),
    ("-a -t 1.2.3.4:80 -r 1.1.1.1 -i --tun-csum", USAGE, "ipip"),
    (
        "-a -t 1.2.3.4:80 -r 1.1.1.1 -i --tun-type gre --tun-remcsum",
        USAGE,
        "gre",
    ),
    (
        "-a -t 1.2.3.4:80 -r 1.1.1.1 -i --tun-type gre --tun-csum --tun-nocsum",
        USAGE,
        "Only one",
    ),
    (
        "-a -t 1.2.3.4:80 -r 1.1.1.1 -i --tun-type vxlan",
        USAGE,
        "vxlan",
    ),
    ("-L -A", USAGE, "multiple commands"),
    ("-L -n -n", USAGE, "multiple 'numeric'"),
    ("-L foo", USAGE, "unexpected argument foo"),
    ("--list=foo", REFUSED, "takes no value"),
    ("-L --timeout --daemon", USAGE, "conflicts"),
    ("-L -c -t 1.2.3.4:80", USAGE, "conflicts"),
    ("-L --drops --stats", USAGE, "conflicts"),
    ("-L --conn-legs --drops", USAGE, "conflicts"),
    ("-L --timeout --persistent-conn", USAGE, "conflicts"),
    ("-L -w 3", USAGE, "Illegal 'weight'"),
    ("-L --exakt", REFUSED, "--exact"),
    ("--foo", REFUSED, "unknown option"),
    ("-A -t", REFUSED, "needs a value"),
    ("foo", REFUSED, "not a command"),
    ("-n", REFUSED, "No command"),
    ("-C -n", USAGE, "Illegal"),
    ("--set 1 2", USAGE, "3 timeout"),
    ("--set 1 2 3 4", USAGE, "unexpected argument 4"),
    ("--set 1 x 3", USAGE, "invalid timeout"),
    ("--start-daemon slave", USAGE, "slave"),
    (
        "--start-daemon master --mcast-group 10.0.0.1",
        USAGE,
        "multicast",
    ),
    ("--start-daemon master --syncid 256", USAGE, "syncid"),
    (
        "--start-daemon master --mcast-interface abcdefghijklmnop",
        REFUSED,
        "mcast-interface",
    ),
    ("-P", USAGE, "-z"),
    ("-P -z 10.0.0.1:80", USAGE, "no port"),
    ("-G -z 10.0.0.1", USAGE, "Illegal 'local-address'"),
    ("who", USAGE, "who takes"),
    ("who 10.0.0.1", USAGE, "no port"),
    ("who 10.0.0.1:1 10.0.0.1:2", USAGE, "who takes"),
    ("toa --kinds 1", USAGE, "kinds"),
    ("toa --kinds 250,251,252,253,254", USAGE, "kinds"),
    ("toa --kinds 256", USAGE, "kinds"),
    ("toa --trust 10.0.0.0/33", USAGE, "10.0.0.0/33"),
    ("toa --trust any,10.0.0.0/8", USAGE, "any"),
    ("toa stats", USAGE, "unexpected argument stats"),
    ("toa --foo", REFUSED, "unknown option"),
];

#[test]
fn wrong_lines_get_a_sentence_and_stocks_status() {
    for (line, status, text) in WRONG {
        let failure = refusal(line);
        assert_eq!(failure.status, *status, "{line}: {}", failure.text);
        assert!(failure.text.contains(text), "{line}: {}", failure.text);
        assert!(failure.text.ends_with('.'), "{line}: {}", failure.text);
        assert!(!failure.text.contains('\n'), "{line}: {}", failure.text);
    }
}

proptest! {
    #[test]
    fn no_words_make_it_panic(words in prop::collection::vec("-{0,2}[a-zA-Z0-9.:\\[\\]/,]{0,12}", 0..8)) {
        let _ = Parser::new(&NoNames).parse(&words);
    }

    #[test]
    fn no_options_make_it_panic(picks in prop::collection::vec((0_usize..80, "[0-9a-f.:\\[\\]-]{0,10}"), 1..8)) {
        let names: Vec<&str> = options::names().collect();
        let words: Vec<String> = picks
            .iter()
            .flat_map(|(at, value)| [format!("--{}", names[at.checked_rem(names.len()).unwrap()]), value.clone()])
            .collect();
        let _ = Parser::new(&NoNames).parse(&words);
    }
}
