//! What routes remember between requests: answers that are asked for often and change slowly, and
//! how many streams run. All of it is bounded, and forgotten at the end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use weir_model::Timestamp;

/// Exports at once. Each holds a thread, and the segments that it reads, until its client has all.
const EXPORTS: usize = 4;

/// For how long an answer is given again.
const FRESH: Duration = Duration::from_secs(30);

/// State of routes.
#[derive(Debug)]
pub struct Remembered {
    /// Permits of exports.
    pub exports: Arc<Semaphore>,
    dimensions: Mutex<Option<(Timestamp, Arc<Vec<u8>>)>>,
}

impl Default for Remembered {
    fn default() -> Remembered {
        Remembered { exports: Arc::new(Semaphore::new(EXPORTS)), dimensions: Mutex::new(None) }
    }
}

impl Remembered {
    /// The last answer about dimensions, if it is fresh.
    pub fn dimensions(&self, now: Timestamp) -> Option<Arc<Vec<u8>>> {
        let last = self.dimensions.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, answer) = last.as_ref().filter(|(at, _)| now.since(*at) < FRESH && now >= *at)?;
        Some(Arc::clone(answer))
    }

    /// Remembers an answer about dimensions.
    pub fn note_dimensions(&self, now: Timestamp, answer: &Arc<Vec<u8>>) {
        let mut last = self.dimensions.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some((now, Arc::clone(answer)));
    }
}
