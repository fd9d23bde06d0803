//! Columns of the list: which fit, how wide each is, and what stands in a cell.

use std::time::Duration;

use crate::cli::text::human;
use crate::top::flows::Flow;
use crate::top::frame::{Theme, cell, columns as width_of};
use crate::top::plain::{endpoint, processes, round_trip};
use crate::top::rows::{GroupBy, Row, RowId, SortBy, proto};
use crate::top::session::{Session, short};

/// Columns between columns.
const GAP: usize = 1;

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// Source and destination.
    Flow,
    /// The group.
    Group,
    /// Processes at both ends.
    Process,
    /// Flows of the group.
    Flows,
    Out,
    In,
    Rtt,
    Retransmits,
    Octets,
    State,
    Proto,
    Age,
    /// How old the last record is.
    Heard,
}

/// Columns of single flows, those that are dropped last first; the order on screen is another.
const FLOW_COLUMNS: [Column; 11] = [
    Column::Flow,
    Column::Out,
    Column::In,
    Column::Process,
    Column::Rtt,
    Column::Retransmits,
    Column::State,
    Column::Octets,
    Column::Heard,
    Column::Age,
    Column::Proto,
];

const GROUP_COLUMNS: [Column; 7] = [
    Column::Group,
    Column::Out,
    Column::In,
    Column::Flows,
    Column::Rtt,
    Column::Octets,
    Column::Retransmits,
];

impl Column {
    /// Where it stands on screen.
    fn place(self) -> usize {
        const ORDER: [Column; 13] = [
            Column::Flow,
            Column::Group,
            Column::Process,
            Column::Flows,
            Column::Proto,
            Column::State,
            Column::Out,
            Column::In,
            Column::Rtt,
            Column::Retransmits,
            Column::Octets,
            Column::Age,
            Column::Heard,
        ];
        ORDER.iter().position(|column| *column == self).unwrap_or(ORDER.len())
    }

    /// Least and most columns it takes.
    fn widths(self) -> (usize, usize) {
        match self {
            Column::Flow => (17, 100),
            Column::Group => (12, 60),
            Column::Process => (12, 36),
            Column::Out | Column::In => (10, 10),
            Column::Flows | Column::Retransmits => (5, 5),
            Column::Rtt => (8, 8),
            Column::Octets => (7, 7),
            Column::State => (6, 6),
            Column::Proto => (5, 5),
            Column::Age => (6, 6),
            Column::Heard => (5, 5),
        }
    }

    /// Figures stand to the right.
    fn is_right(self) -> bool {
        !matches!(
            self,
            Column::Flow | Column::Group | Column::Process | Column::State | Column::Proto
        )
    }

    fn heading(self, group: GroupBy, sort: SortBy) -> String {
        let name = match self {
            Column::Flow => "FLOW".to_owned(),
            Column::Group => group.word().to_uppercase(),
            Column::Process => "PROCESS".to_owned(),
            Column::Flows => "FLOWS".to_owned(),
            Column::Out => "OUT".to_owned(),
            Column::In => "IN".to_owned(),
            Column::Rtt => "RTT".to_owned(),
            Column::Retransmits => "RETR".to_owned(),
            Column::Octets => "OCTETS".to_owned(),
            Column::State => "STATE".to_owned(),
            Column::Proto => "PROTO".to_owned(),
            Column::Age => "AGE".to_owned(),
            Column::Heard => "HEARD".to_owned(),
        };
        if self.is_sorted_by(sort) { format!("{name}*") } else { name }
    }

    fn is_sorted_by(self, sort: SortBy) -> bool {
        match sort {
            SortBy::Rate => matches!(self, Column::Out | Column::In),
            SortBy::Out => self == Column::Out,
            SortBy::In => self == Column::In,
            SortBy::Rtt => self == Column::Rtt,
            SortBy::Retransmits => self == Column::Retransmits,
            SortBy::Octets => self == Column::Octets,
        }
    }
}

/// What cells are made with.
pub struct Cells<'a> {
    /// What was seen.
    pub session: &'a Session,
    /// What a row is.
    pub group: GroupBy,
    /// What comes first.
    pub sort: SortBy,
    /// Bits instead of octets.
    pub bits: bool,
    /// When the rows were made.
    pub at: Duration,
    /// What the terminal can show.
    pub theme: Theme,
}

/// The columns that fit, in their order on screen, and their widths.
pub type Layout = Vec<(Column, usize)>;

impl Cells<'_> {
    /// Divides `width` among the columns that fit. Both ends of a flow may take nearly half of it;
    /// what is left goes to columns with text, as far as the `rows` in sight need it.
    pub fn layout(&self, width: usize, rows: &[&Row]) -> Layout {
        let all: &[Column] =
            if self.group == GroupBy::None { &FLOW_COLUMNS } else { &GROUP_COLUMNS };
        let mut left = width + GAP;
        let mut layout: Layout = Vec::new();
        for &column in all {
            let least = match column {
                Column::Flow => self.wish(column, rows).min(width * 9 / 20),
                // Room for "~72.0 kbit/s".
                Column::Out | Column::In if self.bits => 12,
                _ => 0,
            };
            let least = least.max(column.widths().0);
            if left < least + GAP {
                break;
            }
            left -= least + GAP;
            layout.push((column, least));
        }
        for (column, given) in &mut layout {
            let most = column.widths().1;
            if most > *given {
                let more = self.wish(*column, rows).saturating_sub(*given).min(left);
                *given += more;
                left -= more;
            }
        }
        layout.sort_by_key(|(column, _)| column.place());
        layout
    }

    /// Columns that the rows would take.
    fn wish(&self, column: Column, rows: &[&Row]) -> usize {
        let most = column.widths().1;
        let wishes = rows.iter().map(|row| width_of(&self.text(column, row, most)));
        wishes.max().unwrap_or(0).min(most)
    }

    /// The headings. The column that orders the rows has a star.
    pub fn heading(&self, layout: &Layout) -> String {
        self.join(layout, |column, _| column.heading(self.group, self.sort))
    }

    /// A row as text.
    pub fn line(&self, layout: &Layout, row: &Row) -> String {
        self.join(layout, |column, width| self.text(column, row, width))
    }

    fn join(&self, layout: &Layout, text: impl Fn(Column, usize) -> String) -> String {
        let cells = layout.iter().map(|&(column, width)| {
            cell(&text(column, width), width, column.is_right(), &self.theme)
        });
        cells.collect::<Vec<_>>().join(&" ".repeat(GAP))
    }

    fn text(&self, column: Column, row: &Row, width: usize) -> String {
        let flow = match &row.id {
            RowId::Flow(key) => self.session.flows.get(key),
            RowId::Group(_) => None,
        };
        let of = |text: &dyn Fn(&Flow) -> Option<String>| {
            flow.and_then(text).unwrap_or_else(|| "-".to_owned())
        };
        match column {
            Column::Flow => self.flow(row, width),
            Column::Group => match (&row.id, row.pid) {
                (RowId::Group(name), Some(pid)) if self.group == GroupBy::Process => {
                    format!("{name} ({pid})")
                }
                (RowId::Group(name), _) => name.clone(),
                (RowId::Flow(_), _) => String::new(),
            },
            Column::Process => of(&processes),
            Column::Flows => row.flows.to_string(),
            Column::Out => self.rate(row.rates[0], row.is_old),
            Column::In => self.rate(row.rates[1], row.is_old),
            Column::Rtt => row.rtt_us.map_or("-".to_owned(), round_trip),
            Column::Retransmits => {
                row.retransmits.map_or("-".to_owned(), |count| human(count as f64, ""))
            }
            Column::Octets => human(row.octets as f64, "octets"),
            Column::State => of(&|flow| flow.last.state.as_deref().map(short_state)),
            Column::Proto => of(&|flow| Some(proto(flow.last.key.proto))),
            Column::Age => of(&|flow| flow.age().map(short)),
            Column::Heard => of(&|flow| Some(short(self.at.saturating_sub(flow.heard)))),
        }
    }

    /// A rate; with a tilde where its record is not of just now.
    pub fn rate(&self, octets_per_second: f64, is_old: bool) -> String {
        let tilde = if is_old && octets_per_second >= 0.5 { "~" } else { "" };
        let text = match self.bits {
            true => human((octets_per_second * 8.0).round(), "bit/s"),
            false => human(octets_per_second.round(), "octet/s"),
        };
        format!("{tilde}{text}")
    }

    /// Both ends; the destination alone where both do not fit.
    fn flow(&self, row: &Row, width: usize) -> String {
        let RowId::Flow(key) = &row.id else { return String::new() };
        let arrow = self.theme.arrow();
        let (src, dst) = (endpoint(key.src), endpoint(key.dst));
        for text in [format!("{src}{arrow}{dst}"), format!("{}{arrow}{dst}", key.src.0)] {
            if width_of(&text) <= width {
                return text;
            }
        }
        format!("{}{dst}", arrow.trim_start())
    }
}

/// A TCP state in six letters, as ss has them.
fn short_state(state: &str) -> String {
    match state {
        "ESTABLISHED" => "ESTAB",
        "SYN_SENT" | "SYN-SENT" => "SYN-S",
        "SYN_RECV" | "SYN_RECEIVED" | "SYN-RECEIVED" => "SYN-R",
        "FIN_WAIT1" | "FIN_WAIT_1" | "FIN-WAIT-1" => "FIN-1",
        "FIN_WAIT2" | "FIN_WAIT_2" | "FIN-WAIT-2" => "FIN-2",
        "TIME_WAIT" | "TIME-WAIT" => "TIME-W",
        "CLOSE_WAIT" | "CLOSE-WAIT" => "CLO-W",
        "LAST_ACK" | "LAST-ACK" => "LAST-A",
        "CLOSE" | "CLOSED" => "CLOSED",
        other => other,
    }
    .to_owned()
}
