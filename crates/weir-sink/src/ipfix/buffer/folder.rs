//! What the buffer asks of a file system, and no more: one folder, files that are appended to.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::PathBuf;

/// The folder of one destination.
pub(crate) trait Folder: Send {
    /// Names and lengths of the files.
    fn list(&self) -> io::Result<Vec<(String, u64)>>;
    /// All of a file.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;
    /// Appends to a file, which is made if there is none. After an error any part of `octets` may
    /// stand at its end.
    fn append(&mut self, name: &str, octets: &[u8]) -> io::Result<()>;
    /// Returns once what was appended is on the medium, the file's name included.
    fn sync(&mut self, name: &str) -> io::Result<()>;
    /// Cuts a file.
    fn truncate(&mut self, name: &str, len: u64) -> io::Result<()>;
    /// Removes a file.
    fn remove(&mut self, name: &str) -> io::Result<()>;
    /// Puts `octets` in place of a file, whole or not at all, and returns once they are on the
    /// medium.
    fn replace(&mut self, name: &str, octets: &[u8]) -> io::Result<()>;
}

/// A folder of the file system, locked against other agents as long as this is held.
#[derive(Debug)]
pub(crate) struct DiskFolder {
    path: PathBuf,
    _lock: File,
    open: Option<(String, File)>,
}

impl DiskFolder {
    /// Opens the folder and makes it where it is missing. `WouldBlock` when another agent holds it.
    pub(crate) fn open(path: PathBuf) -> io::Result<DiskFolder> {
        fs::create_dir_all(&path)?;
        let lock = OpenOptions::new().create(true).append(true).open(path.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => io::Error::new(
                io::ErrorKind::WouldBlock,
                "another agent uses it; give each a folder of its own",
            ),
            TryLockError::Error(error) => error,
        })?;
        Ok(DiskFolder { path, _lock: lock, open: None })
    }

    fn file(&mut self, name: &str) -> io::Result<&mut File> {
        if self.open.as_ref().is_none_or(|(open, _)| open != name) {
            let file = OpenOptions::new().create(true).append(true).open(self.path.join(name))?;
            self.open = Some((name.to_owned(), file));
        }
        self.open.as_mut().map(|(_, file)| file).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

impl Folder for DiskFolder {
    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string() {
                files.push((name, entry.metadata()?.len()));
            }
        }
        Ok(files)
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path.join(name))
    }

    fn append(&mut self, name: &str, octets: &[u8]) -> io::Result<()> {
        self.file(name)?.write_all(octets)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.file(name)?.sync_data()?;
        self.sync_folder()
    }

    fn truncate(&mut self, name: &str, len: u64) -> io::Result<()> {
        self.file(name)?.set_len(len)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        if self.open.as_ref().is_some_and(|(open, _)| open == name) {
            self.open = None;
        }
        fs::remove_file(self.path.join(name))
    }

    fn replace(&mut self, name: &str, octets: &[u8]) -> io::Result<()> {
        let new = self.path.join(format!("{name}.new"));
        let mut file = File::create(&new)?;
        file.write_all(octets)?;
        file.sync_data()?;
        fs::rename(&new, self.path.join(name))?;
        self.sync_folder()
    }
}
