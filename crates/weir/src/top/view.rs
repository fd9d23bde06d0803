//! Draws: the state of the screen and what was seen become a frame.

pub mod columns;
mod detail;

use weir_query::{Filter, FilterError};

use super::app::{App, Mode};
use super::edit::Edit;
use super::frame::{Frame, Line, Style, Theme};
use super::rows::Row;
use super::session::Session;
use crate::cli::text::human;
use columns::Cells;

/// Rows of the screen below which remarks give way to flows.
const LOW: usize = 12;

/// Keys, for the last line.
const KEYS: &str = "q quit  / filter  g group  s sort  f show  space pause  enter open  ? help";

/// Keys, for the page of them.
const HELP: [(&str, &str); 16] = [
    ("up down", "select a row (j, k, page up, page down, home, end too)"),
    ("enter", "all of a flow, or the flows of a group; escape goes back"),
    ("s", "sort by rate, out, in, rtt, retransmits, octets; r: least first"),
    ("g", "group by nothing, process, container, peer, port"),
    ("f", "show all flows, those that talk, those that retransmit"),
    ("/", "write the filter: enter applies it, escape leaves it as it was"),
    ("b", "bits or octets a second"),
    ("space", "stand still, go on"),
    ("q", "leave"),
    ("", ""),
    ("OUT, IN", "what this machine's end sends and receives; of a flow between others,"),
    ("", "and within this machine, what the source of the flow does"),
    ("~ rate", "of a record that is more than 5 s old: the flow's last one"),
    ("dim", "the flow is over; it leaves after 5 s"),
    ("RTT", "round-trip time; of a group the mean"),
    ("HEARD", "how long ago the last record of the flow came"),
];

/// Draws a frame of `width` by `height`. `clock` is the time of day.
pub fn draw(
    app: &mut App,
    session: &Session,
    (width, height): (usize, usize),
    theme: Theme,
    clock: &str,
) -> Frame {
    let mut frame = Frame::new(width, height, theme);
    title(&mut frame, app, session, theme, clock);
    total(&mut frame, app, session, theme);
    if height >= LOW {
        remarks(&mut frame, session, theme);
    }
    arrangement(&mut frame, app, session, theme);
    match app.mode.clone() {
        Mode::Help => help(&mut frame),
        Mode::Detail(key) => detail::draw(&mut frame, app, session, &key, theme),
        Mode::List | Mode::Filter(_) => list(&mut frame, app, session, theme),
    }
    frame.fill(1);
    let keys = match app.mode {
        Mode::Filter(_) => "enter apply  escape leave as it was",
        Mode::Detail(_) => "escape back  space pause  b bits  q quit",
        Mode::Help => "any key goes back  q quit",
        Mode::List => KEYS,
    };
    frame.push(Line::of(Style::Dim, keys));
    frame
}

/// Left and right, with what is between them; the right gives way.
fn spread(left: Line, right: &str, width: usize) -> Line {
    let room = width.saturating_sub(left.width() + right.chars().count());
    match room {
        0 => left,
        room => left.with(Style::Plain, &" ".repeat(room)).with(Style::Plain, right),
    }
}

fn title(frame: &mut Frame, app: &App, session: &Session, theme: Theme, clock: &str) {
    let mut left = Line::of(Style::Bold, "weir top").with(Style::Plain, "  ");
    left = left.with(Style::Plain, &session.origin.name());
    if app.is_paused {
        left = left.with(Style::Plain, "  ").with(Style::Inverse, " PAUSED ");
    }
    left = left.with(Style::Dim, &format!("{}{}", theme.dot(), app.shown.freshness));
    frame.push(spread(left, clock, frame.width));
}

fn total(frame: &mut Frame, app: &App, session: &Session, theme: Theme) {
    let total = app.shown.total;
    let cells = cells(app, session, theme);
    let counts = session.flows.counts();
    let mut line = Line::of(Style::Plain, "out ")
        .with(Style::Bold, &cells.rate(total.rates[0], false))
        .with(Style::Plain, "  in ")
        .with(Style::Bold, &cells.rate(total.rates[1], false))
        .with(Style::Plain, &format!("  {} flows", total.flows));
    if total.over > 0 {
        line = line.with(Style::Dim, &format!(", {} over", total.over));
    }
    for (count, what) in
        [(session.lost(), "records not looked at"), (counts.evicted, "flows left early")]
    {
        if count > 0 {
            line = line.with(Style::Warning, &format!("  {} {what}", human(count as f64, "")));
        }
    }
    frame.push(line);
}

/// Which tiers run, and what is missing.
fn remarks(frame: &mut Frame, session: &Session, theme: Theme) {
    let status = &session.status;
    let tiers = match status.tiers.is_empty() {
        true => "none".to_owned(),
        false => status.tiers.join(", "),
    };
    let mut line = Line::of(Style::Plain, &format!("tiers: {tiers}"));
    if !status.absent.is_empty() {
        let absent = format!("{}without {}", theme.dot(), status.absent.join(", "));
        line = line.with(Style::Dim, &absent);
    }
    frame.push(line);
    let mut remarks: Vec<(Style, &str)> = Vec::new();
    remarks.extend(session.failed.iter().map(|why| (Style::Error, why.as_str())));
    remarks.extend(session.note.iter().map(|note| (Style::Warning, note.as_str())));
    remarks.extend(status.missing.iter().map(|missing| (Style::Warning, missing.as_str())));
    // Limit: two lines, the worst first; `weir doctor` has all.
    let most = if frame.height >= 2 * LOW { 2 } else { 1 };
    for (style, text) in remarks.into_iter().take(most) {
        frame.push(Line::of(style, &text.replace('\n', " ")));
    }
}

fn arrangement(frame: &mut Frame, app: &App, session: &Session, theme: Theme) {
    if let Mode::Filter(edit) = &app.mode {
        filter(frame, edit, app.refused.as_deref());
        return;
    }
    let how = &app.how;
    let order = if how.is_reversed { ", least first" } else { "" };
    let mut text = format!("by {}{}sort {}{order}", how.group.word(), theme.dot(), how.sort.word());
    text.push_str(&format!("{}show {}", theme.dot(), how.show.word()));
    let mut line = Line::of(Style::Plain, &text);
    if let Some((group, name)) = &how.within {
        let within = format!("{}{} {name}", theme.dot(), group.word());
        line = line.with(Style::Bold, &within);
    }
    if !session.filter.is_empty() {
        line = line.with(Style::Plain, &format!("{}filter ", theme.dot()));
        line = line.with(Style::Bold, &session.filter);
    }
    frame.push(line);
}

/// The filter as it is written, and under it where it is wrong.
fn filter(frame: &mut Frame, edit: &Edit, refused: Option<&str>) {
    const PROMPT: &str = "filter: ";
    let chars: Vec<char> = edit.text().chars().collect();
    let room = frame.width.saturating_sub(PROMPT.len() + 1).max(1);
    let first = edit.cursor().saturating_sub(room - 1);
    let shown = |from: usize, to: usize| -> String {
        chars.get(from..to.min(chars.len())).unwrap_or_default().iter().collect()
    };
    let at = shown(edit.cursor(), edit.cursor() + 1);
    frame.push(
        Line::of(Style::Bold, PROMPT)
            .with(Style::Plain, &shown(first, edit.cursor()))
            .with(Style::Inverse, if at.is_empty() { " " } else { &at })
            .with(Style::Plain, &shown(edit.cursor() + 1, first + room)),
    );
    match Filter::parse(&edit.text(), weir_model::Table::Flows) {
        Err(error) => {
            for line in wrong(&edit.text(), &error, PROMPT.len(), first) {
                frame.push(Line::of(Style::Error, &line));
            }
        }
        Ok(_) => {
            for line in refused.unwrap_or_default().lines() {
                frame.push(Line::of(Style::Error, line));
            }
        }
    }
}

/// A caret under the place, unless that is out of sight, and what is wrong.
fn wrong(text: &str, error: &FilterError, indent: usize, first: usize) -> Vec<String> {
    let before = text.get(..error.offset).unwrap_or(text).chars().count();
    let part = text.get(error.offset..error.offset + error.length).unwrap_or_default();
    let mut lines = Vec::new();
    if let Some(column) = before.checked_sub(first) {
        let carets = "^".repeat(part.chars().count().max(1));
        lines.push(format!("{}{carets}", " ".repeat(indent + column)));
    }
    lines.push(match &error.suggestion {
        Some(suggestion) => format!("{}; did you mean `{suggestion}`?", error.message),
        None => error.message.clone(),
    });
    lines
}

fn cells<'a>(app: &App, session: &'a Session, theme: Theme) -> Cells<'a> {
    let how = &app.how;
    let (group, sort) = (how.group, how.sort);
    Cells { session, group, sort, bits: app.bits, at: app.shown.at, theme }
}

fn list(frame: &mut Frame, app: &mut App, session: &Session, theme: Theme) {
    let page = frame.room().saturating_sub(2);
    let (first, selected) = app.window(page);
    let cells = cells(app, session, theme);
    let rows: Vec<&Row> = app.shown.rows.iter().skip(first).take(page).collect();
    if rows.is_empty() {
        frame.push(Line::of(Style::Dim, empty(app, session)));
        return;
    }
    let layout = cells.layout(frame.width, &rows);
    let heading = cells.heading(&layout);
    frame.push(Line::of(Style::Inverse, &pad(heading, frame.width)));
    for (i, row) in rows.iter().enumerate() {
        let text = cells.line(&layout, row);
        let is_quiet = row.rates[0] + row.rates[1] == 0.0;
        frame.push(match first + i == selected {
            true => Line::of(Style::Inverse, &pad(text, frame.width)),
            false if row.is_over || is_quiet => Line::of(Style::Dim, &text),
            false => Line::of(Style::Plain, &text),
        });
    }
}

fn pad(text: String, width: usize) -> String {
    let missing = width.saturating_sub(Line::of(Style::Plain, &text).width());
    text + &" ".repeat(missing)
}

/// Why nothing is listed.
fn empty(app: &App, session: &Session) -> &'static str {
    match (session.flows.counts().records, app.how.within.is_some()) {
        (0, _) if session.filter.is_empty() => "no record yet",
        (0, _) => "no record that the filter keeps yet",
        (_, true) => "no flow of this group any more: escape shows the others",
        _ => "no flow to show: f shows others",
    }
}

fn help(frame: &mut Frame) {
    frame.push(Line::default());
    for (key, meaning) in HELP {
        let key = format!(" {key:<9}");
        frame.push(Line::of(Style::Bold, &key).with(Style::Plain, meaning));
    }
}

#[cfg(test)]
mod tests;
