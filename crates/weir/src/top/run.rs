//! The interactive part: threads that wait for keys and signals, and the loop that draws.

use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use weir_model::{Clock, SystemClock};

use super::app::{App, Mode, Wish};
use super::feed::{Event, Origin, QUEUE};
use super::frame::Theme;
use super::rows::Arrangement;
use super::session::{self, Session};
use super::terminal::{Terminal, read_keys};
use super::view;

/// Watches until somebody leaves.
pub fn run(
    origin: Origin,
    note: Option<String>,
    filter: &str,
    how: Arrangement,
    delay: Duration,
) -> anyhow::Result<()> {
    let (sender, events) = sync_channel(QUEUE);
    let mut session = Session::start(origin, note, filter, sender.clone(), session::clock())?;
    let theme = theme();
    wait_for_signals(sender.clone())?;
    let terminal = Terminal::open(theme).context("taking the terminal")?;
    wait_for_keys(sender)?;
    let mut app = App::new(how);
    let mut due = Instant::now();
    loop {
        if Instant::now() >= due {
            session.tick();
            app.update(&session);
            due = Instant::now() + pause(&session, delay);
        }
        let size = terminal.size();
        let frame = view::draw(&mut app, &session, size, theme, &time_of_day());
        terminal.show(&frame).context("drawing")?;
        if !take_events(&events, due, &mut app, &mut session)? {
            return Ok(());
        }
    }
}

/// Time until the next look; short until something is there.
fn pause(session: &Session, delay: Duration) -> Duration {
    match session.flows.counts().records {
        0 => delay.min(Duration::from_millis(200)),
        _ => delay,
    }
}

/// Takes events until something is to be drawn, one at least; false when it is time to leave.
fn take_events(
    events: &std::sync::mpsc::Receiver<Event>,
    due: Instant,
    app: &mut App,
    session: &mut Session,
) -> anyhow::Result<bool> {
    // Why: where events never cease, a queue that is not empty is no reason not to draw.
    let mut is_due = false;
    while !is_due {
        is_due = Instant::now() >= due;
        match events.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(Event::Feed(number, update)) => session.take(number, update),
            Ok(Event::Resize) => return Ok(true),
            Ok(Event::Key(key)) => match app.press(key, session) {
                Wish::Quit => return Ok(false),
                Wish::Draw => return Ok(true),
                Wish::Watch(filter) => {
                    watch(&filter, app, session);
                    return Ok(true);
                }
            },
            Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(false),
            Err(RecvTimeoutError::Timeout) => return Ok(true),
        }
    }
    Ok(true)
}

/// Applies a filter, or leaves it being written, with what is wrong.
fn watch(filter: &str, app: &mut App, session: &mut Session) {
    match session.watch(filter.trim()) {
        Ok(()) => {
            (app.mode, app.refused) = (Mode::List, None);
            app.arrange(session);
        }
        Err(error) => app.refused = Some(format!("{error:#}")),
    }
}

fn time_of_day() -> String {
    let text = SystemClock.now().to_string();
    let time = text.split_once('T').map_or("", |(_, time)| time);
    format!("{} UTC", time.get(..8).unwrap_or(time))
}

/// What the terminal can show, by what the environment says (no-color.org; POSIX locales).
fn theme() -> Theme {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    Theme {
        colour: set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb"),
        unicode: locale.contains("utf-8") || locale.contains("utf8"),
    }
}

/// Keys become events. The thread ends with the process: a read cannot be called off.
fn wait_for_keys(sender: SyncSender<Event>) -> anyhow::Result<()> {
    let wait = move || {
        read_keys(|key| sender.send(Event::Key(key)).is_ok());
        // The terminal is gone, and with it whoever watched; or nobody takes keys any more.
        let _left = sender.send(Event::Stop);
    };
    std::thread::Builder::new()
        .name("weir-keys".to_owned())
        .spawn(wait)
        .context("starting the thread that reads keys")?;
    Ok(())
}

/// Signals become events, so that the terminal is given back before the end.
fn wait_for_signals(sender: SyncSender<Event>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let guard = runtime.enter();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut resize = signal(SignalKind::window_change())?;
    drop(guard);
    let wait = async move {
        loop {
            let event = tokio::select! {
                _ = terminate.recv() => Event::Stop,
                _ = interrupt.recv() => Event::Stop,
                _ = hangup.recv() => Event::Stop,
                _ = resize.recv() => Event::Resize,
            };
            if sender.send(event).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new()
        .name("weir-signals".to_owned())
        .spawn(move || runtime.block_on(wait))
        .context("starting the thread that waits for signals")?;
    Ok(())
}
