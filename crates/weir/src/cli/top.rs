//! `weir top`: live flows in a terminal, or as lines for scripts.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use anyhow::bail;
use weir_model::{Clock, SystemClock};

use super::Settings;
use super::client::Server;
use super::out::{print, say};
use crate::config::policies;
use crate::config::words::Span;
use crate::top::feed::{Event, Origin, QUEUE};
use crate::top::rows::{Arrangement, GroupBy, Show, SortBy, rows};
use crate::top::session::{Session, clock, parse};
use crate::top::{plain, run};

/// Where a Weir of this machine answers unless it was told otherwise.
const DEFAULT_SERVER: &str = "http://127.0.0.1:8008";
/// Longest time that a script waits until there is something to print.
const WARM_UP: Duration = Duration::from_secs(15);
/// Time between looks at whether there is.
const TICK: Duration = Duration::from_millis(100);

/// Arguments of `weir top`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The Weir to follow [default: the one of this machine if it runs, else this process meters]
    #[arg(long, value_name = "URL", env = "WEIR_SERVER")]
    server: Option<String>,
    /// File that holds the token; else the environment variable WEIR_TOKEN
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Meters this machine in this process, whatever runs
    #[arg(long)]
    local: bool,
    /// Keeps matching records only, as in 'proto = tcp and dst_port = 443'
    #[arg(long, short, value_name = "FILTER", default_value = "")]
    filter: String,
    /// What a row is
    #[arg(long, short, value_enum, default_value = "none")]
    group_by: GroupBy,
    /// What comes first
    #[arg(long, short, value_enum, default_value = "rate")]
    sort: SortBy,
    /// Which flows are shown
    #[arg(long, value_enum, default_value = "all")]
    show: Show,
    /// Time between looks
    #[arg(long, short, value_name = "TIME", default_value = "1s")]
    delay: Span,
    /// Prints one look and ends
    #[arg(long)]
    once: bool,
    /// Prints look after look instead of drawing
    #[arg(long, conflicts_with = "once")]
    batch: bool,
    /// Looks to print with --batch [default: until interrupted]
    #[arg(short = 'n', long, value_name = "N", requires = "batch")]
    looks: Option<u64>,
    /// Prints looks as JSON, one object a line
    #[arg(long)]
    json: bool,
    /// Rows to print of each look
    #[arg(long, short, value_name = "N", default_value_t = 100)]
    limit: usize,
}

const EXAMPLES: &str = "\
Examples:
  weir top                                    what this machine talks about now
  weir top --local --group-by process         without a server, by process
  weir top --filter 'dst_port = 443' --sort rtt
  weir top --server http://10.0.0.5:8008 --token-file token
  weir top --once --json --group-by peer      one look for a script
  weir top --batch -n 10 --delay 5s           ten looks, five seconds apart";

impl Args {
    /// Watches.
    pub fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        if self.delay.0 < Duration::from_millis(100) {
            bail!("--delay: looks are at least 100ms apart");
        }
        parse(&self.filter)?;
        let (origin, note) = self.origin(settings)?;
        let how = Arrangement {
            group: self.group_by,
            sort: self.sort,
            is_reversed: false,
            show: self.show,
            within: None,
        };
        if self.once || self.batch || self.json {
            self.print(origin, note, &how)?;
            return Ok(ExitCode::SUCCESS);
        }
        if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
            bail!("this is no terminal to draw on: --once or --batch print lines, --json too");
        }
        run::run(origin, note, &self.filter, how, self.delay.0)?;
        Ok(ExitCode::SUCCESS)
    }

    /// What is watched, and why where that was not asked for.
    fn origin(&self, settings: &Settings) -> anyhow::Result<(Origin, Option<String>)> {
        if let (Some(url), false) = (&self.server, self.local) {
            let server = Server::new(url.clone(), self.token_file.clone());
            return Ok((Origin::Server(server), None));
        }
        let server = Server::new(DEFAULT_SERVER.to_owned(), self.token_file.clone());
        let mut note = None;
        if !self.local && server.is_there() {
            match server.ask_nothing() {
                Ok(()) => return Ok((Origin::Server(server), None)),
                Err(error) => note = Some(format!("{DEFAULT_SERVER} is not followed: {error:#}")),
            }
        }
        let policy = policies::meter_policy(&settings.load()?.meter);
        Ok((Origin::Local(Box::new(policy)), note))
    }

    /// Looks for scripts.
    fn print(&self, origin: Origin, note: Option<String>, how: &Arrangement) -> anyhow::Result<()> {
        let (sender, events) = sync_channel(QUEUE);
        let mut session = Session::start(origin, note, &self.filter, sender, clock())?;
        let looks = if self.batch { self.looks.unwrap_or(u64::MAX) } else { 1 };
        let latest = Instant::now() + WARM_UP;
        while !session.is_warm() && session.failed.is_none() && Instant::now() < latest {
            wait(&events, &mut session, Instant::now() + TICK);
            session.tick();
        }
        let mut due = Instant::now() + TICK;
        let mut told = Vec::new();
        for _ in 0..looks {
            wait(&events, &mut session, due);
            session.tick();
            // Why: A script that got an empty table would take it for silence.
            let is_empty = session.flows.counts().records == 0;
            if let (Some(why), true) = (&session.failed, is_empty || session.is_dead) {
                bail!("{why}");
            }
            let mut rows = rows(&session.flows, how, session.known());
            rows.truncate(self.limit);
            let look = plain::Look { session: &session, how, rows: &rows, at: SystemClock.now() };
            match self.json {
                true => print(&plain::document(&look))?,
                false => {
                    warn(&session, &mut told);
                    print(&plain::table(&look))?;
                }
            }
            due += self.delay.0;
        }
        Ok(())
    }
}

/// Takes in what comes until `due`, and one event at least.
fn wait(events: &Receiver<Event>, session: &mut Session, due: Instant) {
    // Why: where events never cease, a queue that is not empty is no reason to go on.
    let mut is_due = false;
    while !is_due {
        is_due = Instant::now() >= due;
        match events.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(Event::Feed(number, update)) => session.take(number, update),
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Says what a reader of numbers must know, each once.
fn warn(session: &Session, told: &mut Vec<String>) {
    let mut warnings: Vec<String> = session.note.iter().chain(&session.failed).cloned().collect();
    warnings.extend(session.status.missing.iter().cloned());
    if session.lost() > 0 {
        warnings.push("some records were not looked at: there were too many".to_owned());
    }
    if session.flows.counts().evicted > 0 {
        warnings.push("some flows left early: there were too many".to_owned());
    }
    for warning in warnings {
        if !told.contains(&warning) && told.len() < 64 {
            say(&format!("note: {}\n", super::text::visible(&warning)));
            told.push(warning);
        }
    }
}
