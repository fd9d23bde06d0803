//! All that is known of one flow.

use crate::cli::text::human;
use crate::top::app::App;
use crate::top::flows::Flow;
use crate::top::frame::{Frame, Line, Style, Theme};
use crate::top::plain::{endpoint, round_trip};
use crate::top::record::{Key, Owner};
use crate::top::rows::proto;
use crate::top::session::{Session, short};

/// Draws the flow, or says that it is gone.
pub fn draw(frame: &mut Frame, app: &App, session: &Session, key: &Key, theme: Theme) {
    let ends = format!("{}{}{}", endpoint(key.src), theme.arrow(), endpoint(key.dst));
    frame.push(Line::of(Style::Inverse, &super::pad(ends, frame.width)));
    let Some(flow) = session.flows.get(key) else {
        frame.push(Line::of(Style::Dim, "the flow is over, and gone from the list"));
        return;
    };
    for (name, value) in traffic(flow, app, session, theme) {
        line(frame, name, &value);
    }
    for (end, owner) in ["source", "destination"].into_iter().zip(&flow.last.owners) {
        if *owner != Owner::default() {
            frame.push(Line::of(Style::Bold, end));
            for (name, value) in who(owner) {
                line(frame, name, &value);
            }
        }
    }
}

fn line(frame: &mut Frame, name: &str, value: &str) {
    frame.push(Line::of(Style::Dim, &format!(" {name:<12} ")).with(Style::Plain, value));
}

fn traffic(flow: &Flow, app: &App, session: &Session, theme: Theme) -> Vec<(&'static str, String)> {
    let (now, known, last) = (app.shown.at, app.shown.known, &flow.last);
    let cells = super::cells(app, session, theme);
    let [forward, reverse] = flow.rates(known).map(|rate| cells.rate(rate, flow.is_old(now)));
    let mut lines = vec![("protocol", proto(last.key.proto))];
    lines.extend(last.state.as_deref().map(|state| ("state", state.to_owned())));
    lines.extend(last.name.as_deref().map(|name| ("name", name.to_owned())));
    let heard = short(now.saturating_sub(flow.heard));
    let interval = flow.interval().as_secs_f64();
    lines.push(("rate", format!("{forward} sent by the source, {reverse} by the destination")));
    lines.push(("record", format!("heard {heard} ago, tells of {interval:.1} s")));
    lines.extend(last.start.map(|start| ("began", start.to_string())));
    lines.extend(last.end.map(|end| ("last packet", end.to_string())));
    if flow.is_over(known) {
        lines.push(("over", "nothing more will come of it".to_owned()));
    }
    let octets = |i: usize| {
        let total = last.octets_total[i].map(|total| human(total as f64, "octets"));
        let total = total.map_or(String::new(), |total| format!(" ({total} in all)"));
        format!("{}{total}", human(flow.octets[i] as f64, "octets"))
    };
    lines.push(("sent", format!("{}, {} packets", octets(0), flow.packets[0])));
    lines.push(("answered", format!("{}, {} packets", octets(1), flow.packets[1])));
    let health = &last.health;
    if let Some(rtt) = health.rtt_us {
        let least = health.rtt_min_us.map(|us| format!(", least {}", round_trip(us)));
        let varies = health.rtt_var_us.map(|us| format!(", varies by {}", round_trip(us)));
        let more = least.into_iter().chain(varies).collect::<String>();
        lines.push(("round trip", format!("{}{more}", round_trip(rtt))));
    }
    let counts = [
        ("sent again", flow.retransmits),
        ("lost", health.lost),
        ("unacked", health.unacked),
        ("window", health.cwnd),
    ];
    lines.extend(
        counts
            .into_iter()
            .filter_map(|(name, count)| count.map(|count| (name, format!("{count} segments")))),
    );
    if flow.dropped > 0 {
        let why = last.drop_reason.as_deref().map(|why| format!(", mostly {why}"));
        lines.push(("dropped", format!("{} packets{}", flow.dropped, why.unwrap_or_default())));
    }
    lines.extend(last.metered_by.as_deref().map(|sources| ("seen by", sources.to_owned())));
    lines.push(("told by", format!("{}, {} records", last.key.exporter, flow.records)));
    lines
}

fn who(owner: &Owner) -> Vec<(&'static str, String)> {
    let process = owner.process.as_deref().map(|process| match owner.pid {
        Some(pid) => format!("{process} ({pid})"),
        None => process.to_owned(),
    });
    let user = owner.user.as_deref().map(str::to_owned);
    let own = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
    [
        ("process", process),
        ("program", own(&owner.exe)),
        ("user", user.or(owner.uid.map(|uid| uid.to_string()))),
        ("container", own(&owner.container).or(own(&owner.container_id))),
        ("pod", own(&owner.pod)),
        ("unit", own(&owner.unit)),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}
