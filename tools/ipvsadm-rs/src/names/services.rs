// SPDX-License-Identifier: GPL-2.0

//! Port names of protocols that `getaddrinfo` cannot be asked about.

use std::fs;

const FILE: &str = "/etc/services";

/// The port called `name`, which may be an alias.
pub(super) fn port(name: &str, protocol: &str) -> Option<u16> {
    let text = fs::read_to_string(FILE).ok()?;
    let entry = entries(&text, protocol).find(|entry| entry.names.contains(&name));
    entry.map(|entry| entry.port)
}

/// What `port` is called.
pub(super) fn name(port: u16, protocol: &str) -> Option<String> {
    let text = fs::read_to_string(FILE).ok()?;
    let entry = entries(&text, protocol).find(|entry| entry.port == port);
    entry?.names.first().map(ToString::to_string)
}

struct Entry<'a> {
    port: u16,
    names: Vec<&'a str>,
}

fn entries<'a>(text: &'a str, protocol: &'a str) -> impl Iterator<Item = Entry<'a>> {
    text.lines().filter_map(move |line| {
        let line = line.split('#').next()?;
        let mut words = line.split_whitespace();
        let name = words.next()?;
        let (port, of) = words.next()?.split_once('/')?;
        (of == protocol).then_some(())?;
        Some(Entry {
            port: port.parse().ok()?,
            names: [name].into_iter().chain(words).collect(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_a_name_a_port_and_aliases() {
        let text = "# ports\nm3ua 2905/sctp sigtran # SS7\nssh 22/tcp\n";
        let found: Vec<Entry<'_>> = entries(text, "sctp").collect();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].port, 2905);
        assert_eq!(found[0].names, ["m3ua", "sigtran"]);
    }
}
