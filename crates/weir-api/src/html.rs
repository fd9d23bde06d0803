//! The status page: what an operator wants to see first, as HTML without scripts. Every value is
//! escaped, since names and addresses come from the network.

use std::fmt::{self, Write};

use weir_model::Timestamp;

use crate::app::About;
use crate::view::{AccountView, Collecting, ExporterView};

/// Text with the five characters that mean something in HTML replaced.
pub struct Escaped<T>(pub T);

impl<T: fmt::Display> fmt::Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Filter<'a, 'b>(&'a mut fmt::Formatter<'b>);
        impl Write for Filter<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                for c in text.chars() {
                    match c {
                        '&' => self.0.write_str("&amp;")?,
                        '<' => self.0.write_str("&lt;")?,
                        '>' => self.0.write_str("&gt;")?,
                        '"' => self.0.write_str("&quot;")?,
                        '\'' => self.0.write_str("&#39;")?,
                        c if c.is_control() => self.0.write_char('\u{fffd}')?,
                        c => self.0.write_char(c)?,
                    }
                }
                Ok(())
            }
        }
        write!(Filter(f), "{}", self.0)
    }
}

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;\
padding:0 1rem;color:#1b1f24;background:#fff}h1{font-size:1.5rem}h2{font-size:1.1rem;\
margin-top:2rem}table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25rem \
.75rem .25rem 0;border-bottom:1px solid #d8dee4;vertical-align:top}td.n,th.n{text-align:right;\
font-variant-numeric:tabular-nums}pre{background:#f3f5f7;padding:.75rem;overflow:auto}\
.bad{color:#b00020;font-weight:600}@media(prefers-color-scheme:dark){body{color:#e6e9ec;\
background:#14171a}th,td{border-color:#343a40}pre{background:#1f2428}.bad{color:#ff7b86}}";

/// Exporters that the page lists; the API lists all.
const EXPORTERS_MAX: usize = 200;

/// One line of the store's part: a name and a value.
pub type Fact = (&'static str, String);

/// Renders the page.
pub fn page(
    about: &About,
    has_console: bool,
    collecting: &Collecting,
    store: &[Fact],
    now: Timestamp,
) -> String {
    let mut out = String::with_capacity(16 << 10);
    // Writing to a string has no error to report.
    let _infallible = write_head(&mut out, about, has_console, now)
        .and_then(|()| write_body(&mut out, about, collecting, store, now));
    out
}

fn write_head(out: &mut String, about: &About, has_console: bool, now: Timestamp) -> fmt::Result {
    write!(
        out,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <meta http-equiv=\"refresh\" content=\"10\"><title>Weir</title>\
         <style>{STYLE}</style></head><body><h1>Weir {}</h1>",
        Escaped(about.version)
    )?;
    if has_console {
        write!(out, "<p><a href=\"/\">Console</a></p>")?;
    } else {
        write!(
            out,
            "<p>The console is not built into this binary. <code>make build</code> builds both; it \
             needs Node 20.19 or newer.</p>"
        )?;
    }
    let up = now.since(about.started_at).as_secs();
    write!(
        out,
        "<p>Up {} h {} min{}. Data in <code>{}</code>. \
         <a href=\"/api/v1/health\">Health</a>, <a href=\"/api/v1/exporters\">exporters</a>, \
         <a href=\"/metrics\">metrics</a>, <a href=\"/api/v1/openapi.json\">API</a>.</p>",
        up / 3_600,
        up / 60 % 60,
        if about.demo { ", replaying its demo captures" } else { "" },
        Escaped(about.data_folder.display())
    )
}

fn write_body(
    out: &mut String,
    about: &About,
    collecting: &Collecting,
    store: &[Fact],
    now: Timestamp,
) -> fmt::Result {
    exporters(out, about, collecting, now)?;
    ledger(out, collecting)?;
    meter(out, collecting)?;
    write!(out, "<h2>Store</h2><table>")?;
    for (name, value) in store {
        write!(out, "<tr><th>{name}</th><td>{}</td></tr>", Escaped(value))?;
    }
    write!(
        out,
        "</table><h2>Sockets</h2><table><tr><th>listening on</th>\
                 <th class=\"n\">buffer</th><th class=\"n\">dropped by the kernel</th></tr>"
    )?;
    for socket in &collecting.sockets {
        write!(
            out,
            "<tr><td>{} {}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            socket.transport,
            Escaped(&socket.address),
            Grouped(socket.buffer_octets),
            Grouped(socket.kernel_dropped)
        )?;
    }
    write!(out, "</table></body></html>")
}

fn exporters(
    out: &mut String,
    about: &About,
    collecting: &Collecting,
    now: Timestamp,
) -> fmt::Result {
    write!(out, "<h2>Exporters</h2>")?;
    if collecting.exporters.is_empty() {
        return nothing_yet(out, about);
    }
    write!(
        out,
        "<table><tr><th>exporter</th><th>protocol</th><th class=\"n\">domain</th>\
         <th class=\"n\">records</th><th class=\"n\">records/s</th><th class=\"n\">templates</th>\
         <th class=\"n\">missing</th><th class=\"n\">dropped</th><th>last seen</th></tr>"
    )?;
    let mut sorted: Vec<&ExporterView> = collecting.exporters.iter().collect();
    sorted.sort_by_key(|exporter| std::cmp::Reverse(exporter.records));
    for exporter in sorted.iter().take(EXPORTERS_MAX) {
        let dropped: u64 = exporter.dropped.values().sum();
        write!(
            out,
            "<tr><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{:.1}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td>{} s ago</td></tr>",
            Escaped(exporter.addr),
            exporter.protocol,
            exporter.domain,
            Grouped(exporter.records),
            exporter.records_per_second,
            exporter.templates,
            Grouped(exporter.sequence.missing),
            Grouped(dropped),
            now.since(exporter.last_seen).as_secs()
        )?;
    }
    write!(out, "</table>")?;
    match sorted.len().checked_sub(EXPORTERS_MAX) {
        Some(more @ 1..) => write!(out, "<p>and {more} more, see the API.</p>"),
        _ => Ok(()),
    }
}

/// What to paste where, so that something comes.
fn nothing_yet(out: &mut String, about: &About) -> fmt::Result {
    let port = |wanted: u16| {
        let ports = || about.udp.iter().map(std::net::SocketAddr::port);
        ports().find(|port| *port == wanted).or(ports().next()).unwrap_or(wanted)
    };
    let (sflow, netflow, ipfix) = (port(6343), port(2055), port(4739));
    write!(
        out,
        "<p>No exporter has sent anything yet. Point one here (<em>WEIR</em> stands for this \
         machine's address); any port takes any protocol.</p>\
         <p>Open vSwitch:</p><pre>\
ovs-vsctl -- --id=@s create sFlow agent=eth0 target='\"WEIR:{sflow}\"' sampling=64 polling=10 \
-- set bridge br0 sflow=@s\n\
ovs-vsctl -- --id=@i create IPFIX targets='\"WEIR:{ipfix}\"' sampling=64 cache_active_timeout=60 \
-- set bridge br0 ipfix=@i</pre>\
         <p>softflowd:</p><pre>softflowd -i eth0 -v 10 -n WEIR:{ipfix}</pre>\
         <p>A router (Cisco IOS):</p><pre>\
ip flow-export version 9\nip flow-export destination WEIR {netflow}</pre>\
         <p>A capture:</p><pre>weir replay FILE.pcap --to 127.0.0.1:{netflow} --retime</pre>"
    )
}

fn ledger(out: &mut String, collecting: &Collecting) -> fmt::Result {
    write!(
        out,
        "<h2>Ledger</h2><table><tr><th></th><th class=\"n\">received</th>\
         <th class=\"n\">kept</th><th class=\"n\">in flight</th><th>dropped</th></tr>"
    )?;
    let ledger = &collecting.ledger;
    for (name, account) in
        [("messages", &ledger.messages), ("sets", &ledger.sets), ("records", &ledger.records)]
    {
        let AccountView { received, kept, in_flight, dropped } = account;
        write!(
            out,
            "<tr><th>{name}</th><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td>",
            Grouped(*received),
            Grouped(*kept),
            Grouped(*in_flight)
        )?;
        for (i, (reason, count)) in dropped.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(out, "{comma}<span class=\"bad\">{reason} {}</span>", Grouped(*count))?;
        }
        if !account.balances() {
            write!(out, " <span class=\"bad\">does not balance</span>")?;
        }
        write!(out, "</td></tr>")?;
    }
    write!(out, "</table>")
}

/// What is metered of this machine; nothing while that is off.
fn meter(out: &mut String, collecting: &Collecting) -> fmt::Result {
    let meter = &collecting.meter;
    if !meter.enabled {
        return Ok(());
    }
    write!(
        out,
        "<h2>Metering of this machine</h2><p>{} flows now, {} records kept, {} flows reported \
         early because there were too many, {} processes hide their sockets.</p>\
         <table><tr><th>tier</th><th>runs</th><th>why not</th><th>not seen</th></tr>",
        Grouped(meter.flows),
        Grouped(meter.ledger.flows.kept + meter.ledger.counters.kept),
        Grouped(meter.evicted),
        Grouped(meter.owners.hidden_processes)
    )?;
    for tier in &meter.tiers {
        write!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            tier.name,
            if tier.runs { "yes" } else { "no" },
            Escaped(tier.why_not.as_deref().unwrap_or_default()),
            tier.costs.unwrap_or_default()
        )?;
    }
    write!(out, "</table>")
}

/// A number with its thousands apart.
pub struct Grouped(pub u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (i, digit) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i).is_multiple_of(3) {
                f.write_char('\u{202f}')?;
            }
            f.write_char(digit)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{LedgerView, MeterTierView, MeterView};

    fn about() -> About {
        About {
            version: "0.1.0",
            data_folder: "/tmp/<script>".into(),
            udp: vec!["[::]:2055".parse().unwrap()],
            tcp: vec![],
            started_at: Timestamp(0),
            demo: false,
        }
    }

    #[test]
    fn an_empty_page_says_what_to_paste_with_the_ports_that_are_open() {
        let page =
            page(&about(), true, &Collecting::default(), &[], Timestamp::from_seconds(3_700));
        assert!(page.contains("Up 1 h 1 min"));
        assert!(page.contains("target='\"WEIR:2055\"' sampling=64"), "only 2055 is open");
        assert!(page.contains("/tmp/&lt;script&gt;") && !page.contains("<script"));
    }

    #[test]
    fn tiers_of_metering_say_why_they_do_not_run() {
        let tier = MeterTierView {
            name: "conntrack",
            runs: false,
            why_not: Some("<refused>".to_owned()),
            costs: Some("translated addresses are not seen"),
        };
        let meter = MeterView { enabled: true, tiers: vec![tier], ..MeterView::default() };
        let mut collecting = Collecting { meter, ..Default::default() };
        let shown = |collecting: &Collecting| page(&about(), true, collecting, &[], Timestamp(0));
        assert!(shown(&collecting).contains(
            "<td>conntrack</td><td>no</td><td>&lt;refused&gt;</td>\
             <td>translated addresses are not seen</td>"
        ));
        collecting.meter.enabled = false;
        assert!(!shown(&collecting).contains("Metering"));
    }

    #[test]
    fn a_ledger_that_does_not_balance_is_called_out() {
        let account = AccountView { received: 12_345, kept: 12_340, ..Default::default() };
        let ledger = LedgerView { messages: account, ..Default::default() };
        let collecting = Collecting { ledger, ..Default::default() };
        let page = page(&about(), true, &collecting, &[], Timestamp(0));
        assert!(page.contains("12\u{202f}345"));
        assert_eq!(page.matches("does not balance").count(), 1);
    }
}
