//! Records that tell of labels, tags and tunnels that the sampled header does not show (the
//! switch took them off before sampling, or put them on after it).
//!
//! What the header showed wins; what has no free column is kept as sent.

use weir_model::columns::flows as c;

use super::records::Row;
use super::xdr::Xdr;

/// Reads record `format`, one of 1006, 1021–1030, 1034, 1035.
pub(super) fn record(row: &mut Row<'_>, format: u32, body: &[u8]) -> Option<()> {
    let mut x = Xdr::new(body);
    match format {
        1006 => mpls(row, &mut x, body),
        1023 | 1024 if !row.has_tunnel => outer(row, &mut x, 4),
        1025 | 1026 if !row.has_tunnel => outer(row, &mut x, 6),
        1029 | 1030 if row.packet.tunnel.is_none() => vni(row, &mut x, format, body),
        1034 => tags_in(row, &mut x, body),
        1035 => tags_out(row, &mut x, body),
        // Outer MAC addresses, offsets of inner headers, a second tunnel.
        _ => {
            row.keep(format, body);
            Some(())
        }
    }
}

/// Next hop, labels of the packet as it came, labels as it left. The latter have no column.
fn mpls(row: &mut Row<'_>, x: &mut Xdr<'_>, body: &[u8]) -> Option<()> {
    row.keep(1006, body);
    if let Some(next_hop) = x.address()? {
        row.flows.set(c::MPLS_TOP_ADDR, row.row, next_hop);
    }
    let entries = x.word_list()?;
    if row.packet.mpls.entries().is_empty() && !entries.is_empty() {
        let (mut labels, mut ttls) = (Vec::new(), Vec::new());
        for entry in entries.chunks_exact(4) {
            let entry = u32::from_be_bytes([entry[0], entry[1], entry[2], entry[3]]);
            labels.extend_from_slice(&(entry >> 12).to_be_bytes());
            ttls.extend_from_slice(&(entry & 0xff).to_be_bytes());
        }
        row.flows.set_octets(c::MPLS_LABELS, row.row, &labels);
        row.flows.set_octets(c::MPLS_TTLS, row.row, &ttls);
    }
    Some(())
}

/// The body of sampled_ipv4 or sampled_ipv6, about the outer packet.
fn outer(row: &mut Row<'_>, x: &mut Xdr<'_>, version: u8) -> Option<()> {
    row.has_tunnel = true;
    let (flows, at) = (&mut *row.flows, row.row);
    let [_length, proto] = x.words()?;
    flows.set(c::TUNNEL_PROTO, at, proto as u8);
    let mut address = || if version == 4 { x.v4() } else { x.v6() };
    flows.set(c::TUNNEL_SRC_ADDR, at, address()?);
    flows.set(c::TUNNEL_DST_ADDR, at, address()?);
    let [src, dst, _flags, tos] = x.words()?;
    if matches!(proto, 6 | 17 | 132) {
        flows.set(c::TUNNEL_SRC_PORT, at, src as u16);
        flows.set(c::TUNNEL_DST_PORT, at, dst as u16);
    }
    flows.set(c::TUNNEL_TOS, at, tos as u8);
    Some(())
}

/// The first network identifier goes to `tunnel_id`, another one is kept.
fn vni(row: &mut Row<'_>, x: &mut Xdr<'_>, format: u32, body: &[u8]) -> Option<()> {
    if row.flows.get(c::TUNNEL_ID, row.row).is_some() {
        row.keep(format, body);
        return Some(());
    }
    row.flows.set(c::TUNNEL_ID, row.row, u64::from(x.u32()?));
    Some(())
}

fn tag(words: &[u8], at: usize) -> Option<u32> {
    words.get(at * 4..at * 4 + 4)?.first_chunk().map(|word| u32::from_be_bytes(*word))
}

/// Tags that the packet came with and the header does not show, outermost first.
fn tags_in(row: &mut Row<'_>, x: &mut Xdr<'_>, body: &[u8]) -> Option<()> {
    let words = x.word_list()?;
    if row.packet.vlan.is_some() || words.len() > 8 {
        row.keep(1034, body);
    }
    if row.packet.vlan.is_none() {
        let outer = tag(words, 0)?;
        row.flows.set(c::VLAN, row.row, (outer & 0xfff) as u16);
        row.flows.set(c::VLAN_PRIORITY, row.row, (outer >> 13 & 7) as u8);
        let inner = tag(words, 1)?;
        row.flows.set(c::INNER_VLAN, row.row, (inner & 0xfff) as u16);
    }
    Some(())
}

/// Tags that the packet left with: the outer one is the VLAN it left in.
fn tags_out(row: &mut Row<'_>, x: &mut Xdr<'_>, body: &[u8]) -> Option<()> {
    let words = x.word_list()?;
    if words.len() > 4 {
        row.keep(1035, body);
    }
    if row.flows.get(c::DST_VLAN, row.row).is_none() {
        row.flows.set(c::DST_VLAN, row.row, (tag(words, 0)? & 0xfff) as u16);
    }
    Some(())
}
