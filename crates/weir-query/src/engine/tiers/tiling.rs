//! A range of time cut into spans, each read from one tier.
//!
//! Invariant: the spans follow one another without gap or overlap, and each lies where its tier
//! still has every row.

use weir_model::{Grain, Timestamp};
use weir_store::Tier;

/// A tier and from when on it has every row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kept {
    pub tier: Tier,
    pub from: i64,
}

/// A span of time and what it is read from.
pub(super) type Span = (Tier, Timestamp, Timestamp);

/// What a range became.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tiling {
    pub from: Timestamp,
    pub to: Timestamp,
    pub spans: Vec<Span>,
    /// False when nothing is kept of the start of the range, or of all of it.
    pub covered: bool,
}

/// Length of a bucket; raw rows have none.
fn width(tier: Tier) -> i64 {
    match tier {
        Tier::Raw => 1,
        Tier::Rollup(grain) => Grain::nanos(grain),
    }
}

fn down(time: i64, width: i64) -> i64 {
    time.div_euclid(width).saturating_mul(width)
}

fn up(time: i64, width: i64) -> i64 {
    let floor = down(time, width);
    if floor < time { floor.saturating_add(width) } else { floor }
}

/// Cuts a range into whole buckets of the coarsest tier, then of finer ones at both ends. Where a
/// tier with finer buckets is not kept any more, the range grows to whole buckets of the finest
/// that is; where none is, it starts later. `tiers` come coarsest first, raw rows last.
pub(super) fn tile(from: Timestamp, to: Timestamp, tiers: &[Kept]) -> Tiling {
    let whole = |from: i64, to: i64, covered| {
        let spans = cut(from, to, tiers)?;
        Some(Tiling { from: Timestamp(from), to: Timestamp(to), spans, covered })
    };
    let finest_first = || tiers.iter().rev().map(|kept| width(kept.tier));
    let mut froms: Vec<i64> = finest_first().map(|width| down(from.0, width)).collect();
    let mut tos: Vec<i64> = finest_first().map(|width| up(to.0, width)).collect();
    froms.dedup();
    tos.dedup();
    let mut pairs: Vec<(i64, i64)> =
        froms.iter().flat_map(|from| tos.iter().map(|to| (*from, *to))).collect();
    pairs.sort_by_key(|(from, to)| to.saturating_sub(*from));
    if let Some(tiling) = pairs.iter().find_map(|(from, to)| whole(*from, *to, true)) {
        return tiling;
    }
    let mut starts: Vec<i64> = tiers.iter().map(|kept| up(kept.from, width(kept.tier))).collect();
    starts.sort_unstable();
    let later = starts.iter().filter(|start| **start > from.0 && **start < to.0);
    let later = later.flat_map(|start| tos.iter().map(move |to| (*start, *to)));
    let late = later.into_iter().find_map(|(from, to)| whole(from, to, false));
    // Some rows before the time up to which they were dropped may be left: better those than none.
    let spans = vec![(Tier::Raw, from, to)];
    late.unwrap_or(Tiling { from, to, spans, covered: false })
}

/// The spans of a range; none when a part of it is covered by no tier.
fn cut(from: i64, to: i64, tiers: &[Kept]) -> Option<Vec<Span>> {
    if from >= to {
        return Some(Vec::new());
    }
    let (kept, finer) = tiers.split_first()?;
    let width = width(kept.tier);
    let (start, end) = (up(from.max(kept.from), width), down(to, width));
    if start >= end {
        return cut(from, to, finer);
    }
    let mut spans = cut(from, start, finer)?;
    spans.push((kept.tier, Timestamp(start), Timestamp(end)));
    spans.extend(cut(end, to, finer)?);
    Some(spans)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: Tier = Tier::Rollup(Grain::Minute);
    const FIVE: Tier = Tier::Rollup(Grain::FiveMinutes);
    const HOUR: Tier = Tier::Rollup(Grain::Hour);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    /// Tiers kept from these seconds on, coarsest first.
    fn kept(seconds: [i64; 4]) -> Vec<Kept> {
        let tiers = [HOUR, FIVE, MINUTE, Tier::Raw];
        tiers.into_iter().zip(seconds).map(|(tier, s)| Kept { tier, from: at(s).0 }).collect()
    }

    #[test]
    fn ranges_are_cut_at_whole_buckets() {
        let tiling = tile(at(30), at(122 * 60), &kept([0; 4]));
        let spans = vec![
            (Tier::Raw, at(30), at(60)),
            (MINUTE, at(60), at(300)),
            (FIVE, at(300), at(3_600)),
            (HOUR, at(3_600), at(7_200)),
            (MINUTE, at(7_200), at(7_320)),
        ];
        assert_eq!(tiling, Tiling { from: at(30), to: at(7_320), spans, covered: true });
        let raw = kept([0; 4]).split_off(3);
        assert_eq!(tile(at(0), at(60), &raw).spans, [(Tier::Raw, at(0), at(60))]);
    }

    #[test]
    fn where_raw_rows_are_gone_an_edge_grows_to_the_finest_bucket_that_is_kept() {
        // Raw rows from 02:00 on, minutes from 01:00 on, the rest from the start.
        let tiers = kept([0, 0, 3_600, 7_200]);
        let tiling = tile(at(430), at(7_230), &tiers);
        let spans = vec![
            (FIVE, at(300), at(3_600)),
            (HOUR, at(3_600), at(7_200)),
            (Tier::Raw, at(7_200), at(7_230)),
        ];
        assert_eq!(tiling, Tiling { from: at(300), to: at(7_230), spans, covered: true });
        let tiling = tile(at(3_630), at(3_700), &tiers);
        let spans = vec![(MINUTE, at(3_600), at(3_720))];
        assert_eq!(tiling, Tiling { from: at(3_600), to: at(3_720), spans, covered: true });
    }

    #[test]
    fn a_range_that_starts_before_anything_kept_starts_later_and_says_so() {
        let tiling = tile(at(0), at(10_800), &kept([7_200; 4]));
        let spans = vec![(HOUR, at(7_200), at(10_800))];
        assert_eq!(tiling, Tiling { from: at(7_200), to: at(10_800), spans, covered: false });
        let tiling = tile(at(0), at(600), &kept([7_200; 4]));
        let spans = vec![(Tier::Raw, at(0), at(600))];
        assert_eq!(tiling, Tiling { from: at(0), to: at(600), spans, covered: false });
    }

    proptest! {
        #[test]
        fn spans_cover_the_range_once_and_lie_where_their_tier_is_kept(
            starts in prop::array::uniform4(0i64..9_000),
            from in 0i64..9_000,
            length in 1i64..9_000,
        ) {
            let tiers = kept(starts);
            let (from, to) = (at(from), at(from + length));
            let tiling = tile(from, to, &tiers);
            let mut reached = tiling.from;
            for (tier, start, end) in &tiling.spans {
                prop_assert_eq!(*start, reached);
                prop_assert!(start < end);
                prop_assert_eq!((start.0 % width(*tier), end.0 % width(*tier)), (0, 0));
                let kept = tiers.iter().find(|kept| kept.tier == *tier).unwrap();
                let only_what_is_left = !tiling.covered && tiling.spans.len() == 1;
                prop_assert!(start.0 >= kept.from || only_what_is_left);
                reached = *end;
            }
            prop_assert_eq!(reached, tiling.to);
            prop_assert!(tiling.to >= to && (tiling.from <= from || !tiling.covered));
            prop_assert!(!tiling.covered || tiling.to.0 - tiling.from.0 - (to.0 - from.0) <= 2 * width(HOUR));
            if starts[3] <= from.0 / 1_000_000_000 {
                prop_assert_eq!((tiling.from, tiling.to), (from, to));
            }
        }
    }
}
