//! Tokens: who may ask over HTTP. A token is 32 random octets, shown once when it is made; the
//! data folder keeps only its SHA-256, so that neither a backup nor a reader of the folder can ask.
//!
//! The file is text, one token a line: id, hash, time of making, label. `weir token` rewrites it
//! as a whole; a running server sees the change at the next request.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use weir_model::Timestamp;

/// Name of the file in the data folder.
pub const FILE_NAME: &str = "tokens";

/// What every token starts with, so that scanners for leaked secrets can find one.
pub const PREFIX: &str = "weir_";

/// A token in the clear. Exists between its making and its being shown; it has no `Debug` that
/// tells it and is never logged.
pub struct Secret(String);

impl Secret {
    /// The text to show, once.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What is kept of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenEntry {
    /// First 8 hex digits of the hash: what `list` shows and `revoke` takes.
    pub id: String,
    /// SHA-256 of the token's text.
    pub hash: [u8; 32],
    /// When it was made.
    pub made_at: Timestamp,
    /// What the operator calls it; may be empty.
    pub label: String,
}

/// Why tokens could not be read or written.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum TokenError {
    #[error("reading {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("writing {path}: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error("{path}:{line}: not a token line (id, hash, time, label)")]
    Malformed { path: PathBuf, line: usize },
    #[error("no token has the id `{0}`; `weir token list` shows the ids")]
    Unknown(String),
    #[error("the system gave no random octets: {0}")]
    Random(getrandom::Error),
}

/// The tokens of one data folder.
#[derive(Debug)]
pub struct Tokens {
    path: PathBuf,
    cache: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    stamp: Option<(SystemTime, u64)>,
    entries: Vec<TokenEntry>,
}

impl Tokens {
    /// The tokens kept in `folder`; nothing is read yet.
    pub fn in_folder(folder: &Path) -> Tokens {
        Tokens { path: folder.join(FILE_NAME), cache: Mutex::default() }
    }

    /// All tokens, oldest first; none when there is no file.
    pub fn list(&self) -> Result<Vec<TokenEntry>, TokenError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(TokenError::Read { path: self.path.clone(), source }),
        };
        let lines = text.lines().enumerate();
        lines
            .filter(|(_, line)| !line.starts_with('#') && !line.trim().is_empty())
            .map(|(i, line)| {
                parse(line)
                    .ok_or_else(|| TokenError::Malformed { path: self.path.clone(), line: i + 1 })
            })
            .collect()
    }

    /// Makes a token and keeps its hash. Control characters in `label` become blanks.
    pub fn create(&self, label: &str, now: Timestamp) -> Result<(TokenEntry, Secret), TokenError> {
        let mut octets = [0u8; 32];
        getrandom::fill(&mut octets).map_err(TokenError::Random)?;
        let secret = Secret(format!("{PREFIX}{}", hex(&octets)));
        let hash = digest(secret.reveal());
        let label: String =
            label.chars().map(|c| if c.is_control() { ' ' } else { c }).take(100).collect();
        let id = hex(&hash[..4]);
        let entry = TokenEntry { id, hash, made_at: now, label: label.trim().to_owned() };
        let mut entries = self.list()?;
        entries.push(entry.clone());
        self.write(&entries)?;
        Ok((entry, secret))
    }

    /// Forgets the token with `id`.
    pub fn revoke(&self, id: &str) -> Result<TokenEntry, TokenError> {
        let mut entries = self.list()?;
        let at = entries.iter().position(|entry| entry.id == id);
        let entry = entries.remove(at.ok_or_else(|| TokenError::Unknown(id.to_owned()))?);
        self.write(&entries)?;
        Ok(entry)
    }

    /// What is kept of `token`, if it is one of the tokens. Takes the same time whichever octet
    /// differs. A file that cannot be read admits nobody and is logged.
    pub fn find(&self, token: &str) -> Option<TokenEntry> {
        self.kept(&digest(token))
    }

    /// The token whose hash is `hash`, as long as it is not revoked.
    pub fn kept(&self, hash: &[u8; 32]) -> Option<TokenEntry> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        // Why: A file that was revoked from must stop admitting at once, so its state is asked
        // per request; that is one system call.
        let stamp = fs::metadata(&self.path)
            .ok()
            .and_then(|meta| Some((meta.modified().ok()?, meta.len())));
        if stamp != cache.stamp || stamp.is_none() {
            cache.entries = self.list().unwrap_or_else(|error| {
                tracing::error!(%error, "tokens unreadable, nobody is admitted");
                Vec::new()
            });
            cache.stamp = stamp;
        }
        let mut found = None;
        for (i, entry) in cache.entries.iter().enumerate() {
            if same(&entry.hash, hash) {
                found = Some(i);
            }
        }
        found.and_then(|i| cache.entries.get(i).cloned())
    }

    fn write(&self, entries: &[TokenEntry]) -> Result<(), TokenError> {
        let failed = |source| TokenError::Write { path: self.path.clone(), source };
        let mut text = String::from("# Hashes of tokens, kept by `weir token`. One a line.\n");
        for entry in entries {
            let TokenEntry { id, hash, made_at, label } = entry;
            // Writing to a string has no error to report.
            let _infallible = writeln!(text, "{id} {} {made_at} {label}", hex(hash));
        }
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(failed)?;
        let next = self.path.with_extension("next");
        let mut file = private_file(&next).map_err(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        fs::rename(&next, &self.path).map_err(failed)
    }
}

fn private_file(path: &Path) -> io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// SHA-256 of a text.
pub(crate) fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Compares without a branch on the data.
fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    let difference = a.iter().zip(b).fold(0u8, |sum, (x, y)| sum | (x ^ y));
    std::hint::black_box(difference) == 0
}

/// Octets as hex digits.
pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        // Writing to a string has no error to report.
        let _infallible = write!(text, "{octet:02x}");
        text
    })
}

fn parse(line: &str) -> Option<TokenEntry> {
    let mut words = line.splitn(4, ' ');
    let (id, hash, made_at) = (words.next()?, words.next()?, words.next()?);
    let mut octets = [0u8; 32];
    if hash.len() != 64 || !hash.is_ascii() {
        return None;
    }
    for (i, octet) in octets.iter_mut().enumerate() {
        *octet = u8::from_str_radix(hash.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    let made_at = made_at.parse().ok()?;
    let label = words.next().unwrap_or_default().to_owned();
    Some(TokenEntry { id: id.to_owned(), hash: octets, made_at, label })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("weir-tokens-{}-{name}", std::process::id()));
        let _absent = fs::remove_dir_all(&path);
        path
    }

    #[test]
    fn only_the_hash_is_kept_and_only_the_token_is_admitted() {
        let folder = folder("kept");
        let tokens = Tokens::in_folder(&folder);
        assert_eq!(tokens.list().unwrap(), vec![]);
        let (entry, secret) = tokens.create("ci\nrunner", Timestamp::from_seconds(60)).unwrap();
        assert_eq!(secret.reveal().len(), PREFIX.len() + 64);
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        let kept = fs::read_to_string(folder.join(FILE_NAME)).unwrap();
        assert!(!kept.contains(&secret.reveal()[PREFIX.len()..]), "the token itself was kept");
        assert_eq!(entry.label, "ci runner");
        assert_eq!(Tokens::in_folder(&folder).list().unwrap(), vec![entry.clone()]);
        assert!(tokens.find(secret.reveal()).is_some());
        assert!(tokens.find(&secret.reveal()[1..]).is_none());
        assert!(tokens.find("").is_none());
        assert!(tokens.find(&hex(&entry.hash)).is_none());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_revoked_token_is_refused_by_a_running_server() {
        let folder = folder("revoked");
        let server = Tokens::in_folder(&folder);
        let command = Tokens::in_folder(&folder);
        let (first, secret) = command.create("a", Timestamp(0)).unwrap();
        let (second, other) = command.create("b", Timestamp(0)).unwrap();
        assert!(server.find(secret.reveal()).is_some() && server.find(other.reveal()).is_some());
        assert_eq!(command.revoke(&first.id).unwrap(), first);
        assert!(server.find(secret.reveal()).is_none());
        assert!(server.find(other.reveal()).is_some());
        assert_eq!(
            command.revoke("nosuch").unwrap_err().to_string(),
            "no token has the id `nosuch`; `weir token list` shows the ids"
        );
        assert_eq!(command.list().unwrap(), vec![second]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_damaged_file_admits_nobody_and_names_its_line() {
        let folder = folder("damaged");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(FILE_NAME), "# x\n\nabc def 2026-01-01 x\n").unwrap();
        let tokens = Tokens::in_folder(&folder);
        assert!(tokens.list().unwrap_err().to_string().contains("tokens:3: not a token line"));
        assert!(tokens.find("x").is_none());
        fs::remove_dir_all(folder).unwrap();
    }
}
