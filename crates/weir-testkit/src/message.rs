//! Messages of NetFlow v9 and IPFIX put together by hand, wrong ones included: what no encoder of
//! ours would send, exporters in the field do.

/// Field specifiers of a template: `(id, length)`, or `(pen, id, length)` for an enterprise's.
#[derive(Debug, Clone)]
pub struct Template {
    id: u16,
    fields: Vec<(u32, u16, u16)>,
    scopes: usize,
}

impl Template {
    /// A template of IANA elements (v9: field types).
    pub fn new(id: u16, fields: &[(u16, u16)]) -> Template {
        let fields = fields.iter().map(|&(element, length)| (0, element, length)).collect();
        Template { id, fields, scopes: 0 }
    }

    /// An options template whose first `scopes` fields are its scope.
    pub fn options(id: u16, scopes: usize, fields: &[(u16, u16)]) -> Template {
        Template { scopes, ..Template::new(id, fields) }
    }

    /// Adds an enterprise's element at the end.
    pub fn enterprise(mut self, pen: u32, id: u16, length: u16) -> Template {
        self.fields.push((pen, id, length));
        self
    }

    fn ipfix(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put16(&mut out, self.id);
        put16(&mut out, self.fields.len() as u16);
        if self.scopes > 0 {
            put16(&mut out, self.scopes as u16);
        }
        for &(pen, id, length) in &self.fields {
            put16(&mut out, if pen == 0 { id } else { id | 0x8000 });
            put16(&mut out, length);
            if pen != 0 {
                out.extend_from_slice(&pen.to_be_bytes());
            }
        }
        out
    }

    fn netflow9(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put16(&mut out, self.id);
        if self.scopes > 0 {
            put16(&mut out, self.scopes as u16 * 4);
            put16(&mut out, (self.fields.len() - self.scopes) as u16 * 4);
        } else {
            put16(&mut out, self.fields.len() as u16);
        }
        for &(_, id, length) in &self.fields {
            put16(&mut out, id);
            put16(&mut out, length);
        }
        out
    }
}

fn put16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// Appends a Set of id `id` around `body`, as it is: no padding, no check.
fn put_set(out: &mut Vec<u8>, id: u16, body: &[u8]) {
    put16(out, id);
    put16(out, (body.len() + 4) as u16);
    out.extend_from_slice(body);
}

/// An IPFIX message (RFC 7011 §3.1) that grows Set by Set.
#[derive(Debug, Clone)]
pub struct Ipfix {
    octets: Vec<u8>,
}

impl Ipfix {
    /// A message without Sets.
    pub fn new(export_seconds: u32, sequence: u32, domain: u32) -> Ipfix {
        let mut octets = vec![0, 10, 0, 16];
        octets.extend_from_slice(&export_seconds.to_be_bytes());
        octets.extend_from_slice(&sequence.to_be_bytes());
        octets.extend_from_slice(&domain.to_be_bytes());
        Ipfix { octets }
    }

    /// Adds a Set with one template or options template.
    pub fn template(self, template: &Template) -> Ipfix {
        let id = if template.scopes > 0 { 3 } else { 2 };
        self.set(id, &template.ipfix())
    }

    /// Adds a data Set.
    pub fn data(self, template: u16, records: &[u8]) -> Ipfix {
        self.set(template, records)
    }

    /// Adds any Set.
    pub fn set(mut self, id: u16, body: &[u8]) -> Ipfix {
        put_set(&mut self.octets, id, body);
        self
    }

    /// The octets, with the header's length made right.
    pub fn build(mut self) -> Vec<u8> {
        let length = (self.octets.len() as u16).to_be_bytes();
        self.octets[2..4].copy_from_slice(&length);
        self.octets
    }
}

/// The announcement of an exporter that waits for acknowledgements
/// (docs/formats/acknowledgement.md), with its template.
pub fn announcement(domain: u32, instance: &[u8; 16], first: u64) -> Vec<u8> {
    const PEN: u32 = 32_473;
    let template = Template::options(999, 1, &[(149, 4)])
        .enterprise(PEN, 30_001, 1)
        .enterprise(PEN, 30_002, 16)
        .enterprise(PEN, 30_003, 8);
    let record = [&domain.to_be_bytes()[..], &[1], instance, &first.to_be_bytes()].concat();
    let sequence = (first as u32).wrapping_sub(1);
    Ipfix::new(0, sequence, domain).template(&template).data(999, &record).build()
}

/// A NetFlow v9 packet (RFC 3954 §5.1) that grows FlowSet by FlowSet.
#[derive(Debug, Clone)]
pub struct NetFlow9 {
    octets: Vec<u8>,
}

impl NetFlow9 {
    /// A packet without FlowSets whose header says that it has `count` records.
    pub fn new(count: u16, uptime_ms: u32, seconds: u32, sequence: u32, source: u32) -> NetFlow9 {
        let mut octets = vec![0, 9];
        put16(&mut octets, count);
        for word in [uptime_ms, seconds, sequence, source] {
            octets.extend_from_slice(&word.to_be_bytes());
        }
        NetFlow9 { octets }
    }

    /// Adds a FlowSet with one template or options template.
    pub fn template(self, template: &Template) -> NetFlow9 {
        let id = u16::from(template.scopes > 0);
        self.set(id, &template.netflow9())
    }

    /// Adds a data FlowSet.
    pub fn data(self, template: u16, records: &[u8]) -> NetFlow9 {
        self.set(template, records)
    }

    /// Adds any FlowSet.
    pub fn set(mut self, id: u16, body: &[u8]) -> NetFlow9 {
        put_set(&mut self.octets, id, body);
        self
    }

    /// Adds octets that belong to no FlowSet.
    pub fn tail(mut self, octets: &[u8]) -> NetFlow9 {
        self.octets.extend_from_slice(octets);
        self
    }

    /// The octets.
    pub fn build(self) -> Vec<u8> {
        self.octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipfix_templates_carry_enterprise_numbers_and_scope_counts() {
        let template = Template::options(256, 1, &[(149, 4)]).enterprise(9, 12235, 65535);
        let message = Ipfix::new(1, 2, 3).template(&template).build();
        let expected = [
            0, 10, 0, 38, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, // header
            0, 3, 0, 22, 1, 0, 0, 2, 0, 1, // Set, template, fields, scopes
            0, 149, 0, 4, 0xaf, 0xcb, 0xff, 0xff, 0, 0, 0, 9,
        ];
        assert_eq!(message, expected);
    }

    #[test]
    fn netflow9_options_templates_count_octets() {
        let template = Template::options(257, 1, &[(1, 2), (34, 4), (35, 1)]);
        let packet = NetFlow9::new(1, 2, 3, 4, 5).template(&template).build();
        let expected = [
            0, 9, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, // header
            0, 1, 0, 22, 1, 1, 0, 4, 0, 8, // FlowSet, template, octets of scope and options
            0, 1, 0, 2, 0, 34, 0, 4, 0, 35, 0, 1,
        ];
        assert_eq!(packet, expected);
    }
}
