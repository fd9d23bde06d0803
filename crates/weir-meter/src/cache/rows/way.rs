//! Columns of what happened to a flow on its way: who saw it, translation, tunnel, drops, names.

use weir_model::columns::flows as c;
use weir_model::{ColumnId, FlowBatch};

use super::{optional, text};
use crate::cache::{Names, Record};

/// Interfaces that `metered_by` names; the rest is a number.
const INTERFACES_TOLD: usize = 8;

/// Fills them.
pub(super) fn way(batch: &mut FlowBatch, row: usize, record: &Record) {
    batch.set_octets(c::METERED_BY, row, metered_by(record).as_bytes());
    let places = [(c::IN_IF, c::IN_IF_NAME), (c::OUT_IF, c::OUT_IF_NAME)];
    for (interface, (index, name)) in record.through.iter().zip(places) {
        if let Some(interface) = interface {
            batch.set(index, row, interface.index);
            text(batch, name, row, Some(&interface.name));
        }
    }
    if record.tcp_flags != 0 {
        batch.set(c::TCP_FLAGS, row, record.tcp_flags);
    }
    if record.src_side.is_none() && record.dst_side.is_none() && !record.state.is_empty() {
        batch.set_octets(c::TCP_STATE, row, record.state.as_bytes());
    }
    nat(batch, row, record);
    if let Some(tunnel) = record.tunnel {
        batch.set(c::TUNNEL_KIND, row, tunnel.kind);
        batch.set(c::TUNNEL_SRC_ADDR, row, tunnel.src);
        batch.set(c::TUNNEL_DST_ADDR, row, tunnel.dst);
        batch.set(c::TUNNEL_ID, row, u64::from(tunnel.id));
    }
    if let Some(drops) = &record.drops {
        batch.set(c::DROPPED_OCTETS, row, drops.count.octets);
        batch.set(c::DROPPED_PACKETS, row, drops.count.packets);
        text(batch, c::DROP_REASON_NAME, row, Some(&drops.name));
    }
    if let Some(names) = &record.names {
        named(batch, row, names);
    }
}

/// `ebpf_sockets,ebpf_tcx(veth1,eth0),conntrack`.
fn metered_by(record: &Record) -> String {
    let interfaces: Vec<&str> =
        record.interfaces.iter().take(INTERFACES_TOLD).map(|at| &*at.name).collect();
    let more = record.interfaces.len().saturating_sub(INTERFACES_TOLD);
    let words = record.sources.iter().map(|source| {
        let sees_interfaces = *source == crate::cache::SourceKind::EbpfTcx;
        match (sees_interfaces && !interfaces.is_empty(), more) {
            (false, _) => source.name().to_owned(),
            (true, 0) => format!("{}({})", source.name(), interfaces.join(",")),
            (true, more) => format!("{}({},+{more})", source.name(), interfaces.join(",")),
        }
    });
    words.collect::<Vec<_>>().join(",")
}

fn nat(batch: &mut FlowBatch, row: usize, record: &Record) {
    let Some(nat) = &record.nat else { return };
    if let Some(service) = nat.service {
        batch.set(c::DST_SERVICE_ADDR, row, service.addr);
        batch.set(c::DST_SERVICE_PORT, row, service.port);
    }
    if let Some(masquerade) = nat.masquerade {
        batch.set(c::POST_NAT_SRC_ADDR, row, masquerade.addr);
        batch.set(c::POST_NAT_SRC_PORT, row, masquerade.port);
    }
    batch.set(c::CT_ZONE, row, nat.zone);
    batch.set(c::CT_MARK, row, nat.mark);
    if let Some(labels) = &nat.labels {
        batch.set_octets(c::CT_LABELS, row, labels);
    }
}

fn named(batch: &mut FlowBatch, row: usize, names: &Names) {
    let mut word = |column: ColumnId, value: &Option<std::sync::Arc<str>>| {
        text(batch, column, row, value.as_deref());
    };
    word(c::APP, &names.app);
    word(c::DNS_QUERY, &names.dns_query);
    word(c::TLS_SNI, &names.tls_sni);
    word(c::TLS_ALPN, &names.tls_alpn);
    word(c::HTTP_HOST, &names.http_host);
    word(c::HTTP_METHOD, &names.http_method);
    word(c::HTTP_URL, &names.http_url);
    optional(batch, c::DNS_LATENCY_US, row, names.dns_latency_us);
    if let Some(kind) = names.dns_qtype {
        batch.set(c::DNS_QTYPE, row, kind);
    }
    if let Some(code) = names.dns_rcode {
        batch.set(c::DNS_RCODE, row, code);
    }
    if let Some(status) = names.http_status {
        batch.set(c::HTTP_STATUS, row, status);
    }
}
