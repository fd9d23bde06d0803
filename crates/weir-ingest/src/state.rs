//! Keeps what exporters told us over a restart: templates and options knowledge, in one file.
//!
//! The file is replaced whole (written beside, synced, renamed), so a crash leaves the old or the
//! new one. A file that cannot be read is named in the log and starts nothing: exporters send their
//! templates again.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use crate::door::Door;

const MAGIC: &[u8; 16] = b"weir templates 1";

/// Files larger than this are not ours.
const OCTETS_MAX: u64 = 1 << 30;

/// Why saved state could not be taken in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateError {
    #[error("cannot read it")]
    Io(#[from] io::Error),
    #[error("it is not a state file of this version")]
    Foreign,
    #[error("it ends early")]
    Short,
    #[error("part {part} was refused")]
    Part {
        part: usize,
        #[source]
        source: weir_wire::LoadError,
    },
}

/// Writes the state of all shards.
pub(crate) fn save(door: &Door, path: &Path) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = File::create(&beside)?;
    file.write_all(MAGIC)?;
    for blob in door.save() {
        let length = u32::try_from(blob.len()).map_err(io::Error::other)?;
        file.write_all(&length.to_le_bytes())?;
        file.write_all(&blob)?;
    }
    file.sync_all()?;
    fs::rename(&beside, path)
}

/// Takes in what `save` wrote. No file is no error: it is the first start.
pub(crate) fn load(door: &Door, path: &Path) -> Result<(), StateError> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
        Ok(meta) if meta.len() > OCTETS_MAX => return Err(StateError::Foreign),
        Ok(_) => {}
    }
    let octets = fs::read(path)?;
    let mut rest = octets.strip_prefix(MAGIC).ok_or(StateError::Foreign)?;
    let mut part = 0;
    while !rest.is_empty() {
        let (length, tail) = rest.split_first_chunk().ok_or(StateError::Short)?;
        let length = u32::from_le_bytes(*length) as usize;
        let (blob, tail) = tail.split_at_checked(length).ok_or(StateError::Short)?;
        door.load(blob).map_err(|source| StateError::Part { part, source })?;
        (rest, part) = (tail, part + 1);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_wire::Limits;

    #[test]
    fn a_damaged_or_foreign_file_is_refused_with_its_reason() {
        let path = std::env::temp_dir().join(format!("weir-state-{}", std::process::id()));
        let door = Door::new(&[], &Limits::default(), 2);
        assert!(load(&door, &path).is_ok());
        let read = |octets: &[u8]| {
            fs::write(&path, octets).unwrap();
            load(&door, &path).unwrap_err().to_string()
        };
        assert_eq!(read(b"something else"), "it is not a state file of this version");
        assert_eq!(read(&[&MAGIC[..], &[9, 0, 0, 0, 1]].concat()), "it ends early");
        save(&door, &path).unwrap();
        assert!(load(&door, &path).is_ok());
        fs::remove_file(&path).unwrap();
    }
}
