//! When something was lost: totals since the start, at moments ten seconds apart, for five minutes.

use std::collections::VecDeque;
use std::time::Duration;

use weir_api::Collecting;
use weir_api::view::{Loss, LossView};
use weir_model::Timestamp;

/// How long a loss counts as going on.
const RECENT: Duration = Duration::from_secs(300);

/// Samples kept; two more than five minutes have.
const SAMPLES_MAX: usize = 32;

/// The losses of this run.
#[derive(Debug)]
pub struct Losses([Account; 2]);

impl Default for Losses {
    fn default() -> Losses {
        Losses([Account::new(Loss::KernelDropped), Account::new(Loss::QueueFull)])
    }
}

#[derive(Debug)]
struct Account {
    what: Loss,
    /// Totals at moments, oldest first.
    samples: VecDeque<(Timestamp, u64)>,
    /// Highest total that was seen.
    total: u64,
    since: Option<Timestamp>,
    last_at: Option<Timestamp>,
}

impl Account {
    fn new(what: Loss) -> Account {
        Account { what, samples: VecDeque::new(), total: 0, since: None, last_at: None }
    }

    /// Takes a total that was read now.
    fn note(&mut self, total: u64, now: Timestamp) {
        if total > self.total {
            let goes_on = self.last_at.is_some_and(|last| now.since(last) <= RECENT);
            if !goes_on {
                self.since = Some(now);
            }
            self.last_at = Some(now);
            self.total = total;
        }
    }

    fn sample(&mut self, total: u64, now: Timestamp) {
        self.note(total, now);
        self.samples.push_back((now, self.total));
        if self.samples.len() > SAMPLES_MAX {
            self.samples.pop_front();
        }
    }

    fn told(&self, now: Timestamp) -> LossView {
        // The newest total that is five minutes old or older; none was lost before the first.
        let old = self.samples.iter().rev().find(|(at, _)| now.since(*at) >= RECENT);
        let before = old.or(self.samples.front().filter(|_| self.samples.len() >= SAMPLES_MAX));
        let before = before.map_or(0, |(_, total)| *total);
        LossView {
            what: self.what,
            total: self.total,
            recent: self.total.saturating_sub(before),
            since: self.since,
            last_at: self.last_at,
        }
    }
}

fn totals(status: &Collecting) -> [u64; 2] {
    let kernel = status.sockets.iter().map(|socket| socket.kernel_dropped).sum();
    let queue = status.ledger.messages.dropped.get("queue_full").copied().unwrap_or(0);
    [kernel, queue]
}

impl Losses {
    /// Takes totals to measure from. Call it every ten seconds.
    pub fn sample(&mut self, status: &Collecting, now: Timestamp) {
        for (account, total) in self.0.iter_mut().zip(totals(status)) {
            account.sample(total, now);
        }
    }

    /// What was lost when, as of now.
    pub fn told(&mut self, status: &Collecting, now: Timestamp) -> Vec<LossView> {
        let told = self.0.iter_mut().zip(totals(status)).map(|(account, total)| {
            account.note(total, now);
            account.told(now)
        });
        told.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_api::view::SocketView;

    fn status(kernel_dropped: u64) -> Collecting {
        let socket = SocketView {
            transport: "udp",
            address: "[::]:2055".into(),
            buffer_octets: 0,
            kernel_dropped,
        };
        Collecting { sockets: vec![socket], ..Collecting::default() }
    }

    #[test]
    fn a_loss_is_over_after_five_minutes_and_a_new_one_starts_anew() {
        let mut losses = Losses::default();
        let at = Timestamp::from_seconds;
        let dropped = |second: i64| match second {
            ..100 => 0,
            100..200 => 5,
            200..1_000 => 7,
            _ => 8,
        };
        let mut seen = Vec::new();
        for second in (0..1_100).step_by(10) {
            losses.sample(&status(dropped(second)), at(second));
            if [90, 110, 250, 490, 510, 1_090].contains(&second) {
                let told = losses.told(&status(dropped(second)), at(second)).remove(0);
                seen.push((told.total, told.recent, told.since, told.last_at));
            }
        }
        assert_eq!(
            seen,
            [
                (0, 0, None, None),
                (5, 5, Some(at(100)), Some(at(100))),
                (7, 7, Some(at(100)), Some(at(200))),
                (7, 2, Some(at(100)), Some(at(200))),
                (7, 0, Some(at(100)), Some(at(200))),
                (8, 1, Some(at(1_000)), Some(at(1_000))),
            ]
        );
    }
}
