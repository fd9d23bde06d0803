use super::*;
use proptest::prelude::*;

const A: SessionId = SessionId(1);
const B: SessionId = SessionId(2);

fn announced(first: u64) -> Stream {
    let mut stream = Stream::new();
    stream.announce(A, first);
    answer(&mut stream, first, &[], u64::MAX);
    stream
}

fn answer(stream: &mut Stream, from: u64, kept: &[u64], until: u64) {
    stream.ask(from);
    stream.remember(from, kept.iter().map(|&number| number..number + 1), until);
}

#[test]
fn numbers_are_widened_across_the_32_bits_of_the_header() {
    assert_eq!(widen(0, 0), 0);
    assert_eq!(widen(0x1_ffff_fff0, 5), 0x2_0000_0005);
    assert_eq!(widen(0x2_0000_0005, 0xffff_fff0), 0x1_ffff_fff0);
    assert_eq!(widen(3, u32::MAX), 3, "no number lies before 0");
}

#[test]
fn what_is_told_stops_at_the_oldest_message_on_its_way() {
    let mut stream = announced(10);
    assert_eq!(stream.news(), Some(10));
    for (sequence, records) in [(10, 5), (15, 5), (20, 1)] {
        assert_eq!(stream.place(A, sequence), Place::New(u64::from(sequence)));
        stream.taken(u64::from(sequence), Some(records), true);
    }
    stream.settle(15, true);
    assert_eq!(stream.news(), None);
    stream.settle(10, true);
    assert_eq!(stream.news(), Some(20));
    stream.settle(20, true);
    assert_eq!((stream.news(), stream.news()), (Some(21), None));
}

#[test]
fn the_store_is_asked_first_and_again_past_what_it_told() {
    let mut stream = Stream::new();
    stream.announce(A, 5);
    assert_eq!(stream.place(A, 5), Place::Ask(5));
    stream.ask(5);
    assert_eq!(stream.place(A, 5), Place::Wait);
    stream.remember(5, [5..6, 9..10].into_iter(), 12);
    assert_eq!(stream.place(A, 5), Place::Repeat(5));
    stream.taken(5, Some(2), false);
    assert_eq!(stream.place(A, 7), Place::New(7));
    stream.taken(7, Some(2), true);
    stream.taken(9, Some(3), false);
    assert_eq!(stream.place(A, 12), Place::Ask(12));
    assert_eq!(stream.place(A, 40), Place::Ask(40), "numbers may be skipped");
}

#[test]
fn an_answer_to_a_question_of_the_last_connection_is_not_believed() {
    let mut stream = announced(0);
    stream.ask(9);
    stream.announce(B, 3);
    stream.remember(9, std::iter::empty(), u64::MAX);
    assert_eq!(stream.place(B, 3), Place::Ask(3));
}

#[test]
fn a_new_connection_drops_what_is_still_on_its_way_from_the_old_one() {
    let mut stream = announced(0);
    stream.taken(0, Some(3), true);
    stream.taken(3, Some(3), true);
    stream.announce(B, 0);
    answer(&mut stream, 0, &[], u64::MAX);
    assert_eq!(stream.place(A, 6), Place::Over);
    assert_eq!(stream.place(B, 0), Place::Repeat(0));
    stream.taken(0, Some(3), false);
    // It becomes durable before it comes again: it is known then too.
    stream.settle(3, true);
    assert_eq!((stream.place(B, 3), stream.durable()), (Place::Repeat(3), 0));
    stream.taken(3, Some(3), false);
    stream.settle(0, true);
    assert_eq!(stream.durable(), 6);
}

#[test]
fn what_was_lost_for_the_moment_is_not_told_and_taken_when_it_comes_again() {
    let mut stream = announced(0);
    stream.taken(0, Some(2), true);
    stream.taken(2, Some(2), true);
    stream.settle(0, false);
    stream.settle(2, true);
    assert!(stream.is_lost());
    assert_eq!((stream.place(A, 4), stream.news()), (Place::Over, None));
    stream.announce(B, 0);
    answer(&mut stream, 0, &[], u64::MAX);
    assert_eq!((stream.place(B, 0), stream.place(B, 2)), (Place::New(0), Place::Repeat(2)));
}

#[test]
fn messages_without_records_have_no_place_and_skipped_numbers_are_not_waited_for() {
    let mut stream = announced(0);
    stream.taken(0, Some(0), false);
    assert_eq!(stream.place(A, 0), Place::New(0));
    assert_eq!(stream.place(A, 50), Place::New(50));
    stream.taken(50, Some(2), true);
    stream.settle(50, true);
    assert_eq!(stream.durable(), 52);
}

#[test]
fn a_stream_with_much_on_its_way_waits() {
    let mut stream = announced(0);
    (0..IN_FLIGHT_MAX as u64).for_each(|number| stream.taken(number, Some(1), true));
    assert_eq!(stream.place(A, IN_FLIGHT_MAX as u32), Place::Wait);
    stream.settle(7, true);
    assert_eq!(stream.place(A, IN_FLIGHT_MAX as u32), Place::New(IN_FLIGHT_MAX as u64));
}

/// What a test does next.
#[derive(Debug, Clone, Copy)]
enum Step {
    Send,
    /// A message that waits is appended, or lost for the moment.
    Append(usize, bool),
    /// An appended message is covered by a commit.
    Commit(usize),
    Reconnect,
    /// The collector is killed; what was appended and not committed may be found again or not.
    Kill(bool),
}

/// What became of a message that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waits,
    Appended,
    Durable,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => Just(Step::Send),
        6 => (any::<usize>(), 0..8).prop_map(|(which, luck)| Step::Append(which, luck > 0)),
        6 => any::<usize>().prop_map(Step::Commit),
        2 => Just(Step::Reconnect),
        1 => any::<bool>().prop_map(Step::Kill),
    ]
}

/// A collector, its store as a list of messages of 3 records each, and an exporter.
struct Model {
    store: BTreeMap<u64, State>,
    stream: Stream,
    session: u64,
    at: u64,
    told: u64,
}

impl Model {
    fn pick(&self, state: State, which: usize) -> Option<u64> {
        let there: Vec<u64> =
            self.store.iter().filter(|(_, s)| **s == state).map(|(&number, _)| number).collect();
        there.get(which % there.len().max(1)).copied()
    }

    fn send(&mut self) {
        match self.stream.place(SessionId(self.session), self.at as u32) {
            Place::New(number) => {
                assert!(self.store.insert(number, State::Waits).is_none(), "taken twice");
                self.stream.taken(number, Some(3), true);
                self.at += 3;
            }
            Place::Repeat(number) => {
                assert!(self.store.contains_key(&number), "dropped and not kept");
                self.stream.taken(number, Some(3), false);
                self.at += 3;
            }
            Place::Over => assert!(self.stream.is_lost()),
            Place::Wait | Place::Ask(_) => panic!("the store was asked"),
        }
    }

    fn reconnect(&mut self) {
        self.session += 1;
        self.stream.announce(SessionId(self.session), self.told);
        let has: Vec<u64> = self
            .store
            .range(self.told..)
            .filter(|(_, state)| **state != State::Waits)
            .map(|(&number, _)| number)
            .collect();
        answer(&mut self.stream, self.told, &has, u64::MAX);
        self.at = self.told;
    }

    fn go(&mut self, step: Step) {
        match step {
            Step::Send => self.send(),
            Step::Append(which, true) => {
                if let Some(number) = self.pick(State::Waits, which) {
                    self.store.insert(number, State::Appended);
                }
            }
            Step::Append(which, false) => {
                if let Some(number) = self.pick(State::Waits, which) {
                    self.store.remove(&number);
                    self.stream.settle(number, false);
                }
            }
            Step::Commit(which) => {
                if let Some(number) = self.pick(State::Appended, which) {
                    self.store.insert(number, State::Durable);
                    self.stream.settle(number, true);
                }
            }
            Step::Reconnect => self.reconnect(),
            Step::Kill(found) => {
                self.store.retain(|_, state| match state {
                    State::Waits => false,
                    State::Appended => found,
                    State::Durable => true,
                });
                self.store.values_mut().for_each(|state| *state = State::Durable);
                self.stream = Stream::new();
                self.reconnect();
            }
        }
        if let Some(durable) = self.stream.news() {
            assert!(durable >= self.told, "went back");
            for number in (self.told..durable).step_by(3) {
                assert_eq!(self.store.get(&number), Some(&State::Durable), "{number} told early");
            }
            self.told = durable;
        }
    }
}

proptest! {
    /// Whatever is committed in any order, lost, killed or sent again: each message is taken once,
    /// nothing is told that is not durable, and in the end everything is.
    #[test]
    fn every_message_is_kept_once(steps in proptest::collection::vec(step(), 0..200)) {
        let store = BTreeMap::new();
        let mut model = Model { store, stream: announced(0), session: 1, at: 0, told: 0 };
        let mut sent = 0;
        for step in steps {
            model.go(step);
            sent = sent.max(model.at);
        }
        model.go(Step::Reconnect);
        while model.at < sent {
            model.go(Step::Send);
        }
        while model.told < sent {
            model.go(Step::Append(0, true));
            model.go(Step::Commit(0));
        }
        prop_assert_eq!(model.told, sent);
    }
}
