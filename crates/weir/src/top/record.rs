//! What one flow record says, whoever told it: a row of a batch or an object of the API.

use serde_json::Value;
use weir_model::columns::flows as c;
use weir_model::{Addr, ColumnId, FlowBatch, Scalar, Table, Timestamp};

/// Longest text that is kept of a record.
///
/// Limit: with it a full table of flows stays under 80 MB, whatever peers call themselves.
const TEXT_MAX: usize = 128;

/// Number of UDP.
const UDP: u8 = 17;

/// Columns that are read: what a server is asked for.
pub const COLUMNS: [ColumnId; 57] = [
    c::RECEIVED_AT,
    c::EXPORT_TIME,
    c::EXPORTER_ADDR,
    c::EXPORT_PROTOCOL,
    c::OBSERVATION_DOMAIN,
    c::FLOW_START,
    c::FLOW_END,
    c::SRC_ADDR,
    c::DST_ADDR,
    c::SRC_PORT,
    c::DST_PORT,
    c::PROTO,
    c::END_REASON,
    c::SAMPLING_RATE,
    c::SAMPLE_POOL,
    c::OCTETS,
    c::PACKETS,
    c::REVERSE_OCTETS,
    c::REVERSE_PACKETS,
    c::OCTETS_TOTAL,
    c::REVERSE_OCTETS_TOTAL,
    c::RETRANSMITS,
    c::REVERSE_RETRANSMITS,
    c::TCP_STATE,
    c::RTT_US,
    c::RTT_MIN_US,
    c::RTT_VAR_US,
    c::LOST,
    c::UNACKED,
    c::CWND,
    c::DUPLICATE,
    c::DROPPED_PACKETS,
    c::DROP_REASON_NAME,
    c::METERED_BY,
    c::SRC_PROCESS,
    c::SRC_PID,
    c::SRC_UID,
    c::SRC_USER,
    c::SRC_EXE,
    c::SRC_UNIT,
    c::SRC_CONTAINER,
    c::SRC_CONTAINER_ID,
    c::SRC_NAMESPACE,
    c::SRC_POD,
    c::DST_PROCESS,
    c::DST_PID,
    c::DST_UID,
    c::DST_USER,
    c::DST_EXE,
    c::DST_UNIT,
    c::DST_CONTAINER,
    c::DST_CONTAINER_ID,
    c::DST_NAMESPACE,
    c::DST_POD,
    c::APP,
    c::TLS_SNI,
    c::HTTP_HOST,
];

/// A record's values by column.
pub trait Fields {
    /// An unsigned number.
    fn number(&self, column: ColumnId) -> Option<u64>;
    /// A time.
    fn time(&self, column: ColumnId) -> Option<Timestamp>;
    /// An address.
    fn addr(&self, column: ColumnId) -> Option<Addr>;
    /// A text, cut to what is kept.
    fn text(&self, column: ColumnId) -> Option<Box<str>>;
}

/// A row of a batch.
pub struct BatchRow<'a>(pub &'a FlowBatch, pub usize);

impl Fields for BatchRow<'_> {
    fn number(&self, column: ColumnId) -> Option<u64> {
        self.0.get_u64(column, self.1)
    }

    fn time(&self, column: ColumnId) -> Option<Timestamp> {
        match self.0.get(column, self.1)? {
            Scalar::I64(nanos) => Some(Timestamp(nanos)),
            _ => None,
        }
    }

    fn addr(&self, column: ColumnId) -> Option<Addr> {
        match self.0.get(column, self.1)? {
            Scalar::Addr(addr) => Some(addr),
            _ => None,
        }
    }

    fn text(&self, column: ColumnId) -> Option<Box<str>> {
        Some(cut(&String::from_utf8_lossy(self.0.get_octets(column, self.1)?)))
    }
}

/// An object of the API: integers past 2^53 are text there.
pub struct JsonRow<'a>(pub &'a Value);

impl JsonRow<'_> {
    fn value(&self, column: ColumnId) -> Option<&Value> {
        self.0.get(Table::Flows.def(column)?.name)
    }
}

impl Fields for JsonRow<'_> {
    fn number(&self, column: ColumnId) -> Option<u64> {
        let value = self.value(column)?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    }

    fn time(&self, column: ColumnId) -> Option<Timestamp> {
        self.value(column)?.as_str()?.parse().ok()
    }

    fn addr(&self, column: ColumnId) -> Option<Addr> {
        self.value(column)?.as_str()?.parse().ok()
    }

    fn text(&self, column: ColumnId) -> Option<Box<str>> {
        self.value(column)?.as_str().map(cut)
    }
}

fn cut(text: &str) -> Box<str> {
    match text.char_indices().nth(TEXT_MAX) {
        Some((end, _)) => text[..end].into(),
        None => text.into(),
    }
}

/// What tells flows apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Who told of it.
    pub exporter: Addr,
    /// Its observation domain.
    pub domain: u64,
    /// IP protocol.
    pub proto: u8,
    /// Source address and port.
    pub src: (Addr, u16),
    /// Destination address and port.
    pub dst: (Addr, u16),
}

/// Who is at one end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Owner {
    /// Name of the process.
    pub process: Option<Box<str>>,
    /// Its number.
    pub pid: Option<u64>,
    /// Number of its user.
    pub uid: Option<u64>,
    /// Name of its user.
    pub user: Option<Box<str>>,
    /// Path of its program.
    pub exe: Option<Box<str>>,
    /// systemd unit.
    pub unit: Option<Box<str>>,
    /// Name of its container.
    pub container: Option<Box<str>>,
    /// Id of its container.
    pub container_id: Option<Box<str>>,
    /// Namespace and name of its pod.
    pub pod: Option<Box<str>>,
}

impl Owner {
    fn read(row: &impl Fields, ids: [ColumnId; 10]) -> Owner {
        let [process, pid, uid, user, exe, unit, container, container_id, namespace, pod] = ids;
        let pod = row.text(pod).map(|pod| match row.text(namespace) {
            Some(namespace) => format!("{namespace}/{pod}").into(),
            None => pod,
        });
        Owner {
            process: row.text(process),
            pid: row.number(pid),
            uid: row.number(uid),
            user: row.text(user),
            exe: row.text(exe),
            unit: row.text(unit),
            container: row.text(container),
            container_id: row.text(container_id),
            pod,
        }
    }

    /// True when the socket of this end was seen: it is on a machine that is metered.
    pub fn is_local(&self) -> bool {
        self.process.is_some() || self.pid.is_some() || self.uid.is_some()
    }
}

/// How a TCP connection fares: each is the column of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Health {
    pub rtt_us: Option<u64>,
    pub rtt_min_us: Option<u64>,
    pub rtt_var_us: Option<u64>,
    pub lost: Option<u64>,
    pub unacked: Option<u64>,
    pub cwnd: Option<u64>,
}

/// One record. Pairs are source to destination, then back.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Which flow.
    pub key: Key,
    /// When it was told, by the exporter's clock where it has told that.
    pub told: Timestamp,
    /// When the flow, or this part of it, began.
    pub start: Option<Timestamp>,
    /// Its last packet.
    pub end: Option<Timestamp>,
    /// `end_reason`: 2 goes on, others are an end, none is unknown.
    pub reason: Option<u8>,
    /// A sampled packet, not a flow.
    pub is_sample: bool,
    /// Octets since the last record, times the sampling rate.
    pub octets: [u64; 2],
    /// Packets since the last record, times the sampling rate.
    pub packets: [u64; 2],
    /// Octets since the connection began.
    pub octets_total: [Option<u64>; 2],
    /// Segments sent again since the last record, by both ends as far as they were seen.
    pub retransmits: Option<u64>,
    /// Packets that were discarded since the last record.
    pub dropped: u64,
    /// Why most of them were.
    pub drop_reason: Option<Box<str>>,
    /// Sources of the meter that saw the flow.
    pub metered_by: Option<Box<str>>,
    /// TCP state.
    pub state: Option<Box<str>>,
    /// TCP health.
    pub health: Health,
    /// Who is at the source and at the destination.
    pub owners: [Owner; 2],
    /// Name of the application, of the server asked for.
    pub name: Option<Box<str>>,
}

impl Record {
    /// Reads a row. None for what is no flow (neither address), and for what a better observer has
    /// told too.
    pub fn read(row: &impl Fields) -> Option<Record> {
        let (src, dst) = (row.addr(c::SRC_ADDR), row.addr(c::DST_ADDR));
        if (src.is_none() && dst.is_none()) || row.number(c::DUPLICATE) == Some(1) {
            return None;
        }
        let port = |id| row.number(id).and_then(|port| u16::try_from(port).ok()).unwrap_or(0);
        let small = |id| row.number(id).and_then(|number| u8::try_from(number).ok());
        let rate = row.number(c::SAMPLING_RATE).unwrap_or(1).max(1);
        let scaled = |id| row.number(id).unwrap_or(0).saturating_mul(rate);
        let retransmits = [c::RETRANSMITS, c::REVERSE_RETRANSMITS].map(|id| row.number(id));
        let start = row.time(c::FLOW_START);
        Some(Record {
            key: Key {
                exporter: row.addr(c::EXPORTER_ADDR).unwrap_or_default(),
                domain: row.number(c::OBSERVATION_DOMAIN).unwrap_or(0),
                proto: small(c::PROTO).unwrap_or(0),
                src: (src.unwrap_or_default(), port(c::SRC_PORT)),
                dst: (dst.unwrap_or_default(), port(c::DST_PORT)),
            },
            told: row.time(c::EXPORT_TIME).or_else(|| row.time(c::RECEIVED_AT))?,
            start,
            end: row.time(c::FLOW_END),
            reason: small(c::END_REASON),
            is_sample: row.number(c::SAMPLE_POOL).is_some() || start.is_none(),
            octets: [c::OCTETS, c::REVERSE_OCTETS].map(scaled),
            packets: [c::PACKETS, c::REVERSE_PACKETS].map(scaled),
            octets_total: [c::OCTETS_TOTAL, c::REVERSE_OCTETS_TOTAL].map(|id| row.number(id)),
            // Nothing is sent again where nothing is acknowledged.
            retransmits: retransmits
                .iter()
                .flatten()
                .copied()
                .reduce(u64::saturating_add)
                .filter(|_| small(c::PROTO) != Some(UDP)),
            dropped: row.number(c::DROPPED_PACKETS).unwrap_or(0),
            drop_reason: row.text(c::DROP_REASON_NAME),
            metered_by: row.text(c::METERED_BY),
            state: row.text(c::TCP_STATE),
            health: Health {
                rtt_us: row.number(c::RTT_US),
                rtt_min_us: row.number(c::RTT_MIN_US),
                rtt_var_us: row.number(c::RTT_VAR_US),
                lost: row.number(c::LOST),
                unacked: row.number(c::UNACKED),
                cwnd: row.number(c::CWND),
            },
            owners: owners(row),
            name: [c::TLS_SNI, c::HTTP_HOST, c::APP].into_iter().find_map(|id| row.text(id)),
        })
    }
}

fn owners(row: &impl Fields) -> [Owner; 2] {
    let src = [
        c::SRC_PROCESS,
        c::SRC_PID,
        c::SRC_UID,
        c::SRC_USER,
        c::SRC_EXE,
        c::SRC_UNIT,
        c::SRC_CONTAINER,
        c::SRC_CONTAINER_ID,
        c::SRC_NAMESPACE,
        c::SRC_POD,
    ];
    let dst = [
        c::DST_PROCESS,
        c::DST_PID,
        c::DST_UID,
        c::DST_USER,
        c::DST_EXE,
        c::DST_UNIT,
        c::DST_CONTAINER,
        c::DST_CONTAINER_ID,
        c::DST_NAMESPACE,
        c::DST_POD,
    ];
    [Owner::read(row, src), Owner::read(row, dst)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_api::records_page;

    fn batch() -> FlowBatch {
        let mut batch = FlowBatch::new(Table::Flows);
        batch.append_rows(1);
        batch.set(c::RECEIVED_AT, 0, 7_000_000_000i64);
        batch.set(c::FLOW_START, 0, 1_000_000_000i64);
        batch.set(c::SRC_ADDR, 0, Addr::v4(0x0a00_0001));
        batch.set(c::DST_ADDR, 0, Addr::v4(0x0a00_0002));
        batch.set(c::SRC_PORT, 0, 40_000u16);
        batch.set(c::PROTO, 0, 6u8);
        batch.set(c::OCTETS, 0, 1u64 << 60);
        batch.set(c::REVERSE_OCTETS, 0, 5u64);
        batch.set(c::SAMPLING_RATE, 0, 4u32);
        batch.set(c::REVERSE_RETRANSMITS, 0, 3u32);
        batch.set_octets(c::DST_NAMESPACE, 0, b"shop");
        batch.set_octets(c::DST_POD, 0, b"web-0");
        batch.set_octets(c::SRC_PROCESS, 0, "é".repeat(TEXT_MAX + 1).as_bytes());
        batch.seal();
        batch
    }

    #[test]
    fn a_batch_and_the_api_tell_the_same() {
        let batch = batch();
        let record = Record::read(&BatchRow(&batch, 0)).unwrap();
        assert_eq!(record.octets, [1 << 62, 20]);
        assert_eq!(record.told, Timestamp(7_000_000_000));
        assert_eq!(record.retransmits, Some(3));
        assert_eq!(record.owners[1].pod.as_deref(), Some("shop/web-0"));
        assert_eq!(record.owners[0].process.as_ref().unwrap().chars().count(), TEXT_MAX);
        let page = weir_query::RecordsPage {
            rows: batch,
            columns: COLUMNS.to_vec(),
            next: None,
            stats: weir_query::Stats::default(),
        };
        let document: Value = serde_json::from_slice(&records_page(&page)).unwrap();
        assert!(document["records"][0]["octets"].is_string(), "past 2^53 it is text");
        assert_eq!(Record::read(&JsonRow(&document["records"][0])), Some(record));
    }

    #[test]
    fn what_a_better_observer_told_is_not_told_again() {
        let mut batch = batch();
        batch.set(c::DUPLICATE, 0, 1u8);
        assert_eq!(Record::read(&BatchRow(&batch, 0)), None);
    }
}
