//! Frames as text: what a terminal would show.

use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use super::*;
use crate::cli::client::Server;
use crate::top::app::{App, Wish};
use crate::top::feed::{Origin, Update};
use crate::top::flows::tests::{owner, record};
use crate::top::keys::Key;
use crate::top::record::Record;
use crate::top::rows::{Arrangement, GroupBy, Show, SortBy};

const NOW: Duration = Duration::from_secs(5_000);

const THEME: Theme = Theme { colour: false, unicode: true };

/// A session that follows nobody: port 9 of loopback is closed.
fn session(records: Vec<Record>) -> Session {
    let (sender, _kept) = sync_channel(64);
    let server = Server::new("http://127.0.0.1:9".to_owned(), None);
    let mut session =
        Session::start(Origin::Server(server), None, "", sender, Box::new(|| NOW)).unwrap();
    let records = records.into_iter().map(|record| (record, Duration::ZERO)).collect();
    session.take(1, Update::Records(records, Instant::now()));
    session.status.tiers = vec!["inet_diag".to_owned()];
    session.status.missing = vec!["conntrack: no module: services are not seen".to_owned()];
    session
}

/// A connection of curl that gets 9 kB a second, one of a hostile name, one that is over.
fn flows() -> Vec<Record> {
    let mut curl = record(40_001, 10, [1_000, 90_000], Some(2));
    curl.octets_total = [Some(1_000), Some(90_000)];
    let mut hostile = record(40_002, 10, [500, 0], Some(2));
    hostile.owners[0] = owner("\u{1b}[2Jevil\u{202e}", 66);
    hostile.owners[1] = owner("名前", 67);
    let over = record(40_003, 2, [10, 10], Some(3));
    vec![curl, hostile, over]
}

fn app(session: &Session) -> App {
    let mut app = App::new(Arrangement {
        group: GroupBy::None,
        sort: SortBy::Rate,
        is_reversed: false,
        show: Show::All,
        within: None,
    });
    app.update(session);
    app
}

fn shown(app: &mut App, session: &Session, size: (usize, usize)) -> String {
    let frame = draw(app, session, size, THEME, "12:00:00 UTC");
    assert!(frame.lines.len() <= size.1);
    for line in &frame.lines {
        assert!(line.width() <= size.0, "{line:?}");
    }
    frame.text()
}

fn press(app: &mut App, session: &Session, keys: &str) -> Wish {
    let mut wish = Wish::Draw;
    for c in keys.chars() {
        wish = app.press(Key::Char(c), session);
    }
    wish
}

#[test]
fn eighty_columns_show_both_ends_and_rates() {
    let session = session(flows());
    let text = shown(&mut app(&session), &session, (80, 14));
    assert_eq!(
        text,
        "\
weir top  http://127.0.0.1:9 · last record 0 s ago, records tell of 10 s
out 155 B/s  in 9.01 kB/s  2 flows, 1 over
tiers: inet_diag
conntrack: no module: services are not seen
by none · sort rate · show all
FLOW                          PROCESS             OUT*        IN*      RTT  RETR
10.0.0.1:40001 → 10.0.0.2:443 curl             100 B/s  9.00 kB/s   1.5 ms     0
10.0.0.1:40002 → 10.0.0.2:443 \\u{1b}[2Jevi…     50 B/s      0 B/s   1.5 ms     0
10.0.0.1:40003 → 10.0.0.2:443 curl               5 B/s      5 B/s   1.5 ms     0




q quit  / filter  g group  s sort  f show  space pause  enter open  ? help
"
    );
}

#[test]
fn forty_columns_show_the_destination_and_rates() {
    let session = session(flows());
    let text = shown(&mut app(&session), &session, (40, 8));
    assert_eq!(
        text,
        "\
weir top  http://127.0.0.1:9 · last rec…
out 155 B/s  in 9.01 kB/s  2 flows, 1 o…
by none · sort rate · show all
FLOW                     OUT*        IN*
→ 10.0.0.2:443        100 B/s  9.00 kB/s
→ 10.0.0.2:443         50 B/s      0 B/s
→ 10.0.0.2:443          5 B/s      5 B/s
q quit  / filter  g group  s sort  f sh…
"
    );
}

#[test]
fn a_wide_screen_shows_all_columns() {
    let session = session(flows());
    let text = shown(&mut app(&session), &session, (140, 12));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[5],
        "FLOW                          PROCESS                      PROTO STATE        \
         OUT*        IN*      RTT  RETR  OCTETS    AGE HEARD"
    );
    assert_eq!(
        lines[6],
        "10.0.0.1:40001 → 10.0.0.2:443 curl                         tcp   ESTAB     \
         100 B/s  9.00 kB/s   1.5 ms     0 91.0 kB   10 s   0 s"
    );
    assert!(lines[7].contains(" \\u{1b}[2Jevil\\u{202e} > 名前 tcp "), "{}", lines[7]);
}

#[test]
fn any_size_is_drawn_within_its_bounds() {
    let session = session(flows());
    for width in [0, 1, 7, 19, 39, 60, 200] {
        for height in [0, 1, 2, 5, 11, 24, 30] {
            let mut app = app(&session);
            for keys in ["", "g", "?", " /", "src = ((((((((((((((((((((((", "\u{1}"] {
                press(&mut app, &session, keys);
                shown(&mut app, &session, (width, height));
            }
            app.mode = Mode::Detail(flows()[1].key);
            shown(&mut app, &session, (width, height));
        }
    }
}

#[test]
fn keys_sort_group_open_and_go_back() {
    let session = session(flows());
    let mut app = app(&session);
    press(&mut app, &session, "sgb");
    let text = shown(&mut app, &session, (60, 12));
    assert!(text.contains("by process · sort out · show all"), "{text}");
    assert!(
        text.contains("curl (7)                2    840 bit/s  72.0 kbit/s   1.5 ms"),
        "{text}"
    );
    app.press(Key::Enter, &session);
    let text = shown(&mut app, &session, (80, 12));
    assert!(text.contains("by none · sort out · show all · process curl\n"), "{text}");
    assert!(text.contains("10.0.0.1:40001") && !text.contains("10.0.0.1:40002"), "{text}");
    app.press(Key::Down, &session);
    app.press(Key::Enter, &session);
    let text = shown(&mut app, &session, (80, 40));
    assert!(text.contains("\n10.0.0.1:40003 → 10.0.0.2:443\n"), "{text}");
    assert!(text.contains("\n over         nothing more will come of it\n"), "{text}");
    assert!(text.contains("\nsource\n process      curl (7)\n user         1\n"), "{text}");
    app.press(Key::Escape, &session);
    app.press(Key::Escape, &session);
    assert_eq!((app.mode.clone(), app.how.within.clone()), (Mode::List, None));
    assert_eq!(press(&mut app, &session, "q"), Wish::Quit);
}

#[test]
fn the_selection_stays_on_its_flow() {
    let mut session = session(flows());
    let mut app = app(&session);
    app.window(10);
    app.press(Key::Down, &session);
    let mut now_first = flows().remove(1);
    (now_first.told, now_first.octets) = (weir_model::Timestamp::from_seconds(20), [1 << 30, 0]);
    session.take(1, Update::Records(vec![(now_first, Duration::ZERO)], Instant::now()));
    app.update(&session);
    assert_eq!(app.window(10), (0, 0));
    press(&mut app, &session, " ");
    session.take(
        1,
        Update::Records(vec![(record(9, 20, [1 << 40, 0], Some(2)), NOW)], Instant::now()),
    );
    app.update(&session);
    assert_eq!(app.shown.rows.len(), 3, "it stands still");
    assert!(shown(&mut app, &session, (80, 12)).contains(" PAUSED "));
}

#[test]
fn a_filter_is_written_in_place_and_its_error_points_at_the_place() {
    let mut session = session(flows());
    let mut app = app(&session);
    press(&mut app, &session, "/dst_prt = 443");
    let text = shown(&mut app, &session, (60, 14));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[4], "filter: dst_prt = 443");
    assert_eq!(lines[5], "        ^^^^^^^");
    assert!(lines[6].ends_with("did you mean `dst_port`?"), "{text}");
    let Wish::Watch(filter) = app.press(Key::Enter, &session) else { panic!("not applied") };
    assert!(session.watch(&filter).is_err());
    assert_eq!(session.flows.iter().count(), 3, "a wrong filter changes nothing");
    app.press(Key::Escape, &session);
    press(&mut app, &session, "/dst_port = 443");
    let Wish::Watch(filter) = app.press(Key::Enter, &session) else { panic!("not applied") };
    session.watch(&filter).unwrap();
    app.mode = Mode::List;
    app.update(&session);
    let text = shown(&mut app, &session, (80, 14));
    assert!(text.contains("show all · filter dst_port = 443\nno record that the filter"), "{text}");
    session.take(
        1,
        Update::Records(vec![(record(1, 1, [1, 1], None), Duration::ZERO)], Instant::now()),
    );
    assert_eq!(session.flows.iter().count(), 0, "what an earlier feed sends is not looked at");
}

#[test]
fn a_terminal_of_ascii_gets_nothing_else() {
    let session = session(flows());
    let theme = Theme { colour: false, unicode: false };
    let text = draw(&mut app(&session), &session, (80, 14), theme, "").text();
    assert!(text.is_ascii() && text.contains("10.0.0.1:40001 > 10.0.0.2:443"), "{text}");
}
