//! What is shown and what keys do to it. No I/O: keys in, wishes out.

use std::time::Duration;

use super::edit::Edit;
use super::flows::Total;
use super::keys::Key;
use super::record;
use super::rows::{Arrangement, GroupBy, Row, RowId, rows};
use super::session::Session;

/// What fills the screen.
#[derive(Debug, Clone, PartialEq)]
pub enum Mode {
    /// The rows.
    List,
    /// All that is known of a flow.
    Detail(record::Key),
    /// The keys.
    Help,
    /// The rows, with the filter being written.
    Filter(Edit),
}

/// What a key asks of whoever runs this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Nothing but another frame.
    Draw,
    /// To leave.
    Quit,
    /// To watch what a filter keeps.
    Watch(String),
}

/// What stands still while it is paused.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    /// In their order.
    pub rows: Vec<Row>,
    /// When they were made.
    pub at: Duration,
    /// The time that their rates are of.
    pub known: Duration,
    /// The sum of all flows at that time.
    pub total: Total,
    /// How fresh all this was.
    pub freshness: String,
}

/// The state of the screen.
#[derive(Debug)]
pub struct App {
    /// How rows are made.
    pub how: Arrangement,
    /// Bits instead of octets a second.
    pub bits: bool,
    /// Rows stand still.
    pub is_paused: bool,
    /// What fills the screen.
    pub mode: Mode,
    /// What is listed.
    pub shown: Shown,
    /// Rows that fit, as of the last frame.
    pub page: usize,
    /// Why the last wish was not granted.
    pub refused: Option<String>,
    selected: Option<RowId>,
    place: usize,
    first: usize,
}

impl App {
    /// A list in the order of `how`.
    pub fn new(how: Arrangement) -> App {
        App {
            how,
            bits: false,
            is_paused: false,
            mode: Mode::List,
            shown: Shown::default(),
            page: 1,
            refused: None,
            selected: None,
            place: 0,
            first: 0,
        }
    }

    /// Makes the rows anew, unless they stand still.
    pub fn update(&mut self, session: &Session) {
        if !self.is_paused {
            self.arrange(session);
        }
    }

    /// Makes the rows anew.
    pub fn arrange(&mut self, session: &Session) {
        let known = session.known();
        self.shown = Shown {
            rows: rows(&session.flows, &self.how, known),
            at: session.now(),
            known,
            total: session.flows.total(known),
            freshness: session.freshness(),
        };
        self.follow();
    }

    /// Keeps the selection on its row, wherever that is now, and in sight.
    fn follow(&mut self) {
        let rows = &self.shown.rows;
        let found = self.selected.as_ref().map(|id| rows.iter().position(|row| row.id == *id));
        self.place = match found {
            None => 0,
            Some(Some(place)) => place,
            Some(None) => self.place.min(rows.len().saturating_sub(1)),
        };
        self.scroll();
    }

    /// Moves the window so that the selected row is in it.
    fn scroll(&mut self) {
        let page = self.page.max(1);
        self.first = self.first.min(self.place).max((self.place + 1).saturating_sub(page));
        self.first = self.first.min(self.shown.rows.len().saturating_sub(page));
    }

    /// Tells how many rows fit; the first that is in sight, and the selected one's place.
    pub fn window(&mut self, page: usize) -> (usize, usize) {
        self.page = page;
        self.scroll();
        (self.first, self.place)
    }

    /// Does what a key says.
    pub fn press(&mut self, key: Key, session: &Session) -> Wish {
        if key == Key::Control('c') {
            return Wish::Quit;
        }
        match &mut self.mode {
            Mode::Filter(edit) => match key {
                Key::Escape => self.mode = Mode::List,
                Key::Enter => return Wish::Watch(edit.text()),
                key => {
                    self.refused = None;
                    edit.press(key);
                }
            },
            Mode::Help => match key {
                Key::Char('q') => return Wish::Quit,
                _ => self.mode = Mode::List,
            },
            Mode::Detail(_) => match key {
                Key::Char('q') => return Wish::Quit,
                Key::Escape | Key::Enter | Key::Left => self.mode = Mode::List,
                Key::Char(' ') => self.is_paused = !self.is_paused,
                Key::Char('b') => self.bits = !self.bits,
                _ => {}
            },
            Mode::List => return self.press_in_list(key, session),
        }
        Wish::Draw
    }

    fn press_in_list(&mut self, key: Key, session: &Session) -> Wish {
        let how = &mut self.how;
        match key {
            Key::Char('q') => return Wish::Quit,
            Key::Char('/') => {
                self.refused = None;
                self.mode = Mode::Filter(Edit::new(&session.filter));
            }
            Key::Char('?' | 'h') => self.mode = Mode::Help,
            Key::Char(' ') => self.is_paused = !self.is_paused,
            Key::Char('b') => self.bits = !self.bits,
            Key::Char('s') => how.sort = how.sort.next(),
            Key::Char('r') => how.is_reversed = !how.is_reversed,
            Key::Char('f') => how.show = how.show.next(),
            Key::Char('g') => (how.group, self.selected) = (how.group.next(), None),
            Key::Escape => (how.within, self.selected) = (None, None),
            Key::Up | Key::Char('k') => self.select(self.place.saturating_sub(1)),
            Key::Down | Key::Char('j') => self.select(self.place.saturating_add(1)),
            Key::PageUp => self.select(self.place.saturating_sub(self.page)),
            Key::PageDown => self.select(self.place.saturating_add(self.page)),
            Key::Home => (self.selected, self.place) = (None, 0),
            Key::End => self.select(usize::MAX),
            Key::Enter => self.open(),
            _ => {}
        }
        self.scroll();
        if matches!(key, Key::Char('s' | 'r' | 'f' | 'g') | Key::Escape | Key::Enter) {
            self.arrange(session);
        }
        Wish::Draw
    }

    fn select(&mut self, place: usize) {
        self.place = place.min(self.shown.rows.len().saturating_sub(1));
        self.selected = self.shown.rows.get(self.place).map(|row| row.id.clone());
    }

    /// Shows what the selected row is made of: a flow's detail, or a group's flows.
    fn open(&mut self) {
        match self.shown.rows.get(self.place).map(|row| row.id.clone()) {
            Some(RowId::Flow(key)) => {
                self.selected = Some(RowId::Flow(key));
                self.mode = Mode::Detail(key);
            }
            Some(RowId::Group(name)) => {
                self.how.within = Some((self.how.group, name));
                (self.how.group, self.selected) = (GroupBy::None, None);
            }
            None => {}
        }
    }
}
