//! Sessions of the console: a browser shows a token once and gets a random id in a cookie for it,
//! so that the token itself is in no page's reach.
//!
//! Invariant: only SHA-256 hashes of ids are held, in memory alone; a session is good while its
//! token is kept, it is not idle too long and not too old; there are never more than
//! [`SESSIONS_MAX`]. A restart ends all of them. It refuses to know of HTTP.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use weir_model::Timestamp;
use weir_telemetry::{ByLabel, Gauge, Label, Registry};

use crate::tokens::{TokenEntry, TokenError, Tokens, digest, hex};

/// Sessions at once. Past it the one that was idle longest ends: about 200 octets each.
pub const SESSIONS_MAX: usize = 1_000;
/// A session that asks nothing for so long ends.
pub const IDLE_MAX: Duration = Duration::from_secs(12 * 3_600);
/// A session ends after so long, however busy it is.
pub const AGE_MAX: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    SignedOut,
    Idle,
    Old,
    Revoked,
    Evicted,
}

impl Label for End {
    const NAME: &'static str = "reason";
    const ALL: &'static [End] = &[End::SignedOut, End::Idle, End::Old, End::Revoked, End::Evicted];

    fn index(self) -> usize {
        self as usize
    }

    fn value(self) -> &'static str {
        match self {
            End::SignedOut => "signed_out",
            End::Idle => "idle",
            End::Old => "old",
            End::Revoked => "revoked",
            End::Evicted => "evicted",
        }
    }
}

/// Hash of a session's id: what it is looked up by.
type Key = [u8; 32];

#[derive(Debug, Clone, Copy)]
struct Session {
    /// Hash of the token that it was opened with.
    token: [u8; 32],
    opened_at: Timestamp,
    last_seen: Timestamp,
}

impl Session {
    fn end(&self, now: Timestamp) -> Option<End> {
        if now.since(self.opened_at) > AGE_MAX {
            return Some(End::Old);
        }
        (now.since(self.last_seen) > IDLE_MAX).then_some(End::Idle)
    }
}

/// The sessions that are open.
#[derive(Debug)]
pub struct Sessions {
    open: Mutex<HashMap<Key, Session>>,
    count: Gauge,
    ended: ByLabel<End>,
}

impl Sessions {
    /// None yet.
    pub fn new(registry: &Registry) -> Sessions {
        Sessions {
            open: Mutex::default(),
            count: registry.gauge("weir_api_sessions", "sessions of the console", &[]),
            ended: registry.counter_by(
                "weir_api_sessions_ended_total",
                "sessions of the console that ended, by why",
            ),
        }
    }

    /// Opens a session for whoever showed `token` and returns its id: 32 random octets as hex,
    /// kept nowhere.
    pub fn open(&self, token: &TokenEntry, now: Timestamp) -> Result<String, TokenError> {
        let mut octets = [0u8; 32];
        getrandom::fill(&mut octets).map_err(TokenError::Random)?;
        let id = hex(&octets);
        let mut open = self.lock();
        if open.len() >= SESSIONS_MAX {
            self.make_room(&mut open, now);
        }
        open.insert(digest(&id), Session { token: token.hash, opened_at: now, last_seen: now });
        self.count.set(open.len() as f64);
        Ok(id)
    }

    /// The token of the session `id` if it is open. That counts as being seen.
    pub fn find(&self, id: &str, tokens: &Tokens, now: Timestamp) -> Option<TokenEntry> {
        let key = digest(id);
        let session = *self.lock().get(&key)?;
        let token = tokens.kept(&session.token);
        let end = session.end(now).or(token.is_none().then_some(End::Revoked));
        let mut open = self.lock();
        match end {
            Some(end) => self.remove(&mut open, &key, end),
            None => {
                if let Some(session) = open.get_mut(&key) {
                    session.last_seen = now;
                }
            }
        }
        token.filter(|_| end.is_none())
    }

    /// Ends the session `id`; one that is not open is fine too.
    pub fn close(&self, id: &str) {
        self.remove(&mut self.lock(), &digest(id), End::SignedOut);
    }

    /// Ends what is over; if nothing is, the session that was idle longest.
    fn make_room(&self, open: &mut HashMap<Key, Session>, now: Timestamp) {
        let over: Vec<(Key, End)> =
            open.iter().filter_map(|(key, session)| Some((*key, session.end(now)?))).collect();
        for (key, end) in &over {
            self.remove(open, key, *end);
        }
        let oldest = open.iter().min_by_key(|(_, session)| session.last_seen).map(|(key, _)| *key);
        if let Some(key) = oldest.filter(|_| over.is_empty()) {
            self.remove(open, &key, End::Evicted);
        }
    }

    fn remove(&self, open: &mut HashMap<Key, Session>, key: &Key, end: End) {
        if open.remove(key).is_some() {
            self.ended.of(end).inc();
            self.count.set(open.len() as f64);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Session>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> (Folder, Tokens, TokenEntry) {
            let name = format!("weir-sessions-{}-{name}", std::process::id());
            let folder = Folder(std::env::temp_dir().join(name));
            let tokens = Tokens::in_folder(&folder.0);
            let (entry, _) = tokens.create("wall", NOW).unwrap();
            (folder, tokens, entry)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _gone = std::fs::remove_dir_all(&self.0);
        }
    }

    fn ended(registry: &Registry, reason: &str, count: u64) {
        let line = format!("weir_api_sessions_ended_total{{reason=\"{reason}\"}} {count}\n");
        let text = registry.render();
        assert!(text.contains(&line), "{line} is not in {text}");
    }

    #[test]
    fn a_session_is_good_until_it_is_idle_old_or_signed_out() {
        let (_folder, tokens, entry) = Folder::new("good");
        let registry = Registry::new();
        let sessions = Sessions::new(&registry);
        let id = sessions.open(&entry, NOW).unwrap();
        assert_eq!(id.len(), 64);
        assert!(!sessions.lock().contains_key(id.as_bytes().first_chunk::<32>().unwrap()));
        assert_eq!(sessions.find(&id, &tokens, NOW), Some(entry.clone()));
        assert_eq!(sessions.find(&id[1..], &tokens, NOW), None);

        // Being seen keeps it from being idle, but not from growing old.
        let mut now = NOW;
        while now.plus(IDLE_MAX).since(NOW) <= AGE_MAX {
            now = now.plus(IDLE_MAX);
            assert!(sessions.find(&id, &tokens, now).is_some());
        }
        assert_eq!(sessions.find(&id, &tokens, now.plus(IDLE_MAX)), None);
        ended(&registry, "old", 1);

        let id = sessions.open(&entry, NOW).unwrap();
        let late = NOW.plus(IDLE_MAX + Duration::from_nanos(1));
        assert_eq!(sessions.find(&id, &tokens, late), None);
        ended(&registry, "idle", 1);
        assert_eq!(sessions.find(&id, &tokens, NOW), None, "what is over stays over");

        let id = sessions.open(&entry, NOW).unwrap();
        sessions.close(&id);
        sessions.close(&id);
        assert_eq!(sessions.find(&id, &tokens, NOW), None);
        ended(&registry, "signed_out", 1);
        assert!(registry.render().contains("weir_api_sessions 0\n"));
    }

    #[test]
    fn revoking_a_token_ends_its_sessions_and_no_others() {
        let (_folder, tokens, entry) = Folder::new("revoked");
        let (other, _) = tokens.create("other", NOW).unwrap();
        let registry = Registry::new();
        let sessions = Sessions::new(&registry);
        let id = sessions.open(&entry, NOW).unwrap();
        let kept = sessions.open(&other, NOW).unwrap();
        tokens.revoke(&entry.id).unwrap();
        assert_eq!(sessions.find(&id, &tokens, NOW), None);
        assert_eq!(sessions.find(&kept, &tokens, NOW), Some(other));
        ended(&registry, "revoked", 1);
    }

    #[test]
    fn past_the_bound_the_session_idle_longest_ends() {
        let (_folder, tokens, entry) = Folder::new("bound");
        let registry = Registry::new();
        let sessions = Sessions::new(&registry);
        let at = |i: usize| NOW.plus(Duration::from_secs(i as u64));
        let ids: Vec<String> =
            (0..SESSIONS_MAX).map(|i| sessions.open(&entry, at(i)).unwrap()).collect();
        let now = at(SESSIONS_MAX);
        assert!(sessions.find(&ids[0], &tokens, now).is_some(), "the first is seen again");
        let last = sessions.open(&entry, now).unwrap();
        assert_eq!(sessions.lock().len(), SESSIONS_MAX);
        assert!(sessions.find(&ids[0], &tokens, now).is_some());
        assert_eq!(sessions.find(&ids[1], &tokens, now), None);
        assert!(sessions.find(&last, &tokens, now).is_some());
        ended(&registry, "evicted", 1);
        // What is over goes first.
        let late = now.plus(IDLE_MAX + Duration::from_secs(1));
        for _ in 0..SESSIONS_MAX {
            sessions.open(&entry, late).unwrap();
        }
        ended(&registry, "evicted", 1);
        ended(&registry, "idle", SESSIONS_MAX as u64);
    }
}
