//! A look as lines for scripts: an aligned table, or an object of JSON.

use serde_json::{Value, json};
use weir_model::Timestamp;

use super::flows::{Flow, Flows};
use super::rows::{Arrangement, GroupBy, Row, RowId, container, process, proto};
use super::session::{Session, short};
use crate::cli::table::align;
use crate::cli::text::{human, visible, visible_json};

/// What is printed of a look.
pub struct Look<'a> {
    /// What was seen.
    pub session: &'a Session,
    /// How rows are made.
    pub how: &'a Arrangement,
    /// The rows, cut to what is wanted.
    pub rows: &'a [Row],
    /// When.
    pub at: Timestamp,
}

/// The look as a table under a line about the total.
pub fn table(look: &Look<'_>) -> String {
    let session = look.session;
    let total = session.flows.total(session.known());
    let mut out = format!(
        "{}  {}  out {}  in {}  {} flows, {} over; {}\n",
        look.at,
        visible(&session.origin.name()),
        rate(total.rates[0]),
        rate(total.rates[1]),
        total.flows,
        total.over,
        session.freshness()
    );
    let mut lines = vec![heading(look.how.group)];
    lines.extend(look.rows.iter().map(|row| line(row, &session.flows)));
    let right: Vec<bool> = lines[0].iter().map(|name| is_number(name)).collect();
    out.push_str(&align(&lines, &right));
    out
}

fn heading(group: GroupBy) -> Vec<String> {
    const NUMBERS: [&str; 5] = ["OUT", "IN", "RTT", "RETRANS", "OCTETS"];
    let first: Vec<String> = match group {
        GroupBy::None => ["SOURCE", "DESTINATION", "PROTO", "STATE", "PROCESSES", "AGE"]
            .map(str::to_owned)
            .to_vec(),
        group => vec![group.word().to_uppercase(), "FLOWS".to_owned()],
    };
    first.into_iter().chain(NUMBERS.map(str::to_owned)).collect()
}

fn is_number(name: &str) -> bool {
    matches!(name, "FLOWS" | "OUT" | "IN" | "RTT" | "RETRANS" | "OCTETS" | "AGE")
}

fn line(row: &Row, flows: &Flows) -> Vec<String> {
    let mut cells = match &row.id {
        RowId::Group(name) => vec![visible(name), row.flows.to_string()],
        RowId::Flow(key) => {
            let flow = flows.get(key);
            let of = |cell: &dyn Fn(&Flow) -> Option<String>| {
                flow.and_then(cell).map_or("-".to_owned(), |text| visible(&text))
            };
            vec![
                endpoint(key.src),
                endpoint(key.dst),
                proto(key.proto),
                of(&|flow| flow.last.state.as_deref().map(str::to_owned)),
                of(&processes),
                of(&|flow| flow.age().map(short)),
            ]
        }
    };
    cells.extend([
        rate(row.rates[0]),
        rate(row.rates[1]),
        row.rtt_us.map_or("-".to_owned(), round_trip),
        row.retransmits.map_or("-".to_owned(), |count| count.to_string()),
        human(row.octets as f64, "octets"),
    ]);
    cells
}

/// Octets a second, for people.
pub fn rate(octets_per_second: f64) -> String {
    human(octets_per_second.round(), "octet/s")
}

/// A time of microseconds, for people.
pub fn round_trip(us: u64) -> String {
    match us {
        0..=999 => format!("{us} us"),
        1_000..=99_999 => format!("{:.1} ms", us as f64 / 1_000.0),
        us => format!("{:.0} ms", us as f64 / 1_000.0),
    }
}

/// Address and port, the address in brackets where its own colons would be taken for the port's.
pub fn endpoint((addr, port): (weir_model::Addr, u16)) -> String {
    match addr.as_v4() {
        Some(_) => format!("{addr}:{port}"),
        None => format!("[{addr}]:{port}"),
    }
}

/// The processes at both ends as far as they are known.
pub fn processes(flow: &Flow) -> Option<String> {
    let [src, dst] = [0, 1].map(|i| process(&flow.last.owners[i]));
    match (src, dst) {
        (Some(src), Some(dst)) => Some(format!("{src} > {dst}")),
        (Some(src), None) => Some(src),
        (None, Some(dst)) => Some(format!("> {dst}")),
        (None, None) => None,
    }
}

/// The look as one line of JSON.
pub fn document(look: &Look<'_>) -> String {
    let session = look.session;
    let (now, counts) = (session.now(), session.flows.counts());
    let total = session.flows.total(session.known());
    let rows: Vec<Value> = look.rows.iter().map(|row| object(row, session)).collect();
    let value = json!({
        "time": look.at.to_string(),
        "source": session.origin.name(),
        "note": session.note,
        "failed": session.failed,
        "tiers": session.status.tiers,
        "missing": session.status.missing,
        "filter": session.filter,
        "group": look.how.group.word(),
        "sort": look.how.sort.word(),
        "seconds_since_last_record": session.flows.quiet(now).map(|quiet| quiet.as_secs_f64()),
        "record_interval_seconds":
            session.flows.usual_interval().map(|interval| interval.as_secs_f64()),
        "records": counts.records,
        "records_lost": session.lost(),
        "flows_evicted": counts.evicted,
        "total": {
            "out_octets_per_second": total.rates[0].round(),
            "in_octets_per_second": total.rates[1].round(),
            "flows": total.flows,
            "over": total.over,
        },
        "rows": rows,
    });
    visible_json(&format!("{value}\n"))
}

fn object(row: &Row, session: &Session) -> Value {
    let mut value = json!({
        "flows": row.flows,
        "out_octets_per_second": row.rates[0].round(),
        "in_octets_per_second": row.rates[1].round(),
        "rtt_us": row.rtt_us,
        "retransmits": row.retransmits,
        "octets": row.octets,
        "over": row.is_over,
        "old": row.is_old,
    });
    let more = match &row.id {
        RowId::Group(name) => json!({"group": name, "pid": row.pid}),
        RowId::Flow(key) => {
            let Some(flow) = session.flows.get(key) else { return value };
            let [forward, reverse] = flow.rates(session.known());
            let [src, dst] = &flow.last.owners;
            json!({
                "src_addr": key.src.0.to_string(),
                "src_port": key.src.1,
                "dst_addr": key.dst.0.to_string(),
                "dst_port": key.dst.1,
                "proto": proto(key.proto),
                "tcp_state": flow.last.state,
                "src_process": src.process,
                "src_pid": src.pid,
                "src_user": src.user,
                "src_container": container(src),
                "dst_process": dst.process,
                "dst_pid": dst.pid,
                "dst_user": dst.user,
                "dst_container": container(dst),
                "name": flow.last.name,
                "octets_per_second": forward.round(),
                "reverse_octets_per_second": reverse.round(),
                "interval_seconds": flow.interval().as_secs_f64(),
                "age_seconds": flow.age().map(|age| age.as_secs_f64()),
                "exporter_addr": key.exporter.to_string(),
            })
        }
    };
    if let (Value::Object(all), Value::Object(more)) = (&mut value, more) {
        all.extend(more);
    }
    value
}
