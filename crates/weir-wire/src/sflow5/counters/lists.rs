//! The three counter structures that hold lists. Items are numbered from 0 in their names.

use weir_model::Mac;

use super::Rows;
use crate::sflow5::xdr::Xdr;

/// Adapters of a host (sFlow Host Structures, struct `host_adapters`).
pub(in crate::sflow5) const ADAPTERS: u32 = 2001;
/// Optical module (sFlow Optics Structures, struct `sfp`).
pub(in crate::sflow5) const SFP: u32 = 10;
/// Buffers of a Broadcom device (struct `bst_port_buffers`).
pub(in crate::sflow5) const PORT_BUFFERS: u32 = 4413 << 12 | 2;

/// Fields of one lane of an optical module.
pub(in crate::sflow5) const LANE: [&str; 10] = [
    "index",
    "tx_bias_current_uA",
    "tx_power_uW",
    "tx_power_min_uW",
    "tx_power_max_uW",
    "tx_wavelength_nM",
    "rx_power_uW",
    "rx_power_min_uW",
    "rx_power_max_uW",
    "rx_wavelength_nM",
];

/// Reads the lists of `structure` that follow its plain fields.
pub(super) fn decode(structure: u32, rows: &mut Rows<'_>, x: &mut Xdr<'_>) -> Option<()> {
    match structure {
        ADAPTERS => adapters(rows, x),
        SFP => lanes(rows, x),
        PORT_BUFFERS => {
            queues(rows, x, "egress_queue_unicast")?;
            queues(rows, x, "egress_queue_multicast")
        }
        _ => Some(()),
    }
}

fn adapters(rows: &mut Rows<'_>, x: &mut Xdr<'_>) -> Option<()> {
    let count = x.u32()?;
    for i in 0..count {
        rows.number(&format!("adaptor_{i}_ifIndex"), x.u32()?.into());
        let macs = x.u32()?;
        for j in 0..macs {
            let mac = Mac(x.mac()?);
            rows.text(&format!("adaptor_{i}_MAC_{j}"), &mac.to_string());
        }
    }
    Some(())
}

fn lanes(rows: &mut Rows<'_>, x: &mut Xdr<'_>) -> Option<()> {
    let count = x.u32()?;
    for i in 0..count {
        for name in LANE {
            rows.number(&format!("sfp_lane_{i}_{name}"), x.u32()?.into());
        }
    }
    Some(())
}

fn queues(rows: &mut Rows<'_>, x: &mut Xdr<'_>, name: &str) -> Option<()> {
    let count = x.u32()?;
    for i in 0..count {
        rows.fraction(&format!("{name}_{i}"), super::percent(x.u32()?));
    }
    Some(())
}
