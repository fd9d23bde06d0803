//! Every value of every record against what NetGauze reads from the same captures (`.flow.json`,
//! one decoded message a line).

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use serde_json::{Map, Value};
use weir_model::column::ElementKey;
use weir_model::{FlowBatch, NullIf, Table, Timestamp};

use crate::captures::{self, Message};
use crate::record::{Said, said, same};

const CAPTURES: &[&str] = &[
    "101-nfv9-cisco",
    "104-ipfix-v6-sampling",
    "111-mix-00",
    "111-mix-01",
    "400-ipfix-srv6-00",
    "401-ipfix-mpls-00",
    "403-ipfix-vrf",
    "500-ipfix-bgp-srv6",
    "502-ipfix-bgp-lcomm",
];

/// NetGauze's names of enumerated values that stand in the captures.
const NAMED: &[(&str, u64)] = &[
    ("ICMP", 1),
    ("IPv4", 4),
    ("TCP", 6),
    ("UDP", 17),
    ("IPv6", 41),
    ("IPv6ICMP", 58),
    ("VRRP", 112),
    ("ingress", 0),
    ("egress", 1),
    ("Unknown", 0),
    ("BGP", 4),
    ("RandomnoutofNSampling", 3),
];

#[test]
fn every_value_is_the_one_that_netgauze_reads() {
    let (mut wrong, mut values) = (Vec::new(), 0);
    for name in CAPTURES {
        let path = format!("corpus/netgauze/netgauze-{name}");
        let (Some(session), Some(lines)) = (
            captures::decode(&format!("{path}.pcap")),
            captures::text(&format!("{path}.flow.json")),
        ) else {
            continue;
        };
        let lines: Vec<&str> = lines.lines().collect();
        assert_eq!(lines.len(), session.messages.len(), "{name}: messages");
        let mut reader = Reader::default();
        for (line, message) in lines.iter().zip(&session.messages) {
            let theirs: Value = serde_json::from_str(line).unwrap();
            let (_, theirs) = theirs.as_object().unwrap().iter().next().unwrap();
            reader.message(theirs, message, &session.out.flows, &session.out.options);
        }
        values += reader.values;
        reader.wrong.truncate(10);
        wrong.extend(reader.wrong.into_iter().map(|miss| format!("{name}: {miss}")));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(values > 4_000, "only {values} values were compared");
}

#[derive(Default)]
struct Reader {
    values: usize,
    wrong: Vec<String>,
    /// When each observation domain's exporter started, as its options tell (element 160).
    started: HashMap<u64, Timestamp>,
}

impl Reader {
    fn message(&mut self, theirs: &Value, ours: &Message, flows: &FlowBatch, options: &FlowBatch) {
        let domain = theirs["observation_domain_id"].as_u64().unwrap_or_default();
        let (mut flow_rows, mut option_rows) = (ours.flows.clone(), ours.options.clone());
        if let (Some(uptime), Some(time)) =
            (theirs["sys_up_time"].as_u64(), theirs["unix_time"].as_str())
        {
            let time: Timestamp = time.parse().unwrap();
            self.started.insert(domain, time.minus(Duration::from_millis(uptime)));
        }
        for set in theirs["sets"].as_array().unwrap() {
            let empty = Vec::new();
            for record in set["Data"]["records"].as_array().unwrap_or(&empty) {
                let scope = record["scope_fields"].as_array().unwrap_or(&empty);
                let (batch, rows): (_, &mut Range<usize>) = match scope.is_empty() {
                    true => (flows, &mut flow_rows),
                    false => (options, &mut option_rows),
                };
                let Some(row) = rows.next() else {
                    self.wrong.push("fewer records in a message".into());
                    continue;
                };
                let fields = record["fields"].as_array().unwrap();
                for field in scope.iter().chain(fields) {
                    self.field(batch, row, domain, field.as_object().unwrap());
                }
            }
        }
        if flow_rows.next().is_some() || option_rows.next().is_some() {
            self.wrong.push("more records in a message".into());
        }
    }

    fn field(&mut self, batch: &FlowBatch, row: usize, domain: u64, field: &Map<String, Value>) {
        let (name, value) = field.iter().next().unwrap();
        self.values += 1;
        if let ("systemInitTimeMilliseconds", Some(text)) = (name.as_str(), value.as_str()) {
            self.started.insert(domain, text.parse().unwrap());
        }
        let Some(info) = weir_registry::by_name(name) else {
            self.wrong.push(format!("{name} is no known name"));
            return;
        };
        let found = said(batch, row, info.key);
        if !self.agree(batch.table(), &found, info.key, domain, value) {
            self.wrong.push(format!("row {row}: {name} is {found:?}, not {value}"));
        }
    }

    fn agree(
        &self,
        table: Table,
        found: &[Said],
        key: ElementKey,
        domain: u64,
        value: &Value,
    ) -> bool {
        if found.iter().any(|found| same(found, value, Duration::ZERO)) {
            return true;
        }
        let number = |n: u64| found.contains(&Said::Number(n));
        match (key.id, value) {
            // Uptime: a time of day once it is known when the exporter started.
            (21 | 22, Value::Number(uptime)) => self.started.get(&domain).is_some_and(|started| {
                let uptime = Duration::from_millis(uptime.as_u64().unwrap());
                found.contains(&Said::Time(started.plus(uptime).0))
            }),
            (6, Value::Object(flags)) => {
                let names = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];
                let bits = names.iter().enumerate();
                number(bits.map(|(i, name)| u64::from(flags[*name] == true) << i).sum())
            }
            (89, Value::Object(status)) => {
                let (status, reason) = status.iter().next().unwrap();
                match (status.as_str(), reason.as_str().unwrap()) {
                    ("Forwarded", "Unknown") => number(64),
                    ("Consumed", "Forus") => number(195),
                    _ => false,
                }
            }
            // A label, its traffic class and the bottom-of-stack bit. What follows the bottom is
            // no label.
            (70..=79, Value::Array(octets)) => {
                let entry = octets.iter().fold(0, |n, octet| n << 8 | octet.as_u64().unwrap());
                number(entry >> 4) || (entry == 0 && found.is_empty())
            }
            (_, Value::String(name)) if name == "::" || name == "0.0.0.0" => {
                // The column holds the other family's address, which is the real one.
                matches!(found, [Said::Addr(_)]) || found.is_empty()
            }
            (_, Value::String(name)) => {
                let null = |rule| {
                    let defs = table.columns().iter();
                    defs.filter(|def| def.from.contains(&key)).any(|def| def.null_if == Some(rule))
                };
                NAMED.iter().any(|(known, value)| known == name && number(*value))
                    || (name.is_empty() && found.is_empty() && null(NullIf::Empty))
            }
            _ => false,
        }
    }
}
