//! Views over restarts, damage, a disk that refuses, and many editors.

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_795_176_000);
const LATER: Timestamp = Timestamp::from_seconds(1_795_176_060);

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let name = format!("weir-views-{}-{name}", std::process::id());
        let folder = Folder(std::env::temp_dir().join(name));
        let _absent = fs::remove_dir_all(&folder.0);
        fs::create_dir_all(&folder.0).unwrap();
        folder
    }
    fn open(&self) -> Views {
        Views::open(&self.0, NOW)
    }
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

fn draft(name: &str) -> Draft {
    Draft::new(name, "explore", "v=1&by=src_addr").unwrap()
}

#[test]
fn what_was_answered_is_there_after_a_restart() {
    let folder = Folder::new("restart");
    let views = folder.open();
    let first = views.create(draft(" Top talkers "), NOW).unwrap();
    assert_eq!((first.name.as_str(), first.id.len()), ("Top talkers", 16));
    assert_eq!(first.created_at, "2026-11-20T12:00:00Z");
    let second = views.create(draft("β"), NOW).unwrap();
    let third = views.create(draft("third"), NOW).unwrap();
    let changed = Draft::new("renamed", "records", "v=1&cols=octets").unwrap();
    let second = views.replace(&second.id, changed, LATER).unwrap();
    assert_eq!((second.name.as_str(), second.page.as_str()), ("renamed", "records"));
    assert_eq!(
        (second.created_at == first.created_at, second.updated_at != first.updated_at),
        (true, true)
    );
    views.delete(&third.id).unwrap();
    assert_eq!(*views.list().unwrap(), [first.clone(), second.clone()]);
    drop(views);
    assert_eq!(folder.names(), ["views.json"]);
    let views = folder.open();
    assert_eq!(*views.list().unwrap(), [first, second]);
    assert_eq!(views.concerns(), []);
    let unknown = views.delete(&third.id).unwrap_err();
    assert_eq!(unknown.to_string(), format!("no view has the id `{}`", third.id));
    assert!(matches!(views.replace("x", draft("x"), NOW), Err(ViewError::Unknown(_))));
}

#[test]
fn what_cannot_be_right_is_refused_by_field() {
    let long = "x".repeat(NAME_MAX + 1);
    let state = "x".repeat(STATE_MAX + 1);
    for (name, page, state, expected) in [
        ("", "explore", "", "name: must have 1 to 120 characters"),
        (" \t ", "explore", "", "name: must have 1 to 120 characters"),
        (&long, "explore", "", "name: must have 1 to 120 characters"),
        ("a\u{1b}[2J", "explore", "", "name: must have no control characters"),
        ("a", "sign-in", "", "page: must be overview, explore, records, exporters or health"),
        ("a", "explore", &state, "state: must have at most 8192 octets"),
        ("a", "explore", "v=1\r\nx", "state: must have no control characters"),
    ] {
        assert_eq!(Draft::new(name, page, state).unwrap_err().to_string(), expected);
    }
    // The largest of all is taken.
    Draft::new(&"ß".repeat(NAME_MAX), "health", &"x".repeat(STATE_MAX)).unwrap();
}

#[test]
fn a_damaged_file_is_put_aside_and_told() {
    let good = r#"{"version":1,"views":[{"id":"1","name":"a","page":"explore","state":"","created_at":"x","updated_at":"x"}]}"#;
    let views = |text: &str, name: &str| {
        let folder = Folder::new(name);
        fs::write(folder.0.join(FILE_NAME), text).unwrap();
        let views = folder.open();
        (folder, views)
    };
    let (_folder, kept) = views(good, "good");
    assert_eq!(kept.list().unwrap().len(), 1, "the cases below differ from a good file");
    for (i, text) in [
        "",
        &good[..good.len() - 1],
        &good.replace(":1,", ":2,"),
        &good.replace("explore", "<script>"),
        &good.replace("\"a\"", "\"a\\u0007\""),
    ]
    .into_iter()
    .enumerate()
    {
        let (folder, views) = views(text, &format!("damaged-{i}"));
        assert_eq!(*views.list().unwrap(), [], "{text}");
        let aside = format!("{DAMAGED}{}", NOW.0 / 1_000_000);
        assert_eq!(folder.names(), [aside.as_str()], "{text}");
        let told = format!("saved views were damaged and put aside as {aside}");
        assert_eq!(views.concerns(), [(told.clone(), ASIDE_REMEDY)]);
        assert_eq!(fs::read_to_string(folder.0.join(&aside)).unwrap(), text);
        // Saving goes on, and the next start still tells of it.
        views.create(draft("new"), NOW).unwrap();
        let views = folder.open();
        assert_eq!(views.list().unwrap().len(), 1);
        assert_eq!(views.concerns(), [(told, ASIDE_REMEDY)]);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_not_overwritten() {
    let folder = Folder::new("unreadable");
    fs::create_dir(folder.0.join(FILE_NAME)).unwrap();
    let views = folder.open();
    assert!(matches!(views.list(), Err(ViewError::Unreadable { .. })));
    assert!(matches!(views.create(draft("a"), NOW), Err(ViewError::Unreadable { .. })));
    assert_eq!(folder.names(), ["views.json"]);
    let concerns = views.concerns();
    let [(what, remedy)] = concerns.as_slice() else { panic!("{concerns:?}") };
    assert!(what.contains("no view can be saved"), "{what}");
    assert_eq!(*remedy, UNREADABLE_REMEDY);
}

#[test]
fn what_the_disk_refused_is_not_shown() {
    let folder = Folder::new("refused");
    let views = folder.open();
    let first = views.create(draft("a"), NOW).unwrap();
    fs::create_dir(folder.0.join("views.next")).unwrap();
    assert!(matches!(views.create(draft("b"), NOW), Err(ViewError::Write { .. })));
    assert!(matches!(views.delete(&first.id), Err(ViewError::Write { .. })));
    assert_eq!(*views.list().unwrap(), std::slice::from_ref(&first));
    fs::remove_dir(folder.0.join("views.next")).unwrap();
    views.create(draft("b"), NOW).unwrap();
    assert_eq!(folder.open().list().unwrap().len(), 2);
}

#[test]
fn edits_at_once_all_count_and_the_bound_holds() {
    let folder = Folder::new("many");
    let views = folder.open();
    std::thread::scope(|scope| {
        for editor in 0..8 {
            let views = &views;
            scope.spawn(move || {
                for i in 0..5 {
                    let view = views.create(draft(&format!("{editor}-{i}")), NOW).unwrap();
                    views.replace(&view.id, draft(&format!("{editor}-{i}!")), NOW).unwrap();
                }
            });
        }
    });
    let mut names: Vec<String> =
        folder.open().list().unwrap().iter().map(|view| view.name.clone()).collect();
    names.sort();
    let expected: Vec<String> =
        (0..8).flat_map(|editor| (0..5).map(move |i| format!("{editor}-{i}!"))).collect();
    assert_eq!(names, expected);

    // The bound, without a thousand writes.
    let one = views.list().unwrap()[0].clone();
    let full = File { version: VERSION, views: vec![one; VIEWS_MAX] };
    fs::write(folder.0.join(FILE_NAME), serde_json::to_vec(&full).unwrap()).unwrap();
    let views = folder.open();
    assert!(matches!(views.create(draft("one more"), NOW), Err(ViewError::Full)));
    views.delete(&views.list().unwrap()[0].id).unwrap();
    views.create(draft("one more"), NOW).unwrap();
}
