//! The terminal: raw while a frame is shown, and given back as it was, whatever happens.
//!
//! Written with the few sequences that every terminal of the last thirty years knows, so that no
//! library is needed.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

use super::frame::{Frame, Theme};
use super::keys::{self, Key};

/// Alternate screen, no cursor, no wrapping at the right edge.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J";
/// The opposite.
const LEAVE: &str = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";
/// How long the rest of a key may take.
const REST: Duration = Duration::from_millis(40);

/// How the terminal was, as long as it is ours.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// The terminal as long as it is ours. Dropping it gives it back, and so does a panic of any thread.
pub struct Terminal {
    theme: Theme,
}

impl Terminal {
    /// Takes it.
    pub fn open(theme: Theme) -> io::Result<Terminal> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        // Why: the hook comes first, or a panic in between would leave the terminal raw.
        let next = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            next(panic);
        }));
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        let terminal = Terminal { theme };
        tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        write(ENTER)?;
        Ok(terminal)
    }

    /// Columns and rows.
    pub fn size(&self) -> (usize, usize) {
        match tcgetwinsize(io::stdout()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
                (size.ws_col.into(), size.ws_row.into())
            }
            _ => (80, 24),
        }
    }

    /// Shows a frame. An error once another thread has panicked: the terminal is not ours then.
    pub fn show(&self, frame: &Frame) -> io::Result<()> {
        if BEFORE.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            return Err(io::Error::other("a part of weir top ended in a panic"));
        }
        write(&sequence(frame, self.theme))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give_back();
    }
}

/// Puts the terminal back as it was, once.
fn give_back() {
    if let Some(before) = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take() {
        // There is nothing left to do about a terminal that is gone.
        let _gone = write(LEAVE);
        let _gone = tcsetattr(io::stdin(), OptionalActions::Now, &before);
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// A frame as octets. Between the two `2026` a terminal that knows them does not draw halves.
// Cost: the whole frame every time, some 5 kB a second, in place of a comparison with the last.
fn sequence(frame: &Frame, theme: Theme) -> String {
    let mut out = String::from("\x1b[?2026h\x1b[H");
    for (i, line) in frame.lines.iter().enumerate() {
        if i > 0 {
            out.push_str("\r\n");
        }
        for (style, text) in &line.pieces {
            out.push_str("\x1b[0;");
            out.push_str(style.rendition(theme.colour));
            out.push('m');
            out.push_str(text);
        }
        out.push_str("\x1b[0m");
        // Why: after the last column the cursor stays on it, and would erase what was just written.
        if line.width() < frame.width {
            out.push_str("\x1b[K");
        }
    }
    if frame.lines.len() < frame.height {
        out.push_str("\r\n\x1b[J");
    }
    out.push_str("\x1b[?2026l");
    out
}

/// Reads keys until the terminal is gone or `take` says that nobody wants more.
pub fn read_keys(mut take: impl FnMut(Key) -> bool) {
    let mut waiting = Vec::new();
    let mut buffer = [0; 256];
    loop {
        if !waiting.is_empty() && !comes_more() {
            // What waited was whole: a lone escape, or half a sequence that means nothing.
            let key = (waiting == [0x1b]).then_some(Key::Escape);
            waiting.clear();
            if !key.is_none_or(&mut take) {
                return;
            }
        }
        match rustix::io::read(io::stdin(), &mut buffer) {
            Ok(0) => return,
            Ok(read) => waiting.extend_from_slice(&buffer[..read]),
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return,
        }
        while let Some((key, taken)) = keys::read(&waiting) {
            waiting.drain(..taken);
            if !key.is_none_or(&mut take) {
                return;
            }
        }
        // Limit: a sequence that never ends is no key.
        if waiting.len() > 64 {
            waiting.clear();
        }
    }
}

/// True when the rest of a key comes at once.
fn comes_more() -> bool {
    let stdin = io::stdin();
    let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
    let wait = Timespec { tv_sec: 0, tv_nsec: i64::from(REST.subsec_nanos()) as _ };
    poll(&mut fds, Some(&wait)).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::frame::{Line, Style};

    #[test]
    fn without_colour_there_is_none_and_full_lines_stay_whole() {
        let theme = Theme { colour: true, unicode: true };
        let mut frame = Frame::new(3, 3, theme);
        frame.push(Line::of(Style::Warning, "x").with(Style::Error, "y"));
        frame.push(Line::of(Style::Inverse, "all"));
        assert_eq!(
            sequence(&frame, theme),
            "\x1b[?2026h\x1b[H\x1b[0;33mx\x1b[0;31my\x1b[0m\x1b[K\r\n\
             \x1b[0;7mall\x1b[0m\r\n\x1b[J\x1b[?2026l"
        );
        let without = sequence(&frame, Theme { colour: false, ..theme });
        assert!(!without.contains("[0;3") && without.contains("\x1b[0;1mx\x1b[0;1my"));
    }
}
