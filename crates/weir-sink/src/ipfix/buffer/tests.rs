//! The buffer against a plain list, with a disk that fills, tears and forgets.

use std::collections::BTreeMap;
use std::sync::Mutex;

use proptest::prelude::*;

use super::*;

#[derive(Default, Clone)]
struct File {
    octets: Vec<u8>,
    synced: usize,
}

#[derive(Default)]
struct Files {
    files: BTreeMap<String, File>,
    /// Octets that still fit.
    room: Option<usize>,
}

/// A folder whose contents outlive the buffer.
#[derive(Clone, Default)]
struct Faulty(Arc<Mutex<Files>>);

impl Faulty {
    fn room(&self, room: Option<usize>) {
        self.0.lock().unwrap().room = room;
    }

    fn octets(&self) -> usize {
        self.0.lock().unwrap().files.values().map(|file| file.octets.len()).sum()
    }

    /// A power cut: of what was not synced a part is left, and its last octet may be wrong.
    fn cut(&self, seed: usize) {
        for file in self.0.lock().unwrap().files.values_mut() {
            let unsynced = file.octets.len() - file.synced;
            if unsynced > 0 {
                file.octets.truncate(file.synced + seed % (unsynced + 1));
                if seed.is_multiple_of(3)
                    && file.octets.len() > file.synced
                    && let Some(last) = file.octets.last_mut()
                {
                    *last ^= 0x55;
                }
            }
        }
    }
}

fn full<T>() -> io::Result<T> {
    Err(io::ErrorKind::StorageFull.into())
}

impl Folder for Faulty {
    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let files = self.0.lock().unwrap();
        Ok(files.files.iter().map(|(name, f)| (name.clone(), f.octets.len() as u64)).collect())
    }
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let files = self.0.lock().unwrap();
        files.files.get(name).map(|f| f.octets.clone()).ok_or(io::ErrorKind::NotFound.into())
    }
    fn append(&mut self, name: &str, octets: &[u8]) -> io::Result<()> {
        let mut files = self.0.lock().unwrap();
        let fits = files.room.unwrap_or(usize::MAX).min(octets.len());
        if let Some(room) = &mut files.room {
            *room -= fits;
        }
        let file = files.files.entry(name.to_owned()).or_default();
        file.octets.extend_from_slice(&octets[..fits]);
        if fits < octets.len() { full() } else { Ok(()) }
    }
    fn sync(&mut self, name: &str) -> io::Result<()> {
        let mut files = self.0.lock().unwrap();
        let file = files.files.get_mut(name).ok_or(io::ErrorKind::NotFound)?;
        file.synced = file.octets.len();
        Ok(())
    }
    fn truncate(&mut self, name: &str, len: u64) -> io::Result<()> {
        let mut files = self.0.lock().unwrap();
        let file = files.files.get_mut(name).ok_or(io::ErrorKind::NotFound)?;
        file.octets.truncate(len as usize);
        file.synced = file.synced.min(len as usize);
        Ok(())
    }
    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut files = self.0.lock().unwrap();
        let file = files.files.remove(name).ok_or(io::ErrorKind::NotFound)?;
        if let Some(room) = &mut files.room {
            *room += file.octets.len();
        }
        Ok(())
    }
    fn replace(&mut self, name: &str, octets: &[u8]) -> io::Result<()> {
        let mut files = self.0.lock().unwrap();
        if files.room.is_some_and(|room| room < octets.len()) {
            return full();
        }
        let file = File { octets: octets.to_vec(), synced: octets.len() };
        files.files.insert(name.to_owned(), file);
        Ok(())
    }
}

const BOUNDS: Bounds =
    Bounds { memory_max: 8_000, disk_max: 60_000, spill_after: Duration::from_secs(5) };

fn open(disk: &Faulty, start: u8) -> Buffer {
    let mut next = start;
    let make = Box::new(move || {
        next = next.wrapping_add(1);
        [next; 16]
    });
    let mut buffer = Buffer::open(BOUNDS, Some(Box::new(disk.clone())), make).unwrap();
    for id in 256..260u16 {
        let record = [&id.to_be_bytes()[..], &[0, 1, 0, 7, 0, 2]].concat();
        buffer.define(Template { id, options: false, record: record.into() });
    }
    buffer
}

/// A message of one Set that says who it is.
fn message(identity: u64) -> Vec<u8> {
    let mut octets = vec![0; 16];
    let body = 8 + (identity as usize * 37) % 900;
    octets.extend_from_slice(&(256 + (identity % 4) as u16).to_be_bytes());
    octets.extend_from_slice(&(body as u16 + 4).to_be_bytes());
    octets.extend_from_slice(&identity.to_be_bytes());
    octets.resize(20 + body, 0xab);
    octets
}

fn identity(message: &Message) -> u64 {
    u64::from_be_bytes(message.octets[20..28].try_into().unwrap())
}

#[derive(Debug, Clone)]
enum Step {
    Append(u8),
    Send(u8),
    Release(u8),
    Rewind,
    Wait(u8),
    Room(Option<u16>),
    Kill(bool, u16),
    Stop,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (1u8..30).prop_map(Step::Append),
        6 => (1u8..30).prop_map(Step::Send),
        3 => any::<u8>().prop_map(Step::Release),
        1 => Just(Step::Rewind),
        4 => (0u8..8).prop_map(Step::Wait),
        1 => prop::option::of(0u16..20_000).prop_map(Step::Room),
        1 => (any::<bool>(), any::<u16>()).prop_map(|(power, seed)| Step::Kill(power, seed)),
        1 => Just(Step::Stop),
    ];
    prop::collection::vec(step, 1..80)
}

/// What the test knows of one run.
struct Run {
    disk: Faulty,
    buffer: Buffer,
    now: Duration,
    identities: u64,
    /// (instance, number) of everything that was sent, and what it was.
    told: BTreeMap<([u8; 16], u64), u64>,
    sent_to: u64,
    received: u64,
    settled: u64,
    starts: u8,
}

impl Run {
    fn balance(&mut self) {
        self.settled += self.buffer.take_losses().iter().map(|(_, records)| records).sum::<u64>();
        assert_eq!(self.received, self.settled + self.buffer.records(), "the books balance");
        let (memory, disk) = self.buffer.octets();
        assert!(memory <= BOUNDS.memory_max as u64 && disk <= BOUNDS.disk_max, "{memory} {disk}");
        let overhead = 44 + 8_192;
        assert!(self.disk.octets() as u64 <= BOUNDS.disk_max + overhead, "{}", self.disk.octets());
    }

    fn send(&mut self) {
        let sent = self.buffer.is_sent();
        let Some(message) = self.buffer.next_to_send() else {
            assert!(self.buffer.is_sent(), "whoever sends until all is sent comes to an end");
            return;
        };
        assert!(!sent, "what is to be sent is told");
        assert!(message.first >= self.sent_to, "numbers only grow between rewinds");
        self.sent_to = message.end();
        let key = (self.buffer.instance(), message.first);
        let told = *self.told.entry(key).or_insert_with(|| identity(&message));
        assert_eq!(told, identity(&message), "a number is given once");
        let id = 256 + (told % 4) as u16;
        assert_eq!(message.templates.iter().map(|t| t.id).collect::<Vec<_>>(), [id]);
        assert_eq!(message.octets[20..], super::tests::message(told)[20..], "as it was");
    }

    fn reopen(&mut self) {
        self.disk.room(None);
        self.starts += 10;
        self.buffer = open(&self.disk, self.starts);
        (self.received, self.settled) = (self.buffer.restored(), 0);
        // What was found damaged at the start was not restored.
        self.buffer.take_losses();
        self.sent_to = 0;
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Append(count) => {
                for _ in 0..*count {
                    let records = 1 + (self.identities % 50) as u32;
                    assert!(self.buffer.append(&message(self.identities), records, self.now));
                    self.identities += 1;
                    self.received += u64::from(records);
                }
            }
            Step::Send(count) => (0..*count).for_each(|_| self.send()),
            Step::Release(part) => {
                let (first, end) = (self.buffer.first(), self.sent_to.max(self.buffer.first()));
                self.settled += self.buffer.release(first + (end - first) * u64::from(*part) / 255);
            }
            Step::Rewind => {
                self.buffer.rewind();
                self.sent_to = 0;
            }
            Step::Wait(seconds) => {
                self.now += Duration::from_secs((*seconds).into());
                self.buffer.tick(self.now);
                self.buffer.note_released();
            }
            Step::Room(room) => self.disk.room(room.map(usize::from)),
            Step::Kill(power, seed) => {
                if *power {
                    self.disk.cut((*seed).into());
                }
                self.reopen();
            }
            Step::Stop => {
                let disk = self.disk.clone();
                let buffer = std::mem::replace(&mut self.buffer, open(&Faulty::default(), 0));
                let before = buffer.records();
                let (left, losses) = buffer.close(self.now);
                let lost: u64 = left + losses.iter().map(|(_, records)| records).sum::<u64>();
                self.disk = disk;
                let full = self.disk.0.lock().unwrap().room.is_some();
                self.reopen();
                let found = lost + self.buffer.restored();
                // A full disk may not have taken how far the collector was: more is sent again.
                assert!(found == before || full && found > before, "{before} {found}");
            }
        }
        self.balance();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn books_balance_and_numbers_are_given_once(steps in steps()) {
        let disk = Faulty::default();
        let mut run = Run {
            buffer: open(&disk, 0), disk, now: Duration::ZERO, identities: 0,
            told: BTreeMap::new(), sent_to: 0, received: 0, settled: 0, starts: 0,
        };
        for step in &steps {
            run.step(step);
        }
    }
}

fn fill(buffer: &mut Buffer, messages: std::ops::Range<u64>, now: Duration) {
    for identity in messages {
        assert!(buffer.append(&message(identity), 1, now));
    }
}

fn all(buffer: &mut Buffer) -> Vec<u64> {
    std::iter::from_fn(|| buffer.next_to_send()).map(|message| identity(&message)).collect()
}

#[test]
fn what_is_old_goes_to_disk_and_is_there_after_a_kill() {
    let disk = Faulty::default();
    let mut buffer = open(&disk, 0);
    fill(&mut buffer, 0..5, Duration::ZERO);
    buffer.tick(Duration::from_secs(4));
    assert_eq!(buffer.octets().1, 0, "not yet");
    fill(&mut buffer, 5..8, Duration::from_secs(4));
    buffer.tick(Duration::from_secs(5));
    let instance = buffer.instance();
    drop(buffer);
    let mut buffer = open(&disk, 100);
    assert_eq!((buffer.restored(), buffer.first(), all(&mut buffer)), (5, 0, vec![0, 1, 2, 3, 4]));
    assert_eq!(buffer.instance(), instance);
    assert!(buffer.next() >= 8, "numbers of what was lost are not given again: {}", buffer.next());
}

#[test]
fn what_was_released_costs_no_disk() {
    let disk = Faulty::default();
    let mut buffer = open(&disk, 0);
    let before = disk.octets();
    for round in 0..200u64 {
        fill(&mut buffer, round..round + 1, Duration::from_secs(round));
        buffer.next_to_send().unwrap();
        assert_eq!(buffer.release(round + 1), 1);
        buffer.tick(Duration::from_secs(round));
    }
    assert_eq!((buffer.records(), disk.octets()), (0, before));
}

#[test]
fn past_the_bound_the_oldest_go() {
    let disk = Faulty::default();
    let mut buffer = open(&disk, 0);
    fill(&mut buffer, 0..1_000, Duration::ZERO);
    let [(_, lost), (_, damaged)] = buffer.take_losses();
    let kept = all(&mut buffer);
    assert!(lost > 0 && damaged == 0);
    assert_eq!(kept, (lost..1_000).collect::<Vec<_>>(), "the newest, without a gap");
    assert_eq!(buffer.first(), lost);
}

#[test]
fn a_torn_segment_gives_what_is_whole_and_counts_the_rest() {
    let disk = Faulty::default();
    let mut buffer = open(&disk, 0);
    fill(&mut buffer, 0..10, Duration::ZERO);
    buffer.tick(Duration::from_secs(5));
    {
        let mut files = disk.0.lock().unwrap();
        let segment = files.files.iter_mut().find(|(name, _)| name.ends_with(".seg")).unwrap().1;
        let at = segment.octets.len() - 10;
        segment.octets[at] ^= 1;
    }
    assert_eq!(all(&mut buffer), (0..9).collect::<Vec<_>>());
    assert_eq!(buffer.take_losses()[1], (Loss::Damaged, 1));
    assert_eq!(buffer.records(), 9);
}

#[test]
fn a_disk_that_cannot_reserve_numbers_makes_another_exporter() {
    let disk = Faulty::default();
    let mut buffer = open(&disk, 0);
    let instance = buffer.instance();
    disk.room(Some(0));
    for i in 0..BLOCK / 1_000 {
        assert!(buffer.append(&message(i), 1_000, Duration::ZERO));
    }
    assert_eq!(buffer.instance(), instance, "some are left");
    assert!(buffer.append(&message(0), 1_000, Duration::ZERO));
    assert_ne!(buffer.instance(), instance);
}
