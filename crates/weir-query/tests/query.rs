//! Questions through the front door: rows are written to a store on disk, closed with their
//! rollups, and asked about; each file of `tests/query/` holds a question and its answer.
#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use weir_model::columns::flows;
use weir_model::{Addr, Clock, FlowBatch, Table, Timestamp};
use weir_query::filter::complete;
use weir_query::{Cancel, Query, QueryLimits, RecentValues, RecordsQuery, records, run};
use weir_store::{DiskFiles, Retention, Store, StorePolicy};

/// 2026-11-20T12:00:00Z.
struct Noon;
impl Clock for Noon {
    fn now(&self) -> Timestamp {
        "2026-11-20T12:00:00Z".parse().unwrap()
    }
}

/// Row `n` of 600: one each 10 s from 10:00 on. Sources 10.0.0.0 to 10.0.4.0, every third row TCP,
/// every tenth without octets, the second half sampled 1 in 100; every seventh was answered.
fn batch(rows: std::ops::Range<u64>) -> FlowBatch {
    let start: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
    let mut batch = FlowBatch::new(Table::Flows);
    batch.append_rows(rows.clone().count());
    for (at, n) in rows.enumerate() {
        batch.set(flows::RECEIVED_AT, at, start.0 + n as i64 * 10_000_000_000);
        batch.set(flows::SRC_ADDR, at, Addr::v4(0x0a00_0000 + (n % 5) as u32 * 256));
        batch.set(flows::DST_ADDR, at, Addr::v4(0xc000_0200 + (n % 3) as u32));
        batch.set(flows::PROTO, at, if n % 3 == 0 { 6u8 } else { 17 });
        batch.set(flows::DST_PORT, at, if n % 3 == 0 { 443u16 } else { 53 });
        batch.set(flows::SRC_AS, at, 64_512 + (n % 2) as u32);
        if n % 10 != 0 {
            batch.set(flows::OCTETS, at, 100 + n);
        }
        if n % 7 == 0 {
            batch.set(flows::REVERSE_OCTETS, at, 1_000 * n);
        }
        if n >= 300 {
            batch.set(flows::SAMPLING_RATE, at, 100u32);
        }
        batch.set(flows::RTT_US, at, (n % 100) as u32);
        batch.set_octets(flows::SRC_POD, at, format!("web-{}", n % 4).as_bytes());
    }
    batch.seal();
    batch
}

struct Folder(PathBuf);
impl Drop for Folder {
    fn drop(&mut self) {
        let _left_behind = std::fs::remove_dir_all(&self.0);
    }
}

fn open(dir: &Path) -> Store {
    let mut policy = StorePolicy::new(dir);
    policy.retention = Retention::default();
    policy.disk_free_min = 0;
    policy.compaction.enabled = false;
    policy.lanes = 1;
    Store::open(policy, Arc::new(Noon), Arc::new(DiskFiles)).unwrap().0
}

/// The first 400 rows in closed segments, the rest in open ones.
fn store(name: &str) -> (Store, Folder) {
    let folder =
        Folder(std::env::temp_dir().join(format!("weir-query-{name}-{}", std::process::id())));
    let store = open(&folder.0);
    store.append(&batch(0..250)).unwrap();
    store.append(&batch(250..400)).unwrap();
    store.close().unwrap();
    drop(store);
    let store = open(&folder.0);
    store.append(&batch(400..600)).unwrap();
    (store, folder)
}

fn ask(store: &Store, query: Value) -> Value {
    let query: Query = serde_json::from_value(query).unwrap();
    let snapshot = store.snapshot();
    let answer = run(&snapshot, &query, &QueryLimits::default(), &Cancel::new(), &Noon).unwrap();
    let answer = serde_json::to_value(answer).unwrap();
    let rows = |columns: &Value| {
        let columns = columns.as_array().unwrap();
        let len = columns.first().map_or(0, |column| column["values"].as_array().unwrap().len());
        let row = |at: usize| columns.iter().map(|c| c["values"][at].clone()).collect::<Value>();
        (0..len).map(row).collect::<Value>()
    };
    let names: Value = answer["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| {
            format!(
                "{} {} {}",
                c["name"].as_str().unwrap(),
                c["type"].as_str().unwrap(),
                c["unit"].as_str().unwrap()
            )
            .trim_end()
            .to_owned()
        })
        .collect();
    json!({
        "columns": names,
        "rows": rows(&answer["columns"]),
        "other": rows(&answer["other"]),
        "total": rows(&answer["total"]),
        "tier": answer["stats"]["tier"],
        "rows_matched": answer["stats"]["rows_matched"],
        "rows_rate_unknown": answer["stats"]["rows_rate_unknown"],
    })
}

#[test]
fn questions_have_the_answers_on_file() {
    let (store, _folder) = store("golden");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/query");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let case: Value = serde_json::from_str(&text).unwrap();
        let answer = ask(&store, case["query"].clone());
        if std::env::var_os("WEIR_BLESS").is_some() {
            let case = json!({ "why": case["why"], "query": case["query"], "answer": answer });
            std::fs::write(&file, format!("{}\n", serde_json::to_string_pretty(&case).unwrap()))
                .unwrap();
        } else {
            assert_eq!(answer, case["answer"], "{}", file.display());
        }
    }
}

#[test]
fn rollups_and_raw_rows_give_the_same_answer() {
    let (store, _folder) = store("tiers");
    let mut tiers = std::collections::BTreeSet::new();
    for group in ["src_addr", "dst_port", "proto", "src_as", "dst_addr"] {
        for directions in ["one", "split", "both"] {
            for bucket in [None, Some("1m"), Some("5m"), Some("1h")] {
                for (from, to) in [("10:00:00", "11:00:00"), ("10:03:17", "11:41:05")] {
                    let day = "2026-11-20T";
                    let by_sum = json!({
                        "from": format!("{day}{from}Z"), "to": format!("{day}{to}Z"),
                        "group_by": [group], "measures": ["both_octets", "octets", "flows"],
                        "bucket": bucket, "limit": 3, "directions": directions,
                    });
                    // A filter that keeps all rows and that no rollup can answer.
                    let mut raw = by_sum.clone();
                    raw["filter"] = json!("rtt_us >= 0");
                    let (by_rollup, by_row) = (ask(&store, by_sum.clone()), ask(&store, raw));
                    assert_eq!(by_row["tier"], "raw");
                    tiers.insert(by_rollup["tier"].as_str().unwrap().to_owned());
                    for part in ["rows", "other", "total"] {
                        assert_eq!(by_rollup[part], by_row[part], "{by_sum}");
                    }
                }
            }
        }
    }
    assert!(tiers.iter().any(|tier| tier.contains("1h")), "{tiers:?}");
    assert!(tiers.iter().any(|tier| tier.contains("5m+1m+raw")), "{tiers:?}");
}

#[test]
fn records_come_newest_first_over_open_and_closed_segments() {
    let (store, _folder) = store("records");
    let mut query = RecordsQuery {
        from: "-1d".into(),
        filter: "src_addr = 10.0.1.0 and proto = tcp".into(),
        columns: vec!["octets".into()],
        limit: 7,
        ..RecordsQuery::default()
    };
    let mut octets = Vec::new();
    loop {
        let snapshot = store.snapshot();
        let page =
            records(&snapshot, &query, &QueryLimits::default(), &Cancel::new(), &Noon).unwrap();
        octets.extend((0..page.rows.rows()).map(|row| page.rows.get_u64(flows::OCTETS, row)));
        query.cursor = page.next;
        if query.cursor.is_none() {
            break;
        }
    }
    let wanted: Vec<Option<u64>> = (0..600u64)
        .rev()
        .filter(|n| n % 5 == 1 && n % 3 == 0)
        .map(|n| (n % 10 != 0).then_some(100 + n))
        .collect();
    assert_eq!(octets, wanted);
}

#[test]
fn values_that_occur_are_proposed() {
    let (store, _folder) = store("values");
    let snapshot = store.snapshot();
    let values = RecentValues {
        snapshot: &snapshot,
        from: "-1d",
        limits: &QueryLimits::default(),
        cancel: &Cancel::new(),
        clock: &Noon,
    };
    let texts = |text: &str| {
        let completion = complete(text, text.len(), Table::Flows, &values);
        completion.items.into_iter().map(|item| item.text).collect::<Vec<_>>()
    };
    assert_eq!(texts("src_pod = we"), ["web-0", "web-1", "web-2", "web-3"]);
    assert_eq!(texts("src_pod = web-2"), ["web-2"]);
    assert_eq!(texts("addr in 10.0.3"), ["10.0.3.0"]);
    assert_eq!(texts("dst_port = "), ["53", "443"]);
    assert!(texts("dst_pod = ").is_empty());
}
