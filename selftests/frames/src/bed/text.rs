// SPDX-License-Identifier: GPL-2.0

//! The bed as text: what the programs read that make it.

use super::{
    addr, Key, Service, ALL_PORTS, CLIENTS, CLIENT_LINK, DIRECTOR_MAC, FICKLE, FIRST_SERVER,
    GATEWAY, LOCALS, LOCAL_COUNT, MARKED_VIP, PEER_MAC, ROUTER, SERVERS, SERVICES, VIP, WHOLE_VIP,
};
use std::{fmt::Write, net::IpAddr};

impl Service {
    /// The lines of `ipvsadm-rs -S` that make it.
    fn rules(&self, place: usize, six: bool) -> String {
        let mut text = String::new();
        for tcp in [true, false] {
            let Some((key, server)) = self.names(place, six, tcp) else {
                continue;
            };
            writeln!(text, "-A {key} -s rr {}", self.words.0).unwrap();
            for &host in self.pool {
                let dedicated = if self.pool == ALL_PORTS {
                    "--dedicated"
                } else {
                    ""
                };
                let local = addr(self.server_is_six(six), LOCALS, host);
                writeln!(text, "-P {key} -z {local} {dedicated}").unwrap();
            }
            writeln!(text, "-a {key} -r {server} {}", self.server_options()).unwrap();
        }
        text
    }

    /// Its server's options.
    fn server_options(&self) -> String {
        format!("{} {}", self.method.options(), self.words.1)
    }

    /// The service, and its server, as options name them. `None`: there is no
    /// service of its own for that protocol.
    fn names(&self, place: usize, six: bool, tcp: bool) -> Option<(String, String)> {
        let (virt, port) = self.virt(six, tcp)?;
        let real = shown(self.real(place, six), None);
        Some(match self.key {
            Key::Ports(..) => {
                let option = if tcp { "-t" } else { "-u" };
                let key = format!("{option} {}", shown(virt, Some(port)));
                (key, format!("{real}:{port}"))
            }
            Key::Whole => (format!("-t {}", shown(virt, Some(0))), format!("{real}:0")),
            // One service for both protocols.
            Key::Mark if !tcp => return None,
            Key::Mark => (
                format!("-f {}{}", mark(six), if six { " -6" } else { "" }),
                format!("{real}:0"),
            ),
        })
    }
}

/// The mark of packets to the address that is known by it.
fn mark(six: bool) -> u8 {
    1 + u8::from(six)
}

fn shown(addr: IpAddr, port: Option<u16>) -> String {
    let addr = match addr {
        IpAddr::V4(a) => a.to_string(),
        IpAddr::V6(a) => format!("[{a}]"),
    };
    port.map_or(addr.clone(), |port| format!("{addr}:{port}"))
}

/// For `ipvsadm-rs -R`: all services.
pub(crate) fn rules() -> String {
    each(|service, place, six| service.rules(place, six))
}

/// The same: servers that come and go, go.
pub(crate) fn servers_go() -> String {
    servers("-d", |_| String::new())
}

/// And they come back.
pub(crate) fn servers_come() -> String {
    servers("-a", Service::server_options)
}

fn servers(command: &str, options: impl Fn(&Service) -> String) -> String {
    each(|service, place, six| {
        let mut text = String::new();
        for tcp in [true, false] {
            if let Some((key, server)) = service.names(place, six, tcp) {
                if service.name == FICKLE {
                    writeln!(text, "{command} {key} -r {server} {}", options(service)).unwrap();
                }
            }
        }
        text
    })
}

fn each(what: impl Fn(&Service, usize, bool) -> String) -> String {
    let all = SERVICES.iter().enumerate();
    all.flat_map(|(place, service)| [(place, service, false), (place, service, true)])
        .filter(|(_, service, six)| service.has(*six))
        .map(|(place, service, six)| what(service, place, six))
        .collect()
}

/// For `ip -batch`, when both taps are there.
pub(crate) fn network() -> String {
    let mut text = String::from("link set lo up\n");
    let mac = |m: [u8; 6]| m.map(|b| format!("{b:02x}")).join(":");
    for (side, (dev, net)) in [("client", CLIENT_LINK), ("server", SERVERS)]
        .into_iter()
        .enumerate()
    {
        let peer = mac(PEER_MAC[side]);
        writeln!(
            text,
            "link set {dev} address {} txqueuelen 4000 up",
            mac(DIRECTOR_MAC[side])
        )
        .unwrap();
        for six in [false, true] {
            let length = if six { 64 } else { 24 };
            writeln!(
                text,
                "addr add {}/{length} dev {dev}{}",
                addr(six, net, ROUTER),
                if six { " nodad" } else { "" }
            )
            .unwrap();
            // Nobody answers for others here: all neighbours are known.
            let hosts = if net == SERVERS {
                FIRST_SERVER..FIRST_SERVER + u8::try_from(SERVICES.len()).unwrap()
            } else {
                GATEWAY..GATEWAY + 1
            };
            for host in hosts {
                writeln!(
                    text,
                    "neigh add {} lladdr {peer} dev {dev} nud permanent",
                    addr(six, net, host)
                )
                .unwrap();
            }
        }
    }
    for six in [false, true] {
        let nodad = if six { " nodad" } else { "" };
        for host in [VIP, MARKED_VIP, WHOLE_VIP] {
            writeln!(
                text,
                "addr add {} dev lo{nodad}",
                addr(six, CLIENT_LINK, host)
            )
            .unwrap();
        }
        for host in 1..=LOCAL_COUNT {
            writeln!(text, "addr add {} dev lo{nodad}", addr(six, LOCALS, host)).unwrap();
        }
        let length = if six { 64 } else { 24 };
        writeln!(
            text,
            "route add {}/{length} via {}",
            addr(six, CLIENTS, 0),
            addr(six, CLIENT_LINK, GATEWAY)
        )
        .unwrap();
    }
    text
}

/// For `nft -f`.
pub(crate) fn marks() -> String {
    let mut text = String::from(
        "table inet bed { chain marks { type filter hook prerouting priority mangle;\n",
    );
    for (six, ip) in [(false, "ip"), (true, "ip6")] {
        writeln!(
            text,
            "{ip} daddr {} meta mark set {}",
            addr(six, CLIENT_LINK, MARKED_VIP),
            mark(six)
        )
        .unwrap();
    }
    text.push_str("}\n}\n");
    text
}
