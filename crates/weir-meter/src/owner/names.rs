//! Names of user and group ids, from `/etc/passwd` and `/etc/group` alone: those of a directory
//! service stay numbers.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::process::clean;

/// How often the file is looked at again.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Largest file that is read.
const OCTETS_MAX: u64 = 4 << 20;
/// Longest name that is kept, in characters.
const NAME_MAX: usize = 256;

#[derive(Debug)]
pub(super) struct Names {
    file: PathBuf,
    names: HashMap<u32, Arc<str>>,
    looked: Option<Duration>,
    modified: Option<SystemTime>,
}

impl Names {
    pub(super) fn new(file: PathBuf) -> Names {
        Names { file, names: HashMap::new(), looked: None, modified: None }
    }

    pub(super) fn name(&mut self, id: u32, now: Duration) -> Option<Arc<str>> {
        if self.looked.is_none_or(|looked| now.saturating_sub(looked) >= LOOK_EVERY) {
            self.looked = Some(now);
            self.reread();
        }
        self.names.get(&id).cloned()
    }

    /// Keeps the names that it has when the file cannot be read.
    fn reread(&mut self) {
        let Ok(meta) = fs::metadata(&self.file) else { return };
        let modified = meta.modified().ok();
        if meta.len() > OCTETS_MAX || (modified.is_some() && modified == self.modified) {
            return;
        }
        let Ok(text) = fs::read_to_string(&self.file) else { return };
        self.modified = modified;
        self.names.clear();
        for line in text.lines() {
            let mut fields = line.split(':');
            let (Some(name), Some(id)) = (fields.next(), fields.nth(1)) else { continue };
            if let Ok(id) = id.parse() {
                // The first name of an id counts, as it does for getpwuid(3).
                let name = || Arc::from(clean(name, NAME_MAX));
                self.names.entry(id).or_insert_with(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_read_again_when_the_file_changed() {
        let file = std::env::temp_dir().join(format!("weir-users-{}", std::process::id()));
        fs::write(&file, "root:x:0:0::/:/bin/sh\ntoor:x:0:0::/:\nbad\n\nx:y:z\nweb:x:33:33::/:\n")
            .unwrap();
        let mut users = Names::new(file.clone());
        let name = |users: &mut Names, uid, s| {
            users.name(uid, Duration::from_secs(s)).as_deref().map(str::to_owned)
        };
        assert_eq!(name(&mut users, 0, 0).as_deref(), Some("root"));
        assert_eq!(name(&mut users, 33, 0).as_deref(), Some("web"));
        assert_eq!(name(&mut users, 7, 0), None);
        fs::remove_file(&file).unwrap();
        assert_eq!(name(&mut users, 33, 99).as_deref(), Some("web"));
    }
}
