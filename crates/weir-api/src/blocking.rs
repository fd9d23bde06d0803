//! Work that takes a while: so many at a time, on threads where blocking is allowed, called off
//! when its asker goes away.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use weir_query::Cancel;

use crate::problem::{Kind, Problem};

/// Cancels when dropped: what happens to a handler whose client went away.
struct CancelOnDrop(Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Runs `work` once one of `permits` is free; waits for that up to `patience`. The permit is given
/// back when the work has ended, not when its asker has gone.
pub async fn run<T: Send + 'static>(
    permits: &Arc<Semaphore>,
    patience: Duration,
    work: impl FnOnce(&Cancel) -> T + Send + 'static,
) -> Result<T, Problem> {
    let permit = tokio::time::timeout(patience, Arc::clone(permits).acquire_owned());
    let permit = permit.await.map_err(|_| {
        Problem::new(Kind::Busy, "as many queries as may run at once are running")
            .remedy("ask again later, or raise query.concurrent_max")
    })?;
    let cancel = CancelOnDrop(Cancel::new());
    let pulled = cancel.0.clone();
    let ran = tokio::task::spawn_blocking(move || {
        let result = work(&pulled);
        drop(permit);
        result
    });
    ran.await.map_err(|error| {
        tracing::error!(%error, "query ended abnormally");
        Problem::new(Kind::Internal, "the query ended abnormally; the log says why")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::sync_channel;

    #[tokio::test]
    async fn work_whose_asker_went_away_is_called_off() {
        let permits = Arc::new(Semaphore::new(1));
        let (started, has_started) = tokio::sync::oneshot::channel();
        let (ended, has_ended) = sync_channel(1);
        let asked = tokio::spawn({
            let permits = Arc::clone(&permits);
            async move {
                run(&permits, Duration::from_secs(5), move |cancel| {
                    started.send(()).unwrap();
                    while !cancel.is_cancelled() {
                        std::thread::yield_now();
                    }
                    ended.send("called off").unwrap();
                })
                .await
            }
        });
        has_started.await.unwrap();
        asked.abort();
        let word = tokio::task::spawn_blocking(move || has_ended.recv()).await.unwrap();
        assert_eq!(word, Ok("called off"));
        // The permit comes back, so the next one runs.
        assert_eq!(run(&permits, Duration::from_secs(5), |_| 7).await, Ok(7));
    }

    #[tokio::test]
    async fn past_the_limit_the_asker_waits_and_is_then_refused() {
        let permits = Arc::new(Semaphore::new(0));
        let refused = run(&permits, Duration::from_millis(10), |_| ()).await.unwrap_err();
        assert_eq!(refused.status, 503);
        assert_eq!(
            refused.remedy.as_deref(),
            Some("ask again later, or raise query.concurrent_max")
        );
    }
}
