//! Disks (host_disk_io): room on file systems, and what block devices did.

use std::collections::HashSet;
use std::fs;

use crate::counters::Counters;

pub(super) const DISKS: u32 = 2_005;
/// Octets of a sector in `/proc/diskstats`, whatever the device's own are.
const SECTOR: u64 = 512;
/// File systems looked at. Limit: each is a system call; network file systems are never asked.
const MOUNTS_MAX: usize = 256;

/// Sums over all of them.
pub(super) fn tell(rows: &mut Counters<'_>) {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let room = room(&read("/proc/self/mounts"));
    rows.number("disk_total", room.total);
    rows.number("disk_free", room.free);
    rows.fraction("part_max_used", room.fullest);
    let names = fs::read_dir("/sys/block").map(|entries| {
        let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
        entries.flatten().map(name).collect::<HashSet<String>>()
    });
    let activity = activity(&read("/proc/diskstats"), &names.unwrap_or_default());
    for (name, value) in NAMES.into_iter().zip(activity) {
        rows.number(name, value);
    }
}

const NAMES: [&str; 6] =
    ["reads", "bytes_read", "read_time", "writes", "bytes_written", "write_time"];

#[derive(Debug, Default)]
struct Room {
    total: u64,
    free: u64,
    /// Percent of the fullest.
    fullest: f64,
}

/// Each block device once, however often it is mounted.
fn room(mounts: &str) -> Room {
    let (mut room, mut seen) = (Room::default(), HashSet::new());
    for line in mounts.lines() {
        let mut words = line.split(' ');
        let (Some(device), Some(path)) = (words.next(), words.next()) else { continue };
        if !device.starts_with("/dev/") || seen.len() >= MOUNTS_MAX || !seen.insert(device) {
            continue;
        }
        // A space in the path is `\040`; such a mount is left out.
        let Ok(stats) = rustix::fs::statvfs(path) else { continue };
        let octets = |blocks: u64| blocks.saturating_mul(stats.f_frsize);
        room.total = room.total.saturating_add(octets(stats.f_blocks));
        room.free = room.free.saturating_add(octets(stats.f_bavail));
        let used = stats.f_blocks.saturating_sub(stats.f_bfree);
        // As df counts it: of what others than root may use.
        let all = used.saturating_add(stats.f_bavail);
        if all > 0 {
            room.fullest = room.fullest.max(used as f64 * 100.0 / all as f64);
        }
    }
    room
}

/// Reads, octets read, milliseconds, and the same of writes, of whole disks: what is made of others
/// (loop, device mapper, RAID, memory) would count twice.
fn activity(diskstats: &str, disks: &HashSet<String>) -> [u64; 6] {
    const MADE_OF_OTHERS: [&str; 6] = ["loop", "ram", "dm-", "md", "zram", "sr"];
    let mut sums = [0u64; 6];
    for line in diskstats.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(name) = words.get(2) else { continue };
        if !disks.contains(*name) || MADE_OF_OTHERS.iter().any(|made| name.starts_with(made)) {
            continue;
        }
        let number = |at: usize| words.get(at).and_then(|word| word.parse().ok()).unwrap_or(0u64);
        let of_disk = [
            number(3),
            number(5).saturating_mul(SECTOR),
            number(6),
            number(7),
            number(9).saturating_mul(SECTOR),
            number(10),
        ];
        for (sum, more) in sums.iter_mut().zip(of_disk) {
            *sum = sum.saturating_add(more);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_disks_are_summed_once() {
        let text = "254 0 vda 10 1 20 30 40 2 50 60 0 70 80 0 0 0 0 0 0\n\
                    254 1 vda1 10 1 20 30 40 2 50 60 0 70 80 0 0 0 0 0 0\n\
                    7 0 loop0 9 9 9 9 9 9 9 9 9 9 9\n253 0 vdb 1 0 2 3 4 0 5 6 0\nodd\n";
        let disks = ["vda", "vdb", "loop0"].map(str::to_owned).into();
        assert_eq!(activity(text, &disks), [11, 22 * 512, 33, 44, 55 * 512, 66]);
    }

    #[test]
    fn a_device_that_is_mounted_twice_has_its_room_once() {
        let once = room("/dev/x / ext4 rw 0 0\n");
        let twice = room("/dev/x / ext4 rw 0 0\n/dev/x / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n");
        assert!(once.total > 0 && once.free <= once.total && once.fullest <= 100.0);
        assert_eq!(once.total, twice.total);
    }
}
