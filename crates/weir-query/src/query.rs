//! The logical query: what is asked, apart from how it is answered.

use serde::{Deserialize, Serialize};

/// One question over one table, as the API takes it in JSON. Words are checked and given meaning
/// when the query runs; an error names the field.
///
/// ```
/// let query: weir_query::Query = serde_json::from_str(
///     r#"{"from": "-1h", "filter": "proto = tcp", "group_by": ["src_addr/24"], "measures": ["bps"]}"#,
/// ).unwrap();
/// assert_eq!(query.limit, Some(10));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Query {
    /// `flows`, `counters` or `options`.
    pub table: String,
    /// Start, included: RFC 3339, `now`, or back from now, as in `-1h`.
    pub from: String,
    /// End, excluded; the same forms.
    pub to: String,
    /// Filter text; empty keeps every row.
    pub filter: String,
    /// Up to 8 columns; addresses may carry prefix lengths (`src_addr/24`, `src_addr/24/48`).
    pub group_by: Vec<String>,
    /// `octets`, `bps`, `p95(rtt_us)`, `distinct(dst_addr)` …; at least one.
    pub measures: Vec<String>,
    /// True leaves octets and packets as exported; false multiplies them by `sampling_rate`.
    pub unscaled: bool,
    /// Width of time buckets (`1m`), from 1 s; none gives one figure for the range.
    pub bucket: Option<String>,
    /// Groups kept, by `order_by`; the rest is summed up in `other`. None keeps all.
    pub limit: Option<usize>,
    /// The measure that ranks groups; the first one if empty.
    pub order_by: String,
    /// Which end of the ranking comes first.
    pub order: Order,
    /// Adds the same figures of an earlier period.
    pub compare: Option<Compare>,
    /// Whether the two directions of a conversation are told apart.
    pub directions: Directions,
    /// The time that `from`, `to` and buckets are about.
    pub time: TimeColumn,
}

impl Default for Query {
    fn default() -> Query {
        Query {
            table: "flows".into(),
            from: "-1h".into(),
            to: "now".into(),
            filter: String::new(),
            group_by: Vec::new(),
            measures: vec!["octets".into()],
            unscaled: false,
            bucket: None,
            limit: Some(10),
            order_by: String::new(),
            order: Order::Desc,
            compare: None,
            directions: Directions::One,
            time: TimeColumn::ReceivedAt,
        }
    }
}

/// Ranking order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Largest first.
    #[default]
    Desc,
    /// Smallest first.
    Asc,
}

/// What to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compare {
    /// The period of the same length that ends where this one starts.
    Previous,
    /// The same period a day earlier.
    Day,
    /// The same period a week earlier.
    Week,
}

/// Treatment of directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Directions {
    /// Rows as exported.
    #[default]
    One,
    /// Each octet belongs to the end that sent it: what the responder of a row sent
    /// (`reverse_octets`) counts as `octets` of a row with the ends exchanged, in filter and groups:
    /// addresses, networks, countries, pods and their like. What the connection has (ports,
    /// services, processes, interfaces) stays.
    Split,
    /// Each row is also looked at from its other end: filter and group-by see source and
    /// destination exchanged, and its figures count as `reverse` measures. A group's plain
    /// measures are then what it sent, those with `reverse.` in front what it received, whichever
    /// end had opened the connection.
    Both,
}

/// The time that a query is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeColumn {
    /// When Weir received the record. Rollups answer it.
    #[default]
    ReceivedAt,
    /// When the last packet of the flow was seen. Reads raw rows.
    FlowEnd,
    /// When the first packet of the flow was seen. Reads raw rows.
    FlowStart,
    /// When the exporter sent the message. Reads raw rows.
    ExportTime,
}
