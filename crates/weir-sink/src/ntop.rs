//! ntop's JSON, one object a line: what nProbe's agent and libebpfflow send to ntopng.
//!
//! A record becomes what ntop tells of a socket: the end with a process is the local one (of two,
//! the initiator's). Counters in `TCP` are totals; times are milliseconds, rates bits a second,
//! memory kibibytes. A record that says something happened has `EVENT_TYPE`, the others are the
//! periodic counters. What a record does not know has no key.
//!
//! Deviations: `BYTES_ACKED` is what the local end sent, segments that were sent again included.
//! `RETRAN_PKTS` counts from the first record that this writer saw of a flow.

mod end;
mod object;
mod sums;

use std::io::{self, Write};

use weir_model::columns::flows as c;
use weir_model::{Addr, ColumnId, FlowBatch, Scalar, Table};

use crate::format::RecordWriter;
use end::{DST, End, SRC};
use object::Object;
use sums::Sums;

const TCP: u64 = 6;
const UDP: u64 = 17;
/// `flowEndReason`: the flow goes on.
const ACTIVE_TIMEOUT: u64 = 2;
/// `flowEndReason`: the connection ended.
const END_OF_FLOW: u64 = 3;
/// Flows whose retransmits are summed up.
const SUMS_MAX: usize = 65_536;

/// What is known of a parent beside its process id and its program, which records have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "each is the column of its name")]
pub struct Father {
    pub uid: Option<u32>,
    pub user: Option<String>,
    pub gid: Option<u32>,
    pub group: Option<String>,
    pub vm_size: Option<u64>,
    pub vm_peak: Option<u64>,
}

/// Tells of a process that is a parent, by its process id.
pub type Fathers = Box<dyn Fn(u32) -> Option<Father> + Send>;

/// Writes flow records as ntop does.
pub struct Writer<W> {
    out: W,
    line: Vec<u8>,
    sums: [Sums; 2],
    fathers: Fathers,
}

impl<W: Write> Writer<W> {
    /// A writer to `out`.
    pub fn new(out: W) -> Writer<W> {
        let sums = [Sums::new(SUMS_MAX), Sums::new(SUMS_MAX)];
        Writer { out, line: Vec::new(), sums, fathers: Box::new(|_| None) }
    }

    /// Asks `fathers` for user, group and memory of parents. For who writes on the machine that
    /// was metered: records do not carry them.
    #[must_use]
    pub fn with_fathers(self, fathers: Fathers) -> Writer<W> {
        Writer { fathers, ..self }
    }

    fn row(&mut self, batch: &FlowBatch, row: usize) {
        let row = Row { batch, row };
        let is_src = row.is_src_local();
        let (local, remote) = if is_src { (&SRC, &DST) } else { (&DST, &SRC) };
        let seen = Seen { row, is_src, local, remote };
        let retransmits = seen.retransmits(&mut self.sums);
        let fathers = &self.fathers;
        self.line.clear();
        Object::write(&mut self.line, |out| seen.write(retransmits, fathers, out));
        self.line.push(b'\n');
    }
}

impl<W: Write + Send> RecordWriter for Writer<W> {
    fn write(&mut self, batch: &FlowBatch) -> io::Result<()> {
        if batch.table() != Table::Flows {
            return Ok(());
        }
        for row in 0..batch.rows() {
            self.row(batch, row);
            self.out.write_all(&self.line)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A row of a batch.
#[derive(Clone, Copy)]
struct Row<'a> {
    batch: &'a FlowBatch,
    row: usize,
}

impl Row<'_> {
    fn number(&self, id: ColumnId) -> Option<u64> {
        self.batch.get_u64(id, self.row)
    }

    fn text(&self, id: ColumnId) -> Option<String> {
        let octets = self.batch.get_octets(id, self.row)?;
        Some(String::from_utf8_lossy(octets).into_owned())
    }

    fn addr(&self, id: ColumnId) -> Option<Addr> {
        match self.batch.get(id, self.row)? {
            Scalar::Addr(addr) => Some(addr),
            _ => None,
        }
    }

    fn time(&self, id: ColumnId) -> Option<i64> {
        match self.batch.get(id, self.row)? {
            Scalar::I64(time) => Some(time),
            _ => None,
        }
    }

    /// Where a record names no process, the exporter's own address tells the local end.
    fn is_src_local(&self) -> bool {
        if SRC.is_known(self) || DST.is_known(self) {
            return SRC.is_known(self);
        }
        let exporter = self.addr(c::EXPORTER_ADDR);
        exporter.is_none()
            || self.addr(c::DST_ADDR) != exporter
            || self.addr(c::SRC_ADDR) == exporter
    }
}

/// A row, seen from its local end.
struct Seen<'a> {
    row: Row<'a>,
    is_src: bool,
    local: &'a End,
    remote: &'a End,
}

impl Seen<'_> {
    /// What the local end sent, of a column and its reverse.
    fn sent(&self, forward: ColumnId, reverse: ColumnId) -> Option<u64> {
        self.row.number(if self.is_src { forward } else { reverse })
    }

    /// Segments that the local end sent again: since the last record, and since the first.
    fn retransmits(&self, sums: &mut [Sums; 2]) -> Option<(u64, u64)> {
        let new = self.sent(c::RETRANSMITS, c::REVERSE_RETRANSMITS)?;
        let flow = self.row.addr(c::EXPORTER_ADDR).zip(self.row.number(c::FLOW_ID));
        let ended = self.row.number(c::END_REASON).is_none_or(|reason| reason != ACTIVE_TIMEOUT);
        let sums = &mut sums[usize::from(self.is_src)];
        Some((new, flow.map_or(new, |flow| sums.add(flow, new, ended))))
    }

    /// What happened, if this is more than a look at counters.
    fn event(&self, retransmits: u64) -> Option<&'static str> {
        let has_sent = |forward, reverse| self.sent(forward, reverse).is_some_and(|sent| sent > 0);
        match self.row.number(c::PROTO)? {
            TCP => {
                let state = self.row.text(c::TCP_STATE);
                let is_all = |delta, total| {
                    self.row.number(delta).is_some_and(|d| self.row.number(total) == Some(d))
                };
                let is_first = is_all(c::PACKETS, c::PACKETS_TOTAL)
                    && is_all(c::REVERSE_PACKETS, c::REVERSE_PACKETS_TOTAL);
                let is_sure = self.row.number(c::BIFLOW_DIRECTION) == Some(1);
                if self.row.number(c::END_REASON) == Some(END_OF_FLOW) {
                    let failed = state.as_deref() == Some("SYN_SENT");
                    return Some(if failed { "CONNECT_FAILED" } else { "CLOSE" });
                }
                match (is_first && is_sure, self.is_src) {
                    (true, true) => Some("CONNECT"),
                    (true, false) => Some("ACCEPT"),
                    (false, _) => (retransmits > 0).then_some("RETRANSMIT"),
                }
            }
            UDP if has_sent(c::PACKETS, c::REVERSE_PACKETS) => Some("SEND"),
            UDP => Some("RECV"),
            _ => None,
        }
    }

    fn write(&self, retransmits: Option<(u64, u64)>, fathers: &Fathers, out: &mut Object<'_>) {
        let row = &self.row;
        let proto = row.number(c::PROTO);
        let time = row.time(c::FLOW_END).or(row.time(c::EXPORT_TIME)).or(row.time(c::RECEIVED_AT));
        out.text("timestamp", time.map(seconds).as_deref());
        let event = self.event(retransmits.map_or(0, |(new, _)| new));
        out.text("EVENT_TYPE", event);
        match proto {
            Some(TCP) => out.text("TCP_EVENT_TYPE", event),
            Some(UDP) => out.text("UDP_EVENT_TYPE", event),
            _ => {}
        }
        self.endpoints(proto, out);
        out.text("USER_NAME", row.text(self.local.user).as_deref());
        self.local.write("LOCAL", row, fathers, out);
        self.remote.write("REMOTE", row, fathers, out);
        if let Some(event) = event.filter(|_| proto == Some(TCP)) {
            out.fraction("NW_LATENCY_MS", self.latency().map(milliseconds), 3);
            let new = retransmits.map(|(new, _)| new);
            out.number("RETRAN_PKTS", new.filter(|_| event == "RETRANSMIT"));
        }
        if proto == Some(TCP) {
            out.object("TCP", |out| self.tcp(retransmits.map(|(_, sum)| sum), out));
        }
        let names = [c::OUT_IF_NAME, c::IN_IF_NAME].map(|column| row.text(column));
        let interface = names.into_iter().flatten().next();
        out.text("INTERFACE_NAME", interface.as_deref());
        out.text("IF_NAME", interface.as_deref());
        let exporter = row.addr(c::EXPORTER_ADDR);
        let key = if is_v4(exporter) { "EXPORTER_IPV4_ADDRESS" } else { "EXPORTER_IPV6_ADDRESS" };
        out.text(key, exporter.map(|addr| addr.to_string()).as_deref());
    }

    fn endpoints(&self, proto: Option<u64>, out: &mut Object<'_>) {
        let row = &self.row;
        let (local, remote) = (row.addr(self.local.addr), row.addr(self.remote.addr));
        let version = if is_v4(local.or(remote)) { 4 } else { 6 };
        out.number("IP_PROTOCOL_VERSION", local.or(remote).map(|_| version));
        out.number("PROTOCOL", proto);
        out.number("L4_LOCAL_PORT", row.number(self.local.port));
        out.number("L4_REMOTE_PORT", row.number(self.remote.port));
        for (v4, v6, addr) in [
            ("IPV4_LOCAL_ADDR", "IPV6_LOCAL_ADDR", local),
            ("IPV4_REMOTE_ADDR", "IPV6_REMOTE_ADDR", remote),
        ] {
            let key = if is_v4(addr) { v4 } else { v6 };
            out.text(key, addr.map(|addr| addr.to_string()).as_deref());
        }
    }

    /// Microseconds that the handshake took, else the lowest round-trip time.
    fn latency(&self) -> Option<u64> {
        let (client, server) =
            (self.row.number(c::CLIENT_LATENCY_US), self.row.number(c::SERVER_LATENCY_US));
        match (client, server) {
            (None, None) => self.row.number(c::RTT_MIN_US),
            (client, server) => Some(client.unwrap_or(0).saturating_add(server.unwrap_or(0))),
        }
    }

    fn tcp(&self, retransmits: Option<u64>, out: &mut Object<'_>) {
        let row = &self.row;
        let total = |forward, reverse| self.sent(forward, reverse);
        out.text("CONN_STATE", row.text(c::TCP_STATE).as_deref());
        out.number("SEGS_IN", total(c::REVERSE_PACKETS_TOTAL, c::PACKETS_TOTAL));
        out.number("SEGS_OUT", total(c::PACKETS_TOTAL, c::REVERSE_PACKETS_TOTAL));
        out.number("UNACK_SEGMENTS", row.number(c::UNACKED));
        out.number("RETRAN_PKTS", retransmits);
        out.number("LOST_PKTS", row.number(c::LOST));
        let rtt = row.number(c::RTT_US);
        out.fraction("RTT", rtt.map(milliseconds), 4);
        out.fraction("RTT_VARIANCE", row.number(c::RTT_VAR_US).map(milliseconds), 4);
        out.number("BYTES_RCVD", total(c::REVERSE_OCTETS_TOTAL, c::OCTETS_TOTAL));
        out.number("BYTES_ACKED", total(c::OCTETS_TOTAL, c::REVERSE_OCTETS_TOTAL));
        // What the window lets through in a round trip, as `ss` computes its `send`.
        let window = row.number(c::CWND).zip(row.number(c::SND_MSS));
        let current = window.zip(rtt.filter(|rtt| *rtt > 0));
        let current = current
            .map(|((cwnd, mss), rtt)| cwnd as f64 * mss as f64 * 8.0 * 1_000_000.0 / rtt as f64);
        out.fraction("CURRENT_RATE", current, 1);
        let delivery = row.number(c::DELIVERY_RATE);
        out.fraction("DELIVERY_RATE", delivery.map(|rate| rate as f64 * 8.0), 1);
    }
}

fn is_v4(addr: Option<Addr>) -> bool {
    addr.is_some_and(|addr| addr.as_v4().is_some())
}

fn milliseconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1_000.0
}

/// Nanoseconds since 1970 as text of seconds with six digits behind the point.
fn seconds(nanos: i64) -> String {
    let micros = nanos.div_euclid(1_000);
    format!("{}.{:06}", micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000))
}

#[cfg(test)]
mod tests;
