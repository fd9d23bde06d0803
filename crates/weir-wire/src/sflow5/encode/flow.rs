//! One row of flows as a sample with its records.

use weir_model::columns::flows as c;
use weir_model::{Addr, ColumnId, FlowBatch, Scalar, elements};

use super::RawHeader;
use super::out::Out;
use crate::sflow5::EXTRA_PEN;
use crate::sflow5::records::TCP_INFO;

/// Values of one row.
struct Row<'a> {
    batch: &'a FlowBatch,
    row: usize,
    /// Formats that `extra` brings along as they were sent.
    kept: Vec<(u32, &'a [u8])>,
}

impl<'a> Row<'a> {
    fn new(batch: &'a FlowBatch, row: usize) -> Row<'a> {
        let extra = batch.get_octets(c::EXTRA, row).unwrap_or_default();
        let kept = elements::iter(extra)
            .filter(|element| element.key.pen & EXTRA_PEN != 0)
            .map(|element| {
                let enterprise = element.key.pen & !EXTRA_PEN;
                (enterprise << 12 | u32::from(element.key.id), element.value)
            })
            .collect();
        Row { batch, row, kept }
    }

    fn keeps(&self, format: u32) -> bool {
        self.kept.iter().any(|(kept, _)| *kept == format)
    }

    fn u32(&self, id: ColumnId) -> Option<u32> {
        self.batch.get_u64(id, self.row).map(|value| u32::try_from(value).unwrap_or(u32::MAX))
    }

    fn u64(&self, id: ColumnId) -> Option<u64> {
        self.batch.get_u64(id, self.row)
    }

    fn or_zero(&self, id: ColumnId) -> u32 {
        self.u32(id).unwrap_or(0)
    }

    fn addr(&self, id: ColumnId) -> Option<Addr> {
        match self.batch.get(id, self.row) {
            Some(Scalar::Addr(addr)) => Some(addr),
            _ => None,
        }
    }

    fn octets(&self, id: ColumnId) -> Option<&'a [u8]> {
        self.batch.get_octets(id, self.row)
    }

    fn has(&self, ids: &[ColumnId]) -> bool {
        ids.iter().any(|id| self.batch.get(*id, self.row).is_some())
    }
}

/// Writes the sample of row `row`.
pub(super) fn sample(
    out: &mut Out,
    batch: &FlowBatch,
    row: usize,
    sequence: u32,
    header: Option<RawHeader<'_>>,
) {
    let row = Row::new(batch, row);
    let (class, index) = (row.or_zero(c::SOURCE_CLASS), row.or_zero(c::SOURCE_INDEX));
    let drops = row.or_zero(c::SAMPLE_DROPS);
    let reason = row.u32(c::DROP_REASON);
    let input = row.or_zero(c::IN_IF);
    let segments = match row.has(&[c::FRAME_LENGTH]) {
        true => row.u32(c::PACKETS).unwrap_or(1).max(1),
        false => 1,
    };
    let rate = row.u32(c::SAMPLING_RATE).map(|rate| rate.saturating_mul(segments));
    let Some(rate) = rate.or(reason.is_none().then_some(0)) else {
        return out.structure(5, |out| {
            let output = row.or_zero(c::OUT_IF);
            out.words(&[sequence, class, index, drops, input, output, reason.unwrap_or(0)]);
            counted(out, |out| records(out, &row, header));
        });
    };
    let (out_format, out_value) = match (reason, row.u32(c::OUT_IF_COUNT)) {
        (Some(reason), _) => (1, reason),
        (None, Some(count)) => (2, count),
        (None, None) => (0, row.or_zero(c::OUT_IF)),
    };
    let pool = row.or_zero(c::SAMPLE_POOL);
    let is_compact =
        class < 256 && index < 1 << 24 && [input, out_value].iter().all(|value| *value < 1 << 30);
    out.structure(if is_compact { 1 } else { 3 }, |out| {
        out.u32(sequence);
        if is_compact {
            out.words(&[class << 24 | index, rate, pool, drops, input]);
            out.u32(out_format << 30 | out_value);
        } else {
            out.words(&[class, index, rate, pool, drops, 0, input, out_format, out_value]);
        }
        counted(out, |out| records(out, &row, header));
    });
}

/// Writes a number of records and then the records.
fn counted(out: &mut Out, write: impl FnOnce(&mut Out) -> u32) {
    let at = out.octets().len();
    out.u32(0);
    let count = write(out);
    out.put_u32(at, count);
}

type Writer = fn(&mut Out, &Row<'_>);

/// The kinds of record in the order they are sent: each writes its own if the row has it.
const WRITERS: [Writer; 14] = [
    switch, router, gateway, user, url, nat, nat_ports, transit, acl, drop_texts, time, tcp_info,
    entities, http,
];

/// What stands in for a sampled header.
const INSTEAD_OF_HEADER: [Writer; 4] = [ethernet, ip, tunnel, vni];

fn records(out: &mut Out, row: &Row<'_>, header: Option<RawHeader<'_>>) -> u32 {
    let start = out.octets().len();
    match header {
        Some(header) => out.structure(1, |out| {
            out.words(&[header.link.0, header.frame_length, header.stripped]);
            out.opaque(header.octets);
        }),
        None if row.keeps(1) => {}
        None => INSTEAD_OF_HEADER.iter().for_each(|write| write(out, row)),
    }
    for write in WRITERS {
        write(out, row);
    }
    for (format, body) in &row.kept {
        out.u32(*format);
        out.opaque(body);
    }
    structures_since(out, start)
}

/// Structures written since `at`: a writer writes none, one or several.
fn structures_since(out: &Out, mut at: usize) -> u32 {
    let mut count = 0;
    while let Some(length) = out.octets().get(at + 4..at + 8).and_then(|o| o.first_chunk()) {
        at += 8 + (u32::from_be_bytes(*length) as usize).next_multiple_of(4);
        count += 1;
    }
    count
}

fn ethernet(out: &mut Out, row: &Row<'_>) {
    let (Some(src), Some(dst)) = (row.u64(c::SRC_MAC), row.u64(c::DST_MAC)) else { return };
    out.structure(2, |out| {
        out.u32(row.or_zero(c::FRAME_LENGTH));
        out.mac(src);
        out.mac(dst);
        out.u32(row.or_zero(c::ETHER_TYPE));
    });
}

fn ip(out: &mut Out, row: &Row<'_>) {
    let (Some(src), Some(dst)) = (row.addr(c::SRC_ADDR), row.addr(c::DST_ADDR)) else {
        return;
    };
    let is_v4 = src.as_v4().is_some() && dst.as_v4().is_some();
    let ports = match row.u32(c::ICMP_TYPE) {
        Some(kind) => [kind, row.or_zero(c::ICMP_CODE)],
        None => [row.or_zero(c::SRC_PORT), row.or_zero(c::DST_PORT)],
    };
    out.structure(if is_v4 { 3 } else { 4 }, |out| {
        out.words(&[row.or_zero(c::FRAME_LENGTH), row.or_zero(c::PROTO)]);
        for addr in [src, dst] {
            if is_v4 {
                out.bare_address(addr);
            } else {
                out.raw(&addr.octets());
            }
        }
        out.words(&ports);
        out.words(&[row.or_zero(c::TCP_FLAGS), row.or_zero(c::TOS)]);
    });
}

fn switch(out: &mut Out, row: &Row<'_>) {
    let vlans = [c::SRC_VLAN, c::DST_VLAN].map(|id| row.u32(id));
    if vlans == [None, None] || row.keeps(1001) {
        return;
    }
    let [src, dst] = vlans.map(|vlan| vlan.unwrap_or(u32::MAX));
    let priority = row.u32(c::VLAN_PRIORITY).unwrap_or(u32::MAX);
    out.structure(1001, |out| out.words(&[src, priority, dst, priority]));
}

fn router(out: &mut Out, row: &Row<'_>) {
    if !row.has(&[c::NEXT_HOP, c::SRC_MASK, c::DST_MASK]) {
        return;
    }
    out.structure(1002, |out| {
        out.address(row.addr(c::NEXT_HOP));
        out.words(&[row.or_zero(c::SRC_MASK), row.or_zero(c::DST_MASK)]);
    });
}

fn gateway(out: &mut Out, row: &Row<'_>) {
    if !row.has(&[c::EXPORTER_AS, c::SRC_AS, c::AS_PATH, c::BGP_NEXT_HOP, c::COMMUNITIES]) {
        return;
    }
    out.structure(1003, |out| {
        out.address(row.addr(c::BGP_NEXT_HOP));
        out.words(&[row.or_zero(c::EXPORTER_AS), row.or_zero(c::SRC_AS), row.or_zero(c::PREV_AS)]);
        match row.octets(c::AS_PATH) {
            Some(path) if !path.is_empty() => {
                // One segment, an ordered sequence.
                out.words(&[1, 2]);
                out.word_list(path);
            }
            _ => out.u32(0),
        }
        out.word_list(row.octets(c::COMMUNITIES).unwrap_or_default());
        out.u32(row.or_zero(c::LOCAL_PREF));
    });
}

fn user(out: &mut Out, row: &Row<'_>) {
    const UTF_8: u32 = 106;
    if !row.has(&[c::SRC_USER, c::DST_USER]) || row.keeps(2206) {
        return;
    }
    out.structure(1004, |out| {
        for id in [c::SRC_USER, c::DST_USER] {
            out.u32(UTF_8);
            out.opaque(row.octets(id).unwrap_or_default());
        }
    });
}

fn url(out: &mut Out, row: &Row<'_>) {
    if !row.has(&[c::HTTP_URL, c::HTTP_HOST]) || row.has(&[c::HTTP_METHOD]) {
        return;
    }
    out.structure(1005, |out| {
        out.u32(1);
        out.opaque(row.octets(c::HTTP_URL).unwrap_or_default());
        out.opaque(row.octets(c::HTTP_HOST).unwrap_or_default());
    });
}

fn http(out: &mut Out, row: &Row<'_>) {
    let Some(method) = row.octets(c::HTTP_METHOD) else { return };
    if row.keeps(2206) || row.keeps(2201) {
        return;
    }
    let known = crate::sflow5::records::METHODS.iter().position(|name| name.as_bytes() == method);
    out.structure(2206, |out| {
        out.words(&[known.unwrap_or(0) as u32, 1001]);
        out.opaque(row.octets(c::HTTP_URL).unwrap_or_default());
        out.opaque(row.octets(c::HTTP_HOST).unwrap_or_default());
        out.words(&[0, 0, 0]);
        out.opaque(row.octets(c::SRC_USER).unwrap_or_default());
        out.words(&[0, 0, 0, 0, 0, row.or_zero(c::APP_LATENCY_US), row.or_zero(c::HTTP_STATUS)]);
    });
}

fn nat(out: &mut Out, row: &Row<'_>) {
    if !row.has(&[c::POST_NAT_SRC_ADDR, c::POST_NAT_DST_ADDR]) {
        return;
    }
    out.structure(1007, |out| {
        out.address(row.addr(c::POST_NAT_SRC_ADDR));
        out.address(row.addr(c::POST_NAT_DST_ADDR));
    });
}

fn nat_ports(out: &mut Out, row: &Row<'_>) {
    if !row.has(&[c::POST_NAT_SRC_PORT, c::POST_NAT_DST_PORT]) {
        return;
    }
    let ports = [c::POST_NAT_SRC_PORT, c::POST_NAT_DST_PORT].map(|id| row.or_zero(id));
    out.structure(1020, |out| out.words(&ports));
}

fn tunnel(out: &mut Out, row: &Row<'_>) {
    let (src, dst) = (row.addr(c::TUNNEL_SRC_ADDR), row.addr(c::TUNNEL_DST_ADDR));
    let (Some(src), Some(dst)) = (src, dst) else { return };
    let is_v4 = src.as_v4().is_some() && dst.as_v4().is_some();
    out.structure(if is_v4 { 1024 } else { 1026 }, |out| {
        out.words(&[row.or_zero(c::FRAME_LENGTH), row.or_zero(c::TUNNEL_PROTO)]);
        for addr in [src, dst] {
            if is_v4 {
                out.bare_address(addr);
            } else {
                out.raw(&addr.octets());
            }
        }
        out.words(&[row.or_zero(c::TUNNEL_SRC_PORT), row.or_zero(c::TUNNEL_DST_PORT)]);
        out.words(&[0, row.or_zero(c::TUNNEL_TOS)]);
    });
}

fn vni(out: &mut Out, row: &Row<'_>) {
    let Some(vni) = row.u32(c::TUNNEL_ID) else { return };
    out.structure(1030, |out| out.u32(vni));
}

fn transit(out: &mut Out, row: &Row<'_>) {
    let known = [(1036, c::QUEUE_ID), (1039, c::TRANSIT_DELAY_NS), (1040, c::QUEUE_DEPTH)];
    for (format, id) in known {
        if let Some(value) = row.u32(id) {
            out.structure(format, |out| out.u32(value));
        }
    }
}

fn acl(out: &mut Out, row: &Row<'_>) {
    let Some(name) = row.octets(c::ACL_NAME).filter(|_| !row.keeps(1037)) else { return };
    out.structure(1037, |out| {
        out.u32(0);
        out.opaque(name);
        out.u32(0);
    });
}

fn drop_texts(out: &mut Out, row: &Row<'_>) {
    for (format, id) in [(1038, c::DROP_FUNCTION), (1042, c::DROP_REASON_NAME)] {
        if let Some(text) = row.octets(id) {
            out.structure(format, |out| out.opaque(text));
        }
    }
}

fn time(out: &mut Out, row: &Row<'_>) {
    let Some(Scalar::I64(time)) = row.batch.get(c::EVENT_TIME, row.row) else { return };
    out.structure(1043, |out| out.u64(u64::try_from(time).unwrap_or(0)));
}

fn tcp_info(out: &mut Out, row: &Row<'_>) {
    if !row.has(&TCP_INFO) {
        return;
    }
    out.structure(2209, |out| {
        out.u32(row.or_zero(c::TCP_INFO_DIRECTION));
        for id in TCP_INFO {
            out.u32(row.or_zero(id));
        }
    });
}

fn entities(out: &mut Out, row: &Row<'_>) {
    if !row.has(&[c::ENTITY_SRC, c::ENTITY_DST]) {
        return;
    }
    out.structure(2210, |out| {
        for id in [c::ENTITY_SRC, c::ENTITY_DST] {
            out.u64(row.u64(id).unwrap_or(0));
        }
    });
}
