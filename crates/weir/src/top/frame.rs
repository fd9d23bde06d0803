//! A frame of text: lines of styled pieces that no terminal obeys, and cells of a width.
//!
//! Invariant: every character in a frame takes one or two columns. Control characters and those
//! that reorder text are escaped, those without a width are left out.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::cli::text::visible;

/// How a piece looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// As it is.
    Plain,
    /// What matters less: flows that are over, rates that are old.
    Dim,
    /// What matters more.
    Bold,
    /// Headings, and the row that is selected.
    Inverse,
    /// What is missing.
    Warning,
    /// What is wrong.
    Error,
}

impl Style {
    /// Parameters of "select graphic rendition" (ECMA-48 §8.3.117).
    pub fn rendition(self, colour: bool) -> &'static str {
        match (self, colour) {
            (Style::Plain, _) => "0",
            (Style::Dim, _) => "2",
            (Style::Bold, _) => "1",
            (Style::Inverse, _) => "7",
            (Style::Warning, true) => "33",
            (Style::Error, true) => "31",
            (Style::Warning | Style::Error, false) => "1",
        }
    }
}

/// A line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    /// Pieces with their style, in order.
    pub pieces: Vec<(Style, String)>,
}

impl Line {
    /// A line of one piece.
    pub fn of(style: Style, text: &str) -> Line {
        Line::default().with(style, text)
    }

    /// The line with another piece at its end.
    pub fn with(mut self, style: Style, text: &str) -> Line {
        self.pieces.push((style, clean(text)));
        self
    }

    /// Columns that it takes.
    pub fn width(&self) -> usize {
        self.pieces.iter().map(|(_, text)| text.width()).sum()
    }

    /// The line cut to `width` columns.
    fn cut(self, width: usize, theme: &Theme) -> Line {
        if self.width() <= width {
            return self;
        }
        let mut left = width;
        let mut line = Line::default();
        for (style, text) in self.pieces {
            let text = cut(&text, left, theme);
            left -= text.width();
            line.pieces.push((style, text));
        }
        line
    }
}

/// What a terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    /// Colours are wanted.
    pub colour: bool,
    /// It takes more than ASCII.
    pub unicode: bool,
}

impl Theme {
    /// The text as the terminal can show it.
    fn fold(&self, text: String) -> String {
        match self.unicode {
            true => text,
            false => text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect(),
        }
    }

    /// What stands for text that was cut off.
    pub fn ellipsis(&self) -> &'static str {
        if self.unicode { "…" } else { "~" }
    }

    /// From one end to the other.
    pub fn arrow(&self) -> &'static str {
        if self.unicode { " → " } else { " > " }
    }

    /// Between remarks.
    pub fn dot(&self) -> &'static str {
        if self.unicode { " · " } else { " - " }
    }
}

/// A whole screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Columns.
    pub width: usize,
    /// Rows; there are never more lines.
    pub height: usize,
    /// The lines, each at most as wide.
    pub lines: Vec<Line>,
    theme: Theme,
}

impl Frame {
    /// An empty screen.
    pub fn new(width: usize, height: usize, theme: Theme) -> Frame {
        Frame { width, height, lines: Vec::new(), theme }
    }

    /// Adds a line, cut to the width, where there is room.
    pub fn push(&mut self, line: Line) {
        if self.room() == 0 {
            return;
        }
        let mut line = line.cut(self.width, &self.theme);
        for (_, text) in &mut line.pieces {
            *text = self.theme.fold(std::mem::take(text));
        }
        self.lines.push(line);
    }

    /// Lines that still fit.
    pub fn room(&self) -> usize {
        self.height.saturating_sub(self.lines.len())
    }

    /// Empty lines until `below` fit.
    pub fn fill(&mut self, below: usize) {
        while self.room() > below {
            self.lines.push(Line::default());
        }
    }

    /// What stands there, without styles.
    #[cfg(test)]
    pub fn text(&self) -> String {
        let line = |line: &Line| line.pieces.iter().map(|(_, text)| text.as_str()).collect();
        let lines = self.lines.iter().map(line);
        lines.map(|line: String| line.trim_end().to_owned() + "\n").collect()
    }
}

/// The text with nothing to obey, and nothing without a width.
fn clean(text: &str) -> String {
    visible(text).chars().filter(|c| c.width().is_some_and(|width| width > 0)).collect()
}

/// The first `width` columns of clean text, the last of them an ellipsis where something is cut.
pub fn cut(text: &str, width: usize, theme: &Theme) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    if width == 0 {
        return String::new();
    }
    let mut out = String::new();
    let mut left = width - 1;
    for c in text.chars() {
        let columns = c.width().unwrap_or(0);
        if columns > left {
            break;
        }
        left -= columns;
        out.push(c);
    }
    out + theme.ellipsis()
}

/// A cell of exactly `width` columns.
pub fn cell(text: &str, width: usize, right: bool, theme: &Theme) -> String {
    let text = cut(&theme.fold(clean(text)), width, theme);
    let padding = " ".repeat(width.saturating_sub(text.width()));
    if right { padding + &text } else { text + &padding }
}

/// Columns that a text takes once it is clean.
pub fn columns(text: &str) -> usize {
    clean(text).width()
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEME: Theme = Theme { colour: false, unicode: true };

    #[test]
    fn cells_have_their_width_whatever_is_in_them() {
        for (text, expected) in [
            ("curl", "curl    "),
            ("systemd-resolved", "systemd…"),
            ("名前名前", "名前名前"),
            ("名前名前名", "名前名… "),
            ("e\u{301}\u{200b}x", "ex      "),
            ("\u{1b}[2J", "\\u{1b}[…"),
        ] {
            let cell = cell(text, 8, false, &THEME);
            assert_eq!(cell, expected);
            assert_eq!(cell.width(), 8, "{text}");
        }
        assert_eq!(cell("7", 3, true, &THEME), "  7");
        assert_eq!(cell("é…", 3, false, &Theme { unicode: false, ..THEME }), "?? ");
    }

    #[test]
    fn frames_cut_what_is_too_much() {
        let mut frame = Frame::new(6, 2, THEME);
        frame.push(Line::of(Style::Bold, "abc").with(Style::Dim, "defghi\u{202e}"));
        frame.push(Line::of(Style::Plain, "x"));
        frame.push(Line::of(Style::Plain, "y"));
        assert_eq!(frame.text(), "abcde…\nx\n");
    }
}
