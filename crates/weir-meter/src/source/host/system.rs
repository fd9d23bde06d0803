//! What machine it is (host_descr) and its network adapters (host_adapters).

use std::fs;

use crate::counters::Counters;

pub(super) const DESCRIPTION: u32 = 2_000;
pub(super) const ADAPTERS: u32 = 2_001;
/// Adapters told. Limit: with 16 octets each they fit a datagram with all other counters.
const ADAPTERS_MAX: usize = 24;
/// sFlow Host Structures, enum `os_name`.
const LINUX: u64 = 2;

/// Host name, UUID, kind of processor, system and its release.
pub(super) fn description(rows: &mut Counters<'_>) {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    rows.text("hostname", &read("/proc/sys/kernel/hostname"));
    // The product's number is readable by root alone; the system's own is as lasting.
    let number = Some(read("/sys/class/dmi/id/product_uuid")).filter(|text| !text.is_empty());
    if let Some(uuid) = uuid(&number.unwrap_or_else(|| read("/etc/machine-id"))) {
        rows.text("UUID", &uuid);
    }
    rows.number("machine_type", machine(std::env::consts::ARCH));
    rows.number("os_name", LINUX);
    rows.text("os_release", &read("/proc/sys/kernel/osrelease"));
}

/// 32 hexadecimal digits with or without dashes, in the usual groups.
fn uuid(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    let groups = [digits.get(..8)?, digits.get(8..12)?, digits.get(12..16)?];
    let rest = [digits.get(16..20)?, digits.get(20..32)?];
    let is_whole = digits.len() == 32;
    is_whole.then(|| [&groups[..], &rest].concat().join("-").to_ascii_lowercase())
}

/// sFlow Host Structures, enum `machine_type`.
fn machine(arch: &str) -> u64 {
    match arch {
        "x86" => 2,
        "x86_64" => 3,
        "sparc" | "sparc64" => 5,
        "powerpc" | "powerpc64" => 7,
        "m68k" => 8,
        "mips" | "mips64" => 9,
        "arm" | "aarch64" => 10,
        "s390x" => 12,
        _ => 1,
    }
}

/// Index and address of each adapter that has one.
pub(super) fn adapters(rows: &mut Counters<'_>) {
    let Ok(entries) = fs::read_dir("/sys/class/net") else { return };
    let mut found: Vec<(u64, String)> = entries
        .flatten()
        .filter_map(|entry| {
            let read = |name: &str| fs::read_to_string(entry.path().join(name)).ok();
            let (index, mac) = (read("ifindex")?, read("address")?);
            Some((index.trim().parse().ok()?, mac.trim().to_owned()))
        })
        .filter(|(_, mac)| mac.len() == 17 && mac != "00:00:00:00:00:00")
        .collect();
    // The lowest are those of the machine, higher ones come and go with containers.
    found.sort();
    for (at, (index, mac)) in found.iter().take(ADAPTERS_MAX).enumerate() {
        rows.number(&format!("adaptor_{at}_ifIndex"), *index);
        rows.text(&format!("adaptor_{at}_MAC_0"), mac);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_machines_are_written_alike() {
        let expected = "3d1219c7-c4c5-404a-aa1f-6d2a48adfda4";
        assert_eq!(uuid("3d1219c7c4c5404aaa1f6d2a48adfda4").as_deref(), Some(expected));
        assert_eq!(uuid("3D1219C7-C4C5-404A-AA1F-6D2A48ADFDA4").as_deref(), Some(expected));
        assert_eq!((uuid(""), uuid("3d1219c7c4c5404aaa1f6d2a48adfda45")), (None, None));
    }
}
