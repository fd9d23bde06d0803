//! A file that readers hold before it exists.

use std::io;
use std::sync::{Arc, OnceLock};

use crate::read::ReadAt;

use super::File;

/// The file of a segment whose first frame is still in memory: appending makes no file, the
/// commit thread does, before its first write. Readers of frames in memory never come here.
#[derive(Debug, Default)]
pub(crate) struct LateFile {
    file: OnceLock<Arc<dyn File>>,
}

impl LateFile {
    /// Of a file that exists already.
    pub(crate) fn of(file: Arc<dyn File>) -> LateFile {
        LateFile { file: OnceLock::from(file) }
    }

    /// The file, once it was made.
    pub(crate) fn get(&self) -> Option<&Arc<dyn File>> {
        self.file.get()
    }

    /// Says which file it is. The first one stays.
    pub(crate) fn set(&self, file: Arc<dyn File>) {
        let _first_stays = self.file.set(file);
    }
}

impl ReadAt for LateFile {
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.get().ok_or(io::ErrorKind::NotFound)?.read_exact_at(buf, offset)
    }

    fn size(&self) -> io::Result<u64> {
        self.file.get().map_or(Ok(0), |file| file.size())
    }
}
