//! Rates of exporters, from their counts at two moments.

use std::collections::HashMap;
use std::time::Instant;

use weir_api::view::ExporterView;
use weir_model::Addr;

/// What tells exporters apart.
type Id = (Addr, &'static str, u32);

/// Records and octets of each exporter at one moment.
#[derive(Debug)]
struct Sample {
    at: Instant,
    counts: HashMap<Id, (u64, u64)>,
}

/// The last two samples: a rate is measured from the older one, so that it covers one to two
/// intervals whenever it is asked for.
#[derive(Debug, Default)]
pub struct Rates {
    older: Option<Sample>,
    newer: Option<Sample>,
}

fn id(exporter: &ExporterView) -> Id {
    (exporter.addr, exporter.protocol, exporter.domain)
}

impl Rates {
    /// Takes the counts of `exporters`.
    pub fn sample(&mut self, exporters: &[ExporterView], at: Instant) {
        let counts = exporters.iter().map(|e| (id(e), (e.records, e.octets))).collect();
        self.older = self.newer.replace(Sample { at, counts });
    }

    /// Fills in the rates of `exporters`. One that no sample has yet gets its mean since its first
    /// message.
    pub fn fill(&self, exporters: &mut [ExporterView], now: Instant) {
        let base = self.older.as_ref().or(self.newer.as_ref());
        for exporter in exporters {
            let known = base.and_then(|sample| Some((sample, sample.counts.get(&id(exporter))?)));
            let ((records, octets), seconds) = match known {
                Some((sample, counts)) => (*counts, now.duration_since(sample.at).as_secs_f64()),
                None => ((0, 0), exporter.last_seen.since(exporter.first_seen).as_secs_f64()),
            };
            // Below a second a rate says more about the moment than about the exporter.
            let per_second =
                |now: u64, then: u64| now.saturating_sub(then) as f64 / seconds.max(1.0);
            exporter.records_per_second = per_second(exporter.records, records);
            exporter.octets_per_second = per_second(exporter.octets, octets);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use weir_api::view::SequenceView;
    use weir_model::Timestamp;

    fn exporter(records: u64) -> ExporterView {
        ExporterView {
            addr: Addr::v4(1),
            name: None,
            protocol: "ipfix",
            domain: 0,
            first_seen: Timestamp::from_seconds(0),
            last_seen: Timestamp::from_seconds(100),
            messages: 0,
            records,
            octets: 2 * records,
            records_per_second: 0.0,
            octets_per_second: 0.0,
            templates: 0,
            parked_sets: 0,
            names: 0,
            sampling: Vec::new(),
            sequence: SequenceView::default(),
            clock_skew_ms: 0,
            dropped: Default::default(),
        }
    }

    #[test]
    fn a_rate_is_of_the_last_seconds_not_of_the_whole_life() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let rate = |rates: &Rates, records, seconds| {
            let mut exporters = [exporter(records)];
            rates.fill(&mut exporters, at(seconds));
            (exporters[0].records_per_second, exporters[0].octets_per_second)
        };
        let mut rates = Rates::default();
        assert_eq!(rate(&rates, 1_000, 0), (10.0, 20.0));
        rates.sample(&[exporter(1_000)], at(0));
        assert_eq!(rate(&rates, 1_050, 10), (5.0, 10.0));
        rates.sample(&[exporter(1_050)], at(10));
        rates.sample(&[exporter(1_050)], at(20));
        assert_eq!(rate(&rates, 1_050, 30), (0.0, 0.0), "silent since the older sample");
    }
}
