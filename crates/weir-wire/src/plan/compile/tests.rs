use super::*;
use weir_model::column::Physical;

fn template(fields: &[(u32, u16, u16)]) -> Template {
    let field =
        |&(pen, id, length): &(u32, u16, u16)| Field { key: ElementKey { pen, id }, length };
    Template { id: 256, fields: fields.iter().map(field).collect(), scope: None, raw: [].into() }
}

fn plan(fields: &[(u32, u16, u16)]) -> Plan {
    compile(&template(fields), Protocol::Ipfix, false)
}

fn columns(plan: &Plan) -> Vec<&'static str> {
    plan.steps.iter().map(|step| flows::DEFS[step.column.index()].name).collect()
}

#[test]
fn columns_come_from_the_column_table() {
    let plan = plan(&[(0, 8, 4), (0, 1, 8), (PEN_ANTREA, 101, VARIABLE), (29_305, 1, 8)]);
    assert_eq!(columns(&plan), ["src_addr", "octets", "src_pod", "reverse_octets"]);
    assert_eq!(plan.layout, Layout::Variable { gaps: vec![12, 8] });
    let step = Step {
        op: Op::Number,
        column: flows::REVERSE_OCTETS,
        physical: Physical::U64,
        loc: Loc::Fixed { segment: 1, offset: 0, width: 8 },
        null_if: None,
        fallback: false,
    };
    assert_eq!(plan.steps[3], step);
}

#[test]
fn every_element_of_the_column_table_has_a_conversion() {
    // Those below need a width that their abstract type does not tell, or feed lists.
    let special = |key: ElementKey| key.pen == 0 && (70..=79).contains(&key.id);
    for def in flows::DEFS {
        for key in def.from.iter().filter(|key| !special(**key)) {
            let Some(element) = weir_registry::element(key.pen, key.id) else {
                panic!("{key:?} of {} is not in the registry", def.name)
            };
            let width = match (key.pen, key.id) {
                (PEN_VMWARE, 892) | (0, 296) => 4,
                _ => element.ty.octets().unwrap_or(0),
            };
            let loc = match width {
                0 => Loc::Variable { index: 0 },
                width => Loc::Fixed { segment: 0, offset: 0, width: width.into() },
            };
            assert!(operation(*key, loc, def).is_some(), "{} from {}", def.name, element.name);
        }
    }
}

#[test]
fn repeated_elements_go_to_extra() {
    let plan = plan(&[(0, 1, 4), (0, 1, 4), (0, 7, 2)]);
    assert_eq!(columns(&plan), ["octets", "src_port"]);
    let second = Loc::Fixed { segment: 0, offset: 4, width: 4 };
    assert_eq!(plan.extra, [(ElementKey { pen: 0, id: 1 }, second)]);
}

#[test]
fn unknown_elements_go_to_extra_and_padding_nowhere() {
    let plan = plan(&[(0, 210, 3), (5_951, 128, 4), (0, 7, 0), (0, 43, 4)]);
    let keys: Vec<_> = plan.extra.iter().map(|(key, _)| (key.pen, key.id)).collect();
    assert_eq!(keys, [(5_951, 128), (0, 43)]);
    assert!(plan.steps.is_empty());
}

#[test]
fn both_address_families_in_one_template_are_alternatives() {
    let plan = plan(&[(0, 27, 16), (0, 8, 4)]);
    assert_eq!(columns(&plan), ["src_addr", "src_addr"]);
    let fallbacks: Vec<_> = plan.steps.iter().map(|step| (step.op, step.fallback)).collect();
    assert_eq!(fallbacks, [(Op::V4, false), (Op::V6, true)]);
    assert!(plan.extra.is_empty());
}

#[test]
fn an_alternative_counts_once_however_often_it_is_repeated() {
    let plan = plan(&[&[(0, 8, 4)][..], &[(0, 27, 16); 1_000]].concat());
    assert_eq!(columns(&plan), ["src_addr", "src_addr"]);
    assert_eq!(plan.extra.len(), 999);
}

#[test]
fn labels_stand_in_the_order_of_the_stack() {
    let at = |offset| Loc::Fixed { segment: 0, offset, width: 3 };
    assert_eq!(plan(&[(0, 71, 3), (0, 70, 3), (0, 72, 3)]).mpls, [at(3), at(0), at(6)]);
}

#[test]
fn open_vswitch_names_both_interfaces_with_one_element() {
    let plan = plan(&[(0, 82, VARIABLE), (0, 82, VARIABLE), (0, 82, VARIABLE)]);
    assert_eq!(columns(&plan), ["in_if_name", "out_if_name"]);
    assert_eq!(plan.extra.len(), 1);
}

#[test]
fn uptimes_that_nobody_can_resolve_are_kept() {
    assert_eq!(plan(&[(0, 22, 4)]).extra.len(), 1);
    assert_eq!(plan(&[(0, 22, 4), (0, 160, 8)]).extra.len(), 0);
    let netflow9 = compile(&template(&[(0, 22, 4)]), Protocol::NetFlow9, false);
    assert_eq!(netflow9.extra.len(), 0);
}

#[test]
fn antrea_s_permutation_is_undone_when_told() {
    // The element that 123 really carries is 120, packetTotalCountFromSourceNode.
    let wrong = template(&[(PEN_ANTREA, 123, 8), (PEN_ANTREA, 145, 8)]);
    let name = |repair| columns(&compile(&wrong, Protocol::Ipfix, repair));
    assert_eq!(name(false), ["src_node_octets", "throughput"]);
    assert_eq!(name(true), ["src_node_packets_total", "throughput"]);
    let mut sources: Vec<u16> =
        (100..=172).map(|id| antrea_in_order(ElementKey { pen: PEN_ANTREA, id }).id).collect();
    sources.sort_unstable();
    assert_eq!(sources, (100..=172).collect::<Vec<_>>());
}
