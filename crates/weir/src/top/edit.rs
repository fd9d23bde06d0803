//! A line that is being written.

use super::keys::Key;

/// Longest text; the filter language takes no longer one.
const MAX: usize = weir_query::filter::TEXT_MAX;

/// The text and where the next character goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Edit {
    chars: Vec<char>,
    cursor: usize,
}

impl Edit {
    /// A line that holds `text`, to be written on at its end.
    pub fn new(text: &str) -> Edit {
        let chars: Vec<char> = text.chars().collect();
        Edit { cursor: chars.len(), chars }
    }

    /// The text.
    pub fn text(&self) -> String {
        self.chars.iter().collect()
    }

    /// Characters before the cursor.
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// Does what a key says.
    pub fn press(&mut self, key: Key) {
        match key {
            Key::Char(c) if self.chars.len() < MAX => {
                self.chars.insert(self.cursor, c);
                self.cursor += 1;
            }
            Key::Backspace if self.cursor > 0 => {
                self.cursor -= 1;
                self.chars.remove(self.cursor);
            }
            Key::Delete if self.cursor < self.chars.len() => {
                self.chars.remove(self.cursor);
            }
            Key::Left => self.cursor = self.cursor.saturating_sub(1),
            Key::Right => self.cursor = (self.cursor + 1).min(self.chars.len()),
            Key::Home | Key::Control('a') => self.cursor = 0,
            Key::End | Key::Control('e') => self.cursor = self.chars.len(),
            Key::Control('u') => {
                self.chars.drain(..self.cursor);
                self.cursor = 0;
            }
            Key::Control('k') => self.chars.truncate(self.cursor),
            Key::Control('w') => {
                let before = &self.chars[..self.cursor];
                let word = before.iter().rposition(|c| *c != ' ').unwrap_or(0);
                let start = before[..word].iter().rposition(|c| *c == ' ').map_or(0, |at| at + 1);
                self.chars.drain(start..self.cursor);
                self.cursor = start;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_written_and_corrected() {
        let mut edit = Edit::new("port = 44");
        edit.press(Key::Char('3'));
        edit.press(Key::Home);
        edit.press(Key::Char('é'));
        edit.press(Key::Delete);
        assert_eq!((edit.text(), edit.cursor()), ("éort = 443".to_owned(), 1));
        edit.press(Key::End);
        edit.press(Key::Control('w'));
        assert_eq!(edit.text(), "éort = ");
        edit.press(Key::Control('w'));
        edit.press(Key::Left);
        edit.press(Key::Backspace);
        assert_eq!((edit.text(), edit.cursor()), ("éor ".to_owned(), 3));
        edit.press(Key::Control('k'));
        edit.press(Key::Control('u'));
        edit.press(Key::Backspace);
        edit.press(Key::Delete);
        assert_eq!(edit, Edit::default());
    }
}
