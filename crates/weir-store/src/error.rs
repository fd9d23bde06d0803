//! Why the store refused something.

use std::io;
use std::path::PathBuf;

use crate::read::ReadError;
use crate::segment::SegmentId;

/// Why the store refused something. What was stored before stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another program writes to the folder.
    #[error("the data folder {} is in use by another process", dir.display())]
    Locked {
        /// The folder.
        dir: PathBuf,
    },
    /// There is no room: rows are refused until there is.
    #[error("the disk of the data folder is full: {free} octets are free, {needed} are needed")]
    DiskFull {
        /// Octets that are free.
        free: u64,
        /// Octets that must be free.
        needed: u64,
    },
    /// The disk is slower than the rows come, or refuses writes.
    #[error("{octets} octets wait for the disk, which is the limit")]
    Backlog {
        /// Octets that wait for their commit.
        octets: usize,
    },
    /// The file layer refused an operation.
    #[error("cannot {what} {}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A segment could not be read.
    #[error("cannot read back a segment")]
    Read(#[from] ReadError),
    /// The manifest is not one that this version can read.
    #[error("the manifest {} has format version {version}, this program reads up to {known}", path.display())]
    Version {
        /// The manifest.
        path: PathBuf,
        /// Its version.
        version: u16,
        /// The newest version that can be read.
        known: u16,
    },
    /// A commit did not end in the given time.
    #[error("the commit did not end in time")]
    TimedOut,
    /// The store was closed or opened for reading only.
    #[error("the store takes no rows: it is closed or was opened for reading only")]
    Closed,
    /// A merge was called off because the store closes.
    #[error("called off")]
    Cancelled,
    /// The rows of a segment cannot be written by this version.
    #[error("segment {segment} has a table or tier that this version does not know")]
    Unknown {
        /// The segment.
        segment: SegmentId,
    },
}

/// What a caller may decide by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named after the errors")]
pub enum StoreErrorKind {
    Locked,
    DiskFull,
    Backlog,
    Io,
    Damaged,
    Version,
    TimedOut,
    Closed,
}

impl StoreErrorKind {
    /// Every kind.
    pub const ALL: [StoreErrorKind; 8] = [
        StoreErrorKind::Locked,
        StoreErrorKind::DiskFull,
        StoreErrorKind::Backlog,
        StoreErrorKind::Io,
        StoreErrorKind::Damaged,
        StoreErrorKind::Version,
        StoreErrorKind::TimedOut,
        StoreErrorKind::Closed,
    ];

    /// The word for metrics and health.
    pub const fn name(self) -> &'static str {
        match self {
            StoreErrorKind::Locked => "locked",
            StoreErrorKind::DiskFull => "disk_full",
            StoreErrorKind::Backlog => "backlog",
            StoreErrorKind::Io => "io",
            StoreErrorKind::Damaged => "damaged",
            StoreErrorKind::Version => "version",
            StoreErrorKind::TimedOut => "timed_out",
            StoreErrorKind::Closed => "closed",
        }
    }
}

impl StoreError {
    /// The closed kind behind the error.
    pub fn kind(&self) -> StoreErrorKind {
        match self {
            StoreError::Locked { .. } => StoreErrorKind::Locked,
            StoreError::DiskFull { .. } => StoreErrorKind::DiskFull,
            StoreError::Backlog { .. } => StoreErrorKind::Backlog,
            StoreError::Io { source, .. } if is_full(source) => StoreErrorKind::DiskFull,
            StoreError::Io { .. } => StoreErrorKind::Io,
            StoreError::Read(_) | StoreError::Unknown { .. } => StoreErrorKind::Damaged,
            StoreError::Version { .. } => StoreErrorKind::Version,
            StoreError::TimedOut => StoreErrorKind::TimedOut,
            StoreError::Closed | StoreError::Cancelled => StoreErrorKind::Closed,
        }
    }

    /// For `map_err`: an operation of the file layer, named.
    pub(crate) fn io(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> StoreError {
        let path = path.into();
        move |source| StoreError::Io { what, path, source }
    }
}

/// True when the medium has no room.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
