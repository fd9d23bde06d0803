//! A file system in memory that fails on purpose: for tests.
//!
//! It keeps, beside what a reader sees, what is on the medium: octets after `sync_data`, entries
//! after `sync_dir`. [`Faulty::crash`] goes back to the medium, but what was written and not
//! synced may have reached it in part: of every such write a random prefix, or random pieces of
//! 64 octets, or nothing. Operations are counted, and one or more of them can be made to fail.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::{Entry, File, Files, Lock, Space};
use crate::read::ReadAt;
use crate::store::lock;

/// Octets that reach the medium or do not, together.
const SECTOR: usize = 64;

/// A failure that an operation can be made to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No room; half of a write is done all the same.
    Full,
    /// An error of the medium; half of a write is done, and a sync forgets what it should keep.
    Broken,
    /// Nothing happens from here on: the process is dead.
    Dead,
}

#[derive(Debug, Default, Clone)]
struct Octets {
    seen: Vec<u8>,
    synced: Vec<u8>,
    /// Changes since the last sync, in order.
    unsynced: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    SetLen(usize),
}

type Node = Arc<Mutex<Octets>>;

#[derive(Debug, Default)]
struct Disk {
    entries: BTreeMap<PathBuf, Node>,
    /// Entries that survive a crash.
    synced: BTreeMap<PathBuf, Node>,
    folders: std::collections::BTreeSet<PathBuf>,
    synced_folders: std::collections::BTreeSet<PathBuf>,
    steps: u64,
    faults: Vec<(std::ops::Range<u64>, Fault)>,
    free: u64,
    locked: bool,
    seed: u64,
}

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Faulty {
    disk: Arc<Mutex<Disk>>,
}

#[derive(Debug)]
struct Handle {
    disk: Arc<Mutex<Disk>>,
    node: Node,
}

impl Disk {
    /// A number that looks random and is the same for the same seed.
    fn random(&mut self, below: usize) -> usize {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
        ((self.seed >> 33) as usize) % below.max(1)
    }

    /// Counts an operation that changes something.
    fn step(&mut self) -> Result<(), Fault> {
        let step = self.steps;
        self.steps += 1;
        let hit = self.faults.iter().find(|(range, _)| range.contains(&step));
        hit.map_or(Ok(()), |(_, fault)| Err(*fault))
    }
}

fn error(fault: Fault) -> io::Error {
    match fault {
        Fault::Full => io::ErrorKind::StorageFull.into(),
        Fault::Broken => io::Error::other("input/output error"),
        Fault::Dead => io::Error::other("the process is dead"),
    }
}

impl Octets {
    fn write(&mut self, octets: &[u8], offset: usize) {
        overlay(&mut self.seen, octets, offset);
        self.unsynced.push(Change::Write(offset, octets.to_vec()));
    }

    fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            match change {
                Change::Write(offset, octets) => overlay(&mut self.synced, &octets, offset),
                Change::SetLen(len) => self.synced.resize(len, 0),
            }
        }
    }
}

fn overlay(to: &mut Vec<u8>, octets: &[u8], offset: usize) {
    let end = offset + octets.len();
    if to.len() < end {
        to.resize(end, 0);
    }
    to[offset..end].copy_from_slice(octets);
}

impl Faulty {
    pub(crate) fn new(seed: u64) -> Faulty {
        let seed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let disk = Disk { free: 1 << 40, seed, ..Disk::default() };
        Faulty { disk: Arc::new(Mutex::new(disk)) }
    }

    /// Operations that changed something so far.
    pub(crate) fn steps(&self) -> u64 {
        lock(&self.disk).steps
    }

    /// Makes the operations of these numbers fail.
    pub(crate) fn fail(&self, steps: std::ops::Range<u64>, fault: Fault) {
        lock(&self.disk).faults.push((steps, fault));
    }

    /// Ends all failures.
    pub(crate) fn heal(&self) {
        lock(&self.disk).faults.clear();
    }

    pub(crate) fn set_free(&self, free: u64) {
        lock(&self.disk).free = free;
    }

    /// The process dies and the power goes: what follows sees what reached the medium.
    pub(crate) fn crash(&self) {
        let mut disk = lock(&self.disk);
        disk.faults.clear();
        disk.locked = false;
        disk.folders = disk.synced_folders.clone();
        // Why: a change of an entry that was not synced may have reached the medium or not.
        let paths: Vec<PathBuf> = disk.synced.keys().chain(disk.entries.keys()).cloned().collect();
        let mut entries = BTreeMap::new();
        for path in paths {
            let below = path.parent().is_some_and(|dir| disk.folders.contains(dir));
            let (old, new) = (disk.synced.get(&path).cloned(), disk.entries.get(&path).cloned());
            let same = match (&old, &new) {
                (Some(old), Some(new)) => Arc::ptr_eq(old, new),
                _ => false,
            };
            let node = if same || disk.random(2) == 0 { old } else { new };
            if let Some(node) = node.filter(|_| below) {
                entries.insert(path, node);
            }
        }
        for node in entries.values_mut() {
            let old = lock(node).clone();
            let seen = survive(&mut disk, &old);
            // Why: a new node, so that handles of the dead process change nothing any more.
            *node = Arc::new(Mutex::new(Octets { synced: seen.clone(), seen, unsynced: vec![] }));
        }
        disk.synced = entries.clone();
        disk.entries = entries;
    }

    /// The process dies, the system lives: everything that was written is there.
    pub(crate) fn kill(&self) {
        let mut disk = lock(&self.disk);
        disk.faults.clear();
        disk.locked = false;
        let mut entries = disk.entries.clone();
        for node in entries.values_mut() {
            let old = lock(node).clone();
            *node = Arc::new(Mutex::new(old));
        }
        disk.entries = entries;
    }

    /// Changes octets of a file behind everyone's back.
    pub(crate) fn damage(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let node = Arc::clone(&lock(&self.disk).entries[path]);
        let mut octets = lock(&node);
        change(&mut octets.seen);
        octets.synced = octets.seen.clone();
    }

    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        lock(&self.disk).entries.keys().cloned().collect()
    }

    fn step(&self) -> io::Result<()> {
        lock(&self.disk).step().map_err(error)
    }
}

/// What of a file is on the medium after the power went.
fn survive(disk: &mut Disk, octets: &Octets) -> Vec<u8> {
    let mut left = octets.synced.clone();
    for change in &octets.unsynced {
        let fate = disk.random(4);
        let (offset, write) = match change {
            Change::SetLen(len) if fate < 2 => {
                left.resize(*len, 0);
                continue;
            }
            Change::SetLen(_) => continue,
            Change::Write(offset, write) => (*offset, write),
        };
        match fate {
            0 => {}
            1 => overlay(&mut left, write, offset),
            2 => {
                let len = disk.random(write.len() + 1);
                overlay(&mut left, &write[..len], offset);
            }
            _ => {
                for (i, sector) in write.chunks(SECTOR).enumerate() {
                    if disk.random(2) == 0 {
                        overlay(&mut left, sector, offset + i * SECTOR);
                    }
                }
            }
        }
    }
    left
}

impl ReadAt for Handle {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        lock(&self.node).seen.read_exact_at(buf, offset)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(lock(&self.node).seen.len() as u64)
    }
}

impl File for Handle {
    fn write_all_at(&self, octets: &[u8], offset: u64) -> io::Result<()> {
        let step = lock(&self.disk).step();
        let mut node = lock(&self.node);
        match step {
            Ok(()) => node.write(octets, offset as usize),
            Err(Fault::Dead) => {}
            Err(_) => node.write(&octets[..octets.len() / 2], offset as usize),
        }
        step.map_err(error)
    }

    fn sync_data(&self) -> io::Result<()> {
        let step = lock(&self.disk).step();
        let mut node = lock(&self.node);
        match step {
            Ok(()) => node.sync(),
            // Why: after a failed sync the kernel takes the pages for clean, whatever became of
            // them; a later sync says yes without writing them.
            Err(Fault::Broken | Fault::Full) => node.unsynced.clear(),
            Err(Fault::Dead) => {}
        }
        step.map_err(error)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        lock(&self.disk).step().map_err(error)?;
        let mut node = lock(&self.node);
        node.seen.resize(len as usize, 0);
        node.unsynced.push(Change::SetLen(len as usize));
        Ok(())
    }
}

#[derive(Debug)]
struct Held(Arc<Mutex<Disk>>);

impl Lock for Held {}

impl Drop for Held {
    fn drop(&mut self) {
        lock(&self.0).locked = false;
    }
}

impl Files for Faulty {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.step()?;
        let mut disk = lock(&self.disk);
        if !path.parent().is_some_and(|dir| disk.folders.contains(dir)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if disk.entries.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let node = Node::default();
        disk.entries.insert(path.to_owned(), Arc::clone(&node));
        Ok(Arc::new(Handle { disk: Arc::clone(&self.disk), node }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let node = lock(&self.disk).entries.get(path).cloned();
        let node = node.ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(Handle { disk: Arc::clone(&self.disk), node }))
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        if lock(&self.disk).folders.contains(dir) {
            return Ok(());
        }
        self.step()?;
        lock(&self.disk).folders.extend(dir.ancestors().map(Path::to_owned));
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.step()?;
        let mut disk = lock(&self.disk);
        let inside = |path: &Path| path.parent() == Some(dir);
        disk.synced.retain(|path, _| !inside(path));
        let now = disk.entries.iter().filter(|(path, _)| inside(path));
        let now: Vec<_> = now.map(|(path, node)| (path.clone(), Arc::clone(node))).collect();
        disk.synced.extend(now);
        let folders: Vec<_> = disk.folders.iter().filter(|path| inside(path)).cloned().collect();
        disk.synced_folders.extend(folders);
        // The folder of the store itself is there before the test starts.
        if dir.parent().is_some_and(|parent| parent == Path::new("/")) {
            disk.synced_folders.insert(dir.to_owned());
            disk.synced_folders.insert("/".into());
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        let mut disk = lock(&self.disk);
        let node = disk.entries.remove(from).ok_or(io::ErrorKind::NotFound)?;
        disk.entries.insert(to.to_owned(), node);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        if !lock(&self.disk).entries.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.step()?;
        lock(&self.disk).entries.remove(path);
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        let disk = lock(&self.disk);
        let name = |path: &Path| {
            let inside = path.parent() == Some(dir);
            inside.then(|| path.file_name().unwrap_or_default().to_string_lossy().into_owned())
        };
        let files = disk.entries.iter().filter_map(|(path, node)| {
            let len = lock(node).seen.len() as u64;
            name(path).map(|name| Entry { name, is_dir: false, len })
        });
        let folders = disk
            .folders
            .iter()
            .filter_map(|path| name(path).map(|name| Entry { name, is_dir: true, len: 0 }));
        let mut list: Vec<Entry> = files.chain(folders).collect();
        list.sort();
        Ok(list)
    }

    fn space(&self, _: &Path) -> io::Result<Space> {
        Ok(Space { free: lock(&self.disk).free, total: 1 << 40 })
    }

    fn lock(&self, _: &Path) -> io::Result<Box<dyn Lock>> {
        let mut disk = lock(&self.disk);
        if std::mem::replace(&mut disk.locked, true) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(Held(Arc::clone(&self.disk))))
    }
}
