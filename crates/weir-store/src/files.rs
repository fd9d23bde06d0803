//! The file layer: everything that the store asks of a file system, and no more.
//!
//! Two implementations: [`DiskFiles`], and a faulty one for tests that forgets what was not
//! synced, tears writes and runs out of space at a chosen step.
//!
//! What callers may rely on after a crash: octets whose write was followed by a successful
//! [`File::sync_data`] are there, if the entry of the file was there after a successful
//! [`Files::sync_dir`] of its folder. Nothing else: other octets may be there, may not, or may be
//! there in part.

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::read::ReadAt;

mod disk;
#[cfg(test)]
pub(crate) mod faulty;
mod late;

pub use disk::DiskFiles;
pub(crate) use late::LateFile;

/// A file that is open for reading and writing.
pub trait File: ReadAt + Debug {
    /// Writes all of `octets` at `offset`, making the file longer where needed. After an error any
    /// part of them may have been written.
    fn write_all_at(&self, octets: &[u8], offset: u64) -> io::Result<()>;

    /// Returns once what was written is on the medium. After an error none of what was written
    /// since the last success may be counted on, not even if a later call succeeds: it must be
    /// written again.
    fn sync_data(&self) -> io::Result<()>;

    /// Makes the file `len` octets long.
    fn set_len(&self, len: u64) -> io::Result<()>;
}

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// True for a folder.
    pub is_dir: bool,
    /// Octets of a file.
    pub len: u64,
}

/// Room on the medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Octets that may still be written.
    pub free: u64,
    /// Octets in all.
    pub total: u64,
}

/// Held as long as this program may write to a folder.
pub trait Lock: Send + Sync + Debug {}

/// A file system.
pub trait Files: Send + Sync + Debug {
    /// Makes a new, empty file. One that exists is an error of kind `AlreadyExists`.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>>;

    /// Opens a file that exists, for reading only if it cannot be written.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>>;

    /// Makes a folder and those above it. One that exists is no error.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;

    /// Returns once the entries of a folder are on the medium.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Gives a file another path, in place of whatever was there.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file. Whoever has it open may go on reading.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Entries of a folder in the order of names; none when there is no such folder.
    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>>;

    /// Room on the medium that holds `dir`.
    fn space(&self, dir: &Path) -> io::Result<Space>;

    /// Locks a folder against other writers, or says `WouldBlock` when there is one.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>>;
}
