//! The other end's view: source and destination, in and out exchanged. And the other direction's
//! counters, of records that carry both (RFC 5103).

use weir_model::{ColumnId, Group, Table};

use super::Key;
use crate::filter::{Expr, Field};

const SIDES: [(&str, &str); 3] = [("src_", "dst_"), ("in_", "out_"), ("ingress_", "egress_")];

/// The column that holds for the other end what `id` holds for this one; `id` itself where the
/// two ends share it.
pub(crate) fn mirror(table: Table, id: ColumnId) -> ColumnId {
    let Some(def) = table.def(id) else { return id };
    let swapped = SIDES.iter().find_map(|(one, other)| {
        let (from, to) = match def.name.contains(one) {
            true => (one, other),
            false => (other, one),
        };
        let at = def
            .name
            .find(from)
            .filter(|at| *at == 0 || def.name.ends_with("addr") || def.name.ends_with("port"))?;
        let (head, tail) = def.name.split_at_checked(at)?;
        let name = format!("{head}{to}{}", tail.strip_prefix(from)?);
        table.find(&name).filter(|other| other.ty == def.ty)
    });
    swapped.map_or(id, |other| other.id)
}

/// The column that says of the receiver what `id` says of the sender, and the other way round;
/// `id` itself for what a connection has one of, whoever sends: ports (an answer comes from
/// the port of the service), services, processes (whose connection it is), interfaces.
pub(crate) fn exchanged(table: Table, id: ColumnId) -> ColumnId {
    let of_connection = table.def(id).is_none_or(|def| {
        let is_end = def.name.contains("src_") || def.name.contains("dst_");
        let is_service = def.name.ends_with("_port") || def.name.ends_with("_service");
        !is_end || is_service || def.group == Group::Process
    });
    if of_connection { id } else { mirror(table, id) }
}

/// Which column the other end's view has for each.
pub(crate) type Exchange = fn(Table, ColumnId) -> ColumnId;

/// The group columns as the other end says them.
pub(crate) fn mirror_keys(table: Table, keys: &[Key], of: Exchange) -> Vec<Key> {
    let other = |key: &Key| table.def(of(table, key.def.id)).unwrap_or(key.def);
    keys.iter().map(|key| Key { def: other(key), ..key.clone() }).collect()
}

/// The column that counts of the responder what `id` counts of the initiator; none where only
/// one of them has it.
pub(crate) fn reverse_of(table: Table, id: ColumnId) -> Option<ColumnId> {
    let def = table.def(id)?;
    table.find(&format!("reverse_{}", def.name)).map(|other| other.id)
}

/// The filter as the other end says it.
pub(crate) fn mirror_expr(table: Table, expr: &Expr, of: Exchange) -> Expr {
    let all = |parts: &[Expr]| parts.iter().map(|part| mirror_expr(table, part, of)).collect();
    match expr {
        Expr::And(parts) => Expr::And(all(parts)),
        Expr::Or(parts) => Expr::Or(all(parts)),
        Expr::Not(inner) => Expr::Not(Box::new(mirror_expr(table, inner, of))),
        Expr::Test(Field::Column(id), test) => {
            Expr::Test(Field::Column(of(table, *id)), test.clone())
        }
        Expr::Test(field, test) => Expr::Test(*field, test.clone()),
        Expr::Columns(left, operator, right) => {
            Expr::Columns(of(table, *left), *operator, of(table, *right))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_model::columns::flows;

    #[test]
    fn ends_are_exchanged_and_exchanged_back() {
        let flip = |id| mirror(Table::Flows, id);
        assert_eq!(flip(flows::SRC_ADDR), flows::DST_ADDR);
        assert_eq!(flip(flows::OUT_IF), flows::IN_IF);
        assert_eq!(flip(flows::POST_NAT_SRC_PORT), flows::POST_NAT_DST_PORT);
        assert_eq!(flip(flows::PROTO), flows::PROTO);
        for def in Table::Flows.columns() {
            assert_eq!(flip(flip(def.id)), def.id, "{}", def.name);
        }
    }

    #[test]
    fn senders_and_receivers_are_exchanged_and_what_is_of_the_connection_is_not() {
        for def in Table::Flows.columns() {
            let other = exchanged(Table::Flows, def.id);
            assert_eq!(exchanged(Table::Flows, other), def.id, "{}", def.name);
        }
        let of = |name: &str| {
            let id = exchanged(Table::Flows, Table::Flows.find(name).unwrap().id);
            Table::Flows.def(id).unwrap().name
        };
        for (one, other) in [
            ("src_addr", "dst_addr"),
            ("src_as", "dst_as"),
            ("src_country", "dst_country"),
            ("dst_pod", "src_pod"),
            ("src_mac", "dst_mac"),
            ("post_nat_src_addr", "post_nat_dst_addr"),
        ] {
            assert_eq!(of(one), other);
        }
        for same in ["dst_port", "src_process", "src_container", "in_if", "dst_service", "proto"] {
            assert_eq!(of(same), same);
        }
    }

    #[test]
    fn what_a_responder_sent_has_counters_of_its_own() {
        let other = |id| reverse_of(Table::Flows, id);
        assert_eq!(other(flows::OCTETS), Some(flows::REVERSE_OCTETS));
        assert_eq!(other(flows::PACKETS), Some(flows::REVERSE_PACKETS));
        assert_eq!((other(flows::POST_OCTETS), other(flows::REVERSE_OCTETS)), (None, None));
    }
}
