mod sources;

use super::*;
use crate::endpoint::{End, Endpoint, FlowKey};
use proptest::prelude::*;
use weir_model::{Addr, Timestamp};

fn moment(seconds: u64) -> Moment {
    let mono = Duration::from_secs(seconds);
    Moment { wall: Timestamp::from_seconds(1_800_000_000).plus(mono), mono }
}

fn key(number: u32) -> FlowKey {
    let low = Endpoint { addr: Addr::v4(1), port: 80 };
    let high = Endpoint { addr: Addr::v4(2 + number), port: 5_000 };
    FlowKey::new(0, 6, low, high).0
}

/// An observation of the higher end, which began the connection.
fn seen(number: u32, sent: u64, now: Moment) -> Observation {
    let count = |octets: u64| Count { octets, packets: octets / 10 };
    let initiator = Initiator { end: End::High, sure: true };
    let place = (key(number), End::High);
    let mut seen = Observation::new(SourceKind::InetDiag, place, initiator, (now.wall, now.wall));
    (seen.socket, seen.retransmits, seen.state) = (1, 1, "ESTABLISHED");
    (seen.sent, seen.received) = (count(sent), count(sent / 2));
    (seen.sent_total, seen.received_total) = (count(1_000_000 + sent), count(sent / 2));
    seen
}

fn told(cache: &mut FlowCache, now: Moment) -> Vec<(u64, EndReason)> {
    cache.expire(now);
    cache.take_records().iter().map(|record| (record.forward.octets, record.reason)).collect()
}

#[test]
fn a_flow_is_told_early_then_at_the_active_timeout_then_after_silence() {
    let mut cache = FlowCache::new(CachePolicy::default());
    let mut all = Vec::new();
    for second in 0..100 {
        let now = moment(second);
        if second <= 70 {
            cache.observe(&seen(0, 10, now), now);
        }
        all.extend(told(&mut cache, now).into_iter().map(|(n, reason)| (second, n, reason)));
    }
    use EndReason::{ActiveTimeout, IdleTimeout};
    assert_eq!(all, [(5, 60, ActiveTimeout), (65, 600, ActiveTimeout), (85, 50, IdleTimeout)]);
    assert_eq!((cache.len(), cache.counts().idle), (0, 1));
}

#[test]
fn flows_with_an_end_in_a_pod_are_counted() {
    let mut cache = FlowCache::new(CachePolicy::default());
    let now = moment(0);
    let cgroup = crate::owner::cgroup::Cgroup { pod_uid: Some([7; 16]), ..Default::default() };
    let pod = crate::owner::Owner { cgroup, ..Default::default() };
    for (number, owner) in [Some(pod), Some(Default::default()), None].into_iter().enumerate() {
        let owner = owner.map(std::sync::Arc::new);
        cache.observe(&Observation { owner, ..seen(number as u32, 10, now) }, now);
    }
    assert_eq!((cache.len(), cache.flows_of_pods()), (3, 1));
}

#[test]
fn a_silent_flow_leaves_without_a_record_that_says_nothing() {
    let mut cache = FlowCache::new(CachePolicy::default());
    cache.observe(&seen(0, 10, moment(0)), moment(0));
    assert_eq!(told(&mut cache, moment(5)), [(10, EndReason::ActiveTimeout)]);
    assert_eq!(told(&mut cache, moment(15)), []);
    assert_eq!(cache.len(), 0);
}

#[test]
fn an_ended_flow_is_told_once_and_waits_for_the_other_end() {
    let mut cache = FlowCache::new(CachePolicy::default());
    let end = Observation { ended: true, ..seen(0, 10, moment(0)) };
    cache.observe(&end, moment(0));
    assert_eq!(told(&mut cache, moment(0)), []);
    let other = Observation { end: End::Low, socket: 2, ..end.clone() };
    cache.observe(&other, moment(0));
    cache.expire(moment(2));
    let records = cache.take_records();
    assert_eq!(records.len(), 1);
    // Forward from the initiator's own end, reverse from the responder's own.
    assert_eq!((records[0].forward.octets, records[0].reverse.octets), (10, 10));
    assert_eq!((records[0].retransmits, records[0].reverse_retransmits), (Some(1), Some(1)));
    assert_eq!(records[0].forward_total.octets, 1_000_010);
    assert_eq!((told(&mut cache, moment(9)), cache.counts().ended), (vec![], 1));
}

#[test]
fn an_end_that_is_seen_late_tells_no_octet_twice() {
    let mut cache = FlowCache::new(CachePolicy::default());
    // The responder alone was seen first, and what it received was told.
    let low = Observation { end: End::Low, socket: 2, ..seen(0, 200, moment(0)) };
    cache.observe(&low, moment(0));
    cache.expire(moment(5));
    assert_eq!(cache.take_records()[0].forward.octets, 100);
    // Its own figure is behind at first, catches up, and passes.
    let mut told = Vec::new();
    for second in 6..190 {
        let sent = match second {
            6 => 60,
            70 => 40,
            130 => 5,
            _ => 0,
        };
        cache.observe(&seen(0, sent, moment(second)), moment(second));
        cache.expire(moment(second));
        told.extend(cache.take_records().iter().map(|record| record.forward.octets));
    }
    assert_eq!(told, [0, 0, 5]);
}

#[test]
fn endpoints_that_are_used_again_are_another_flow() {
    let mut cache = FlowCache::new(CachePolicy::default());
    cache.observe(&seen(0, 10, moment(0)), moment(0));
    cache.observe(&Observation { socket: 9, ..seen(0, 70, moment(1)) }, moment(1));
    let first: Vec<_> = cache.take_records().iter().map(|r| (r.forward.octets, r.reason)).collect();
    assert_eq!((first, cache.len()), (vec![(10, EndReason::EndOfFlow)], 1));
    assert_eq!(told(&mut cache, moment(6)), [(70, EndReason::ActiveTimeout)]);
}

#[test]
fn a_full_cache_gives_up_what_was_silent_for_longest() {
    let policy = CachePolicy { flows_max: 2, ..CachePolicy::default() };
    let mut cache = FlowCache::new(policy);
    cache.observe(&seen(1, 10, moment(0)), moment(0));
    cache.observe(&seen(2, 20, moment(1)), moment(1));
    cache.observe(&seen(1, 1, moment(2)), moment(2));
    cache.observe(&seen(3, 30, moment(3)), moment(3));
    let records = cache.take_records();
    assert_eq!(records.len(), 1);
    assert_eq!((records[0].forward.octets, records[0].reason), (20, EndReason::LackOfResources));
    assert_eq!((cache.len(), cache.counts().evicted), (2, 1));
}

#[test]
fn a_name_that_is_found_late_keeps_no_flow_alive() {
    let mut cache = FlowCache::new(CachePolicy::default());
    let quiet = |now| Observation {
        active: false,
        sent: Count::default(),
        received: Count::default(),
        user: Some((7, None)),
        ..seen(0, 0, now)
    };
    cache.observe(&quiet(moment(0)), moment(0));
    assert!(cache.is_empty(), "a name alone is no flow");
    cache.observe(&seen(0, 10, moment(0)), moment(0));
    cache.observe(&quiet(moment(14)), moment(14));
    cache.expire(moment(15));
    let records = cache.take_records();
    assert_eq!(records[0].src_side.as_ref().unwrap().user, Some((7, None)));
    assert_eq!((records[0].reason, cache.len()), (EndReason::IdleTimeout, 0));
}

#[test]
fn a_step_of_the_wall_clock_neither_ends_nor_keeps_a_flow() {
    let mut cache = FlowCache::new(CachePolicy::default());
    cache.observe(&seen(0, 10, moment(0)), moment(0));
    let stepped = |seconds: u64, by: i64| {
        let now = moment(seconds);
        Moment { wall: Timestamp(now.wall.0 + by), ..now }
    };
    let hour = 3_600_000_000_000;
    assert_eq!(told(&mut cache, stepped(1, hour)), []);
    let back = stepped(2, -hour);
    cache.observe(&seen(0, 10, back), back);
    cache.expire(stepped(5, -hour));
    let record = cache.take_records().remove(0);
    assert_eq!(record.reason, EndReason::ActiveTimeout);
    assert!(record.start <= record.end);
    assert_eq!(told(&mut cache, stepped(17, -hour)), []);
    assert!(cache.is_empty());
}

/// The cache in twenty lines: a list, looked through for everything.
#[derive(Default)]
struct Model {
    flows: Vec<(u32, u64, u64, u64, Option<u64>, bool)>,
    told: Vec<(u32, u64)>,
}

impl Model {
    fn observe(&mut self, number: u32, octets: u64, now: u64, max: usize) {
        let at = self.flows.iter().position(|flow| flow.0 == number).unwrap_or_else(|| {
            if self.flows.len() >= max {
                let silent = (0..max).min_by_key(|i| (self.flows[*i].3, key(self.flows[*i].0)));
                let flow = self.flows.remove(silent.unwrap());
                self.told.extend(flow.5.then_some((flow.0, flow.1)));
            }
            self.flows.push((number, 0, now, now, None, true));
            self.flows.len() - 1
        });
        let flow = &mut self.flows[at];
        (flow.1, flow.3, flow.5) = (flow.1 + octets, now, true);
    }

    fn expire(&mut self, now: u64) {
        self.flows.retain_mut(|(number, octets, seen, changed, reported, dirty)| {
            let idle = now - *changed >= 15;
            let due = reported.map_or(now - *seen >= 5, |reported| now - reported >= 60);
            if *dirty && (idle || due) {
                self.told.push((*number, std::mem::take(octets)));
                (*reported, *dirty) = (Some(now), false);
            }
            !idle
        });
    }
}

proptest! {
    #[test]
    fn it_equals_a_list_that_is_looked_through(
        ops in prop::collection::vec((0u32..6, 0u64..100, 0u64..9, any::<bool>()), 0..120)
    ) {
        let policy = CachePolicy { flows_max: 3, ..CachePolicy::default() };
        let (mut cache, mut model, mut now) = (FlowCache::new(policy), Model::default(), 0);
        let mut sent = 0;
        for (number, octets, pause, expire) in ops {
            now += pause;
            cache.observe(&seen(number, octets, moment(now)), moment(now));
            model.observe(number, octets, now, 3);
            sent += octets;
            if expire {
                cache.expire(moment(now));
                model.expire(now);
            }
            prop_assert!(cache.len() <= 3);
            let mut ours: Vec<_> = cache
                .take_records()
                .iter()
                .map(|record| (record.src.addr.0 as u32 - 2, record.forward.octets))
                .collect();
            sent -= ours.iter().map(|(_, octets)| octets).sum::<u64>();
            ours.sort_unstable();
            model.told.sort_unstable();
            prop_assert_eq!(ours, std::mem::take(&mut model.told));
        }
        cache.flush(moment(now));
        let rest: u64 = cache.take_records().iter().map(|record| record.forward.octets).sum();
        prop_assert_eq!(rest, sent);
    }
}
