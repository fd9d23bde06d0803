//! The two settings of connection tracking that decide what its entries count, of the namespace of
//! the thread that asks.

use std::fs;
use std::io;

const ACCOUNTING: &str = "/proc/sys/net/netfilter/nf_conntrack_acct";
const TIMESTAMPS: &str = "/proc/sys/net/netfilter/nf_conntrack_timestamp";

/// Buckets of the table; 0 where that is not told.
pub(super) fn buckets() -> usize {
    let text = fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_buckets");
    text.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// How they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Settings {
    /// Connections that begin now count octets and packets.
    pub(super) accounting: bool,
    /// They have times.
    pub(super) timestamps: bool,
}

impl Settings {
    /// Reads them; `None` where there is no connection tracking.
    pub(super) fn read() -> Option<Settings> {
        let is_on = |path| fs::read_to_string(path).map(|text| text.trim() != "0");
        let accounting = match is_on(ACCOUNTING) {
            Ok(accounting) => accounting,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            // It is there, and what it says is not known: nothing is promised.
            Err(_) => false,
        };
        Some(Settings { accounting, timestamps: is_on(TIMESTAMPS).unwrap_or(false) })
    }

    /// Switches both on where they are off, which an operator has allowed.
    pub(super) fn switch_on(self) -> Settings {
        let on = |was: bool, path| was || fs::write(path, "1").is_ok();
        Settings {
            accounting: on(self.accounting, ACCOUNTING),
            timestamps: on(self.timestamps, TIMESTAMPS),
        }
    }
}
