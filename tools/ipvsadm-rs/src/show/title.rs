// SPDX-License-Identifier: GPL-2.0

//! What stands above a listing of services.

use crate::args::request::Columns;
use crate::model::info::Info;

/// The first line, above a listing of every service.
pub(crate) fn banner(info: &Info) -> String {
    format!(
        "IP Virtual Server version {} (size={})\n",
        info.version_text(),
        info.size as i32
    )
}

/// The names of the columns.
pub(crate) fn columns(columns: Columns) -> String {
    let five = |names: [&str; 5]| {
        let [a, b, c, d, e] = names;
        format!(
            "{:<33} {a:>8} {b:>8} {c:>8} {d:>8} {e:>8}\n  -> RemoteAddress:Port\n",
            "Prot LocalAddress:Port"
        )
    };
    match columns {
        Columns::Stats => five(["Conns", "InPkts", "OutPkts", "InBytes", "OutBytes"]),
        Columns::Rate => five(["CPS", "InPPS", "OutPPS", "InBPS", "OutBPS"]),
        Columns::Thresholds => format!(
            "{:<33} {:<10} {:<10} {:<10} {:<10}\n  -> RemoteAddress:Port\n",
            "Prot LocalAddress:Port", "Uthreshold", "Lthreshold", "ActiveConn", "InActConn"
        ),
        Columns::Persistent => format!(
            "{:<33} {:<9} {:<11} {:<10} {:<10}\n  -> RemoteAddress:Port\n",
            "Prot LocalAddress:Port", "Weight", "PersistConn", "ActiveConn", "InActConn"
        ),
        Columns::Tunnel => "Prot LocalAddress:Port Scheduler Flags\n  \
             -> RemoteAddress:Port           Forward TunnelInfo    Weight ActiveConn InActConn\n"
            .into(),
        Columns::Usual => "Prot LocalAddress:Port Scheduler Flags\n  \
             -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n"
            .into(),
    }
}
