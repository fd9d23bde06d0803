//! NetFlow v5 and v7: no templates on the wire, so theirs are written down here and go through
//! the same plans as everybody's.

use std::sync::{Arc, LazyLock};

use weir_model::Timestamp;
use weir_model::column::ElementKey;

use crate::error::MessageError;
use crate::header::{Header, boot_time, u16_at, u32_at};
use crate::plan::{Plan, compile};
use crate::protocol::Protocol;
use crate::template::{Field, Template};

/// Octets of the header of both.
pub(crate) const HEADER: usize = 24;

/// Elements and lengths of the 36 octets that records of both begin with. 210 is padding.
const COMMON: [(u16, u16); 11] =
    [(8, 4), (12, 4), (15, 4), (10, 2), (14, 2), (2, 4), (1, 4), (22, 4), (21, 4), (7, 2), (11, 2)];

/// The rest of a v5 record, from the octet of padding on. Both end in AS numbers and masks.
const REST: [(u16, u16); 9] =
    [(210, 1), (6, 1), (4, 1), (5, 1), (16, 2), (17, 2), (9, 1), (13, 1), (210, 2)];

/// v7 adds the router that the switch bypassed (IE 43); what is padding in v5 are flags there.
const ROUTER: (u16, u16) = (43, 4);

static NETFLOW5: LazyLock<Arc<Plan>> = LazyLock::new(|| plan(Protocol::NetFlow5));
static NETFLOW7: LazyLock<Arc<Plan>> = LazyLock::new(|| plan(Protocol::NetFlow7));

fn plan(protocol: Protocol) -> Arc<Plan> {
    let router = (protocol == Protocol::NetFlow7).then_some(ROUTER);
    let fields = COMMON.into_iter().chain(REST).chain(router);
    let fields =
        fields.map(|(id, length)| Field { key: ElementKey { pen: 0, id }, length }).collect();
    let template = Template { id: 0, fields, scope: None, raw: Box::default() };
    Arc::new(compile(&template, protocol, false))
}

/// The plan of the protocol's records.
pub(crate) fn plan_of(protocol: Protocol) -> Arc<Plan> {
    match protocol {
        Protocol::NetFlow7 => Arc::clone(&NETFLOW7),
        _ => Arc::clone(&NETFLOW5),
    }
}

/// Octets of one record.
pub(crate) const fn record_octets(protocol: Protocol) -> usize {
    if matches!(protocol, Protocol::NetFlow7) { 52 } else { 48 }
}

/// Reads the header (24 octets in both); gives it, the records it counts and the octets of those
/// that are there. Octets after them are ignored.
///
/// A count past the end blames itself, not the records: a damaged count, or a datagram cut short,
/// leaves whole records to read. Without any, the message is refused.
pub(crate) fn header(
    protocol: Protocol,
    octets: &[u8],
) -> Result<(Header, usize, &[u8]), MessageError> {
    let have = octets.len();
    if have < HEADER {
        return Err(MessageError::ShortHeader { protocol, need: HEADER, have });
    }
    let record = record_octets(protocol);
    let claimed = usize::from(u16_at(octets, 2));
    let fit = (have - HEADER) / record;
    if claimed > fit && fit == 0 {
        return Err(MessageError::BadCount { claimed, fit });
    }
    let body = octets.get(HEADER..HEADER + claimed.min(fit) * record).unwrap_or_default();
    let uptime_ms = u32_at(octets, 4);
    let seconds = Timestamp::from_seconds(u32_at(octets, 8).into());
    let export_time = Timestamp(seconds.0 + i64::from(u32_at(octets, 12)));
    let header = Header {
        export_time,
        boot_time: Some(boot_time(export_time, uptime_ms)),
        uptime_ms: Some(uptime_ms),
        sequence: u32_at(octets, 16),
        // Engine type and id of v5; v7 has reserved octets there.
        domain: if protocol == Protocol::NetFlow5 { u16_at(octets, 20).into() } else { 0 },
        sampling_rate: sampling(protocol, u16_at(octets, 22)),
    };
    Ok((header, claimed, body))
}

/// Two bits of mode, 14 of interval. Deviation: an interval with mode 0 counts too, since
/// exporters send it so; an interval of 0 says nothing.
fn sampling(protocol: Protocol, field: u16) -> Option<u32> {
    let interval = u32::from(field & 0x3fff);
    (protocol == Protocol::NetFlow5 && interval > 0).then_some(interval)
}
