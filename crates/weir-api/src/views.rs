//! Saved views of the console: names for states of its pages, kept in the data folder as one file.
//!
//! Invariant: an edit is on the disk (written beside, synced, renamed, folder synced) before it is
//! answered, and before anyone sees it; edits come one after the other. A file that cannot be
//! understood is put aside, never overwritten, and told in health. It refuses to know of HTTP.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use weir_model::Timestamp;

use crate::tokens::hex;

/// Name of the file in the data folder.
const FILE_NAME: &str = "views.json";
/// What the names of files that were put aside start with.
const DAMAGED: &str = "views.json.damaged-";
const ASIDE_REMEDY: &str =
    "take from the file what is needed, then delete it; new views are saved beside it";
const UNREADABLE_REMEDY: &str =
    "let Weir read the file, or move it out of the data folder, then restart Weir";
/// Version of the file's form.
const VERSION: u32 = 1;

/// Views that are kept.
pub const VIEWS_MAX: usize = 1_000;
/// Characters of a name.
pub const NAME_MAX: usize = 120;
/// Octets of a state.
pub const STATE_MAX: usize = 8 << 10;
/// Pages that a view can be of.
pub const PAGES: [&str; 5] = ["overview", "explore", "records", "exporters", "health"];
/// Octets of the file: all views at their largest, every octet escaped.
const FILE_MAX: u64 = (VIEWS_MAX * 6 * (STATE_MAX + 4 * NAME_MAX + 256)) as u64;

/// What somebody saves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    name: String,
    page: &'static str,
    state: String,
}

/// A saved view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// 16 hex digits.
    pub id: String,
    /// What people call it; need not be unique.
    pub name: String,
    /// One of [`PAGES`].
    pub page: String,
    /// The query of the page's URL.
    pub state: String,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
}

#[derive(Serialize, Deserialize)]
struct File<V> {
    version: u32,
    views: V,
}

/// Why views could not be read or kept.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum ViewError {
    #[error("{field}: {message}")]
    Field { field: &'static str, message: String },
    #[error("no view has the id `{0}`")]
    Unknown(String),
    #[error("{VIEWS_MAX} views are kept, and no more may be")]
    Full,
    #[error("{path} cannot be read: {message}")]
    Unreadable { path: PathBuf, message: String },
    #[error("writing {path}: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error("the system gave no random octets: {0}")]
    Random(getrandom::Error),
}

impl Draft {
    /// Checks what is to be saved. Blanks around the name do not count.
    pub fn new(name: &str, page: &str, state: &str) -> Result<Draft, ViewError> {
        let refuse =
            |field, message: &str| Err(ViewError::Field { field, message: message.to_owned() });
        let name = name.trim();
        if name.is_empty() || name.chars().count() > NAME_MAX {
            return refuse("name", "must have 1 to 120 characters");
        }
        if name.chars().any(char::is_control) {
            return refuse("name", "must have no control characters");
        }
        let Some(page) = PAGES.iter().copied().find(|known| *known == page) else {
            return refuse("page", "must be overview, explore, records, exporters or health");
        };
        if state.len() > STATE_MAX {
            return refuse("state", "must have at most 8192 octets");
        }
        if state.chars().any(char::is_control) {
            return refuse("state", "must have no control characters");
        }
        Ok(Draft { name: name.to_owned(), page, state: state.to_owned() })
    }
}

/// The views of one data folder.
#[derive(Debug)]
pub struct Views {
    path: PathBuf,
    /// Held while an edit is made and written.
    editing: Mutex<()>,
    /// What is on the disk. Held for moments only, so that readers do not wait for the disk.
    kept: RwLock<Arc<Vec<View>>>,
    /// Why nothing can be kept, if so.
    unreadable: Option<String>,
}

impl Views {
    /// The views kept in `folder`. A damaged file is put aside under another name; if even that
    /// fails, or the file cannot be read at all, there are none and none can be saved.
    pub fn open(folder: &Path, now: Timestamp) -> Views {
        let path = folder.join(FILE_NAME);
        let (kept, unreadable) = match read(&path) {
            Ok(views) => (views, None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (Vec::new(), None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let stamp = now.0.div_euclid(1_000_000);
                let aside = folder.join(format!("{DAMAGED}{stamp}"));
                let moved = fs::rename(&path, &aside);
                tracing::error!(path = %path.display(), aside = %aside.display(), %error, "saved views damaged, put aside");
                (Vec::new(), moved.err().map(|_| error.to_string()))
            }
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "saved views unreadable");
                (Vec::new(), Some(error.to_string()))
            }
        };
        let kept = RwLock::new(Arc::new(kept));
        Views { path, editing: Mutex::default(), kept, unreadable }
    }

    /// All views, oldest first.
    pub fn list(&self) -> Result<Arc<Vec<View>>, ViewError> {
        match &self.unreadable {
            None => Ok(Arc::clone(&self.kept.read().unwrap_or_else(PoisonError::into_inner))),
            Some(message) => {
                Err(ViewError::Unreadable { path: self.path.clone(), message: message.clone() })
            }
        }
    }

    /// Keeps a new view.
    pub fn create(&self, draft: Draft, now: Timestamp) -> Result<View, ViewError> {
        let mut octets = [0u8; 8];
        getrandom::fill(&mut octets).map_err(ViewError::Random)?;
        let Draft { name, page, state } = draft;
        let (id, page, at) = (hex(&octets), page.to_owned(), now.to_string());
        let view = View { id, name, page, state, created_at: at.clone(), updated_at: at };
        self.edit(|views| {
            if views.len() >= VIEWS_MAX {
                return Err(ViewError::Full);
            }
            views.push(view.clone());
            Ok(view)
        })
    }

    /// Replaces what the view `id` has; of two edits the later one stays.
    pub fn replace(&self, id: &str, draft: Draft, now: Timestamp) -> Result<View, ViewError> {
        self.edit(|views| {
            let view = views.iter_mut().find(|view| view.id == id);
            let view = view.ok_or_else(|| ViewError::Unknown(id.to_owned()))?;
            let Draft { name, page, state } = draft;
            (view.name, view.page, view.state) = (name, page.to_owned(), state);
            view.updated_at = now.to_string();
            Ok(view.clone())
        })
    }

    /// Forgets the view `id`.
    pub fn delete(&self, id: &str) -> Result<(), ViewError> {
        self.edit(|views| {
            let at = views.iter().position(|view| view.id == id);
            views.remove(at.ok_or_else(|| ViewError::Unknown(id.to_owned()))?);
            Ok(())
        })
    }

    /// What an operator should look at, each in a sentence, and what to do about it.
    pub fn concerns(&self) -> Vec<(String, &'static str)> {
        // Limit: 16 files put aside are named; each start makes one at most.
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let names = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut aside: Vec<String> = names
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| name.starts_with(DAMAGED))
            .take(16)
            .map(|name| format!("saved views were damaged and put aside as {name}"))
            .collect();
        aside.sort();
        let unreadable = self.unreadable.iter().map(|why| {
            let path = self.path.display();
            format!("{path} cannot be read, no view can be saved: {why}")
        });
        let aside = aside.into_iter().map(|what| (what, ASIDE_REMEDY));
        unreadable.map(|what| (what, UNREADABLE_REMEDY)).chain(aside).collect()
    }

    fn edit<T>(
        &self,
        change: impl FnOnce(&mut Vec<View>) -> Result<T, ViewError>,
    ) -> Result<T, ViewError> {
        let _one_at_a_time = self.editing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut views = Vec::clone(&*self.list()?);
        let result = change(&mut views)?;
        write(&self.path, &views)
            .map_err(|source| ViewError::Write { path: self.path.clone(), source })?;
        *self.kept.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(views);
        Ok(result)
    }
}

/// Reads the file. What it has must be what could have been saved, since it is shown to people.
fn read(path: &Path) -> io::Result<Vec<View>> {
    let damaged = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let mut text = Vec::new();
    fs::File::open(path)?.take(FILE_MAX + 1).read_to_end(&mut text)?;
    if text.len() as u64 > FILE_MAX {
        return Err(damaged(format!("it has more than {FILE_MAX} octets")));
    }
    let file: File<Vec<View>> =
        serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
    if file.version != VERSION {
        return Err(damaged(format!("its version is {}, not {VERSION}", file.version)));
    }
    if file.views.len() > VIEWS_MAX {
        return Err(damaged(format!("it has more than {VIEWS_MAX} views")));
    }
    for view in &file.views {
        let draft = Draft::new(&view.name, &view.page, &view.state);
        draft.map_err(|error| damaged(format!("view {}: {error}", view.id)))?;
    }
    Ok(file.views)
}

fn write(path: &Path, views: &[View]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let text = serde_json::to_vec(&File { version: VERSION, views })?;
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let next = path.with_extension("next");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o640);
    let mut file = options.open(&next)?;
    file.write_all(&text)?;
    file.sync_all()?;
    fs::rename(&next, path)?;
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests;
