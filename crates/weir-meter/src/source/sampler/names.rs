//! Names for the flow cache: every packet that tells one, in DNS, TLS and HTTP.
//!
//! A second socket beside the sampler's, for names must not be drawn 1 in 400: a handshake is
//! three packets of thousands. A question of DNS waits for its answer in a bounded table.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use weir_wire::packet::app::dns::Dns;
use weir_wire::packet::app::{Application, Text};

use super::filter;
use super::packet::Packet;
use super::{SamplingPolicy, Tap};
use crate::cache::{Moment, Names};
use crate::endpoint::{Endpoint, FlowKey};
use crate::source::{Intake, Source, SourceError, Tier};

/// Name of the source.
pub(crate) const NAME: &str = "packet_names";
/// Octets of the receive buffer: a quarter of a second of some 30,000 names a second.
const BUFFER: usize = 8 << 20;
/// Calls of 64 frames a look: 25,600 frames a second, which are some 3 % of a core. What is more is
/// lost in the kernel, and counted.
const CALLS: usize = 100;
/// Time between looks. Why: not whenever one comes, for each wake-up of the metering process looks
/// at every flow; a flow is reported seconds after it began.
const INTERVAL: Duration = Duration::from_millis(250);
/// Questions that wait for an answer; past it the oldest are given up.
const QUESTIONS_MAX: usize = 4_096;
/// How long one waits. Resolvers ask again after five seconds.
const QUESTION_AGE: Duration = Duration::from_secs(10);

/// The source.
pub struct NamesTap {
    tap: Tap,
    questions: Questions,
    told: u64,
}

impl NamesTap {
    /// Opens the socket, if the policy wants names.
    pub fn probe(policy: &SamplingPolicy) -> (Tier, Option<NamesTap>) {
        const COSTS: &str = "names in DNS, TLS and HTTP are not seen";
        if !policy.names {
            let off = Tier::missing(NAME, "meter.names is off".to_owned(), COSTS);
            return (Tier { is_expected: false, ..off }, None);
        }
        match Tap::open(&filter::names(policy.loopback), BUFFER) {
            Ok(tap) => {
                (Tier::runs(NAME), Some(NamesTap { tap, questions: Questions::default(), told: 0 }))
            }
            Err(why) => (Tier { is_expected: false, ..Tier::missing(NAME, why, COSTS) }, None),
        }
    }
}

impl Source for NamesTap {
    fn name(&self) -> &'static str {
        NAME
    }

    fn poll(&mut self, now: Moment, intake: &mut Intake<'_>) -> Result<Duration, SourceError> {
        let Self { tap, questions, told } = self;
        tap.each(CALLS, |frame| {
            if let Some((key, names)) = names_of(&Packet::new(frame), frame.at, questions) {
                intake.cache.annotate(key, &names, now);
                *told += 1;
            }
        })?;
        tap.account()?;
        Ok(INTERVAL)
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        let (received, dropped) = self.tap.totals();
        vec![
            ("name_packets", received),
            ("name_packets_lost", dropped),
            ("name_packets_unreadable", self.tap.unreadable),
            ("names_told", self.told),
            ("dns_unanswered", self.questions.given_up),
        ]
    }
}

/// The flow that a packet belongs to and the names that it tells.
fn names_of(
    packet: &Packet,
    at: Option<Duration>,
    questions: &mut Questions,
) -> Option<(FlowKey, Names)> {
    let application = packet.seen.application(packet.octets())?;
    let ip = packet.seen.ip?;
    let (src, dst) = packet.seen.transport.ports?;
    let src = Endpoint { addr: ip.src?, port: src };
    let dst = Endpoint { addr: ip.dst?, port: dst };
    let (key, _) = FlowKey::new(0, ip.proto?, src, dst);
    let app = Some(packet.seen.application_name(&application).into());
    let mut names = Names { app, ..Names::default() };
    match application {
        Application::Dns(dns) => {
            names.dns_query = dns.name.as_ref().map(Text::as_bytes).and_then(word);
            (names.dns_qtype, names.dns_rcode) = (dns.qtype, dns.rcode);
            names.dns_latency_us = at.and_then(|at| questions.latency(key, &dns, at));
        }
        Application::Tls(hello) => {
            names.tls_sni = hello.server_name.and_then(word);
            names.tls_alpn = hello.alpn.as_ref().map(Text::as_bytes).and_then(word);
        }
        Application::Http(http) => {
            names.http_host = http.host.and_then(word);
            names.http_method = http.method.and_then(word);
            names.http_url = http.path.and_then(word);
            names.http_status = http.status;
        }
    }
    Some((key, names))
}

/// Proof: the readers give printable ASCII alone, so nothing is lost here.
fn word(octets: &[u8]) -> Option<Arc<str>> {
    std::str::from_utf8(octets).ok().map(Arc::from)
}

/// Questions that have no answer yet, by flow and number.
#[derive(Debug, Default)]
struct Questions {
    asked: HashMap<(FlowKey, u16), Duration>,
    order: VecDeque<(FlowKey, u16)>,
    given_up: u64,
}

impl Questions {
    /// The time from a question to this, its answer. A question that is asked again, or seen on
    /// another interface, counts from its first.
    fn latency(&mut self, key: FlowKey, dns: &Dns, at: Duration) -> Option<u32> {
        let place = (key, dns.id);
        if dns.is_response {
            let took = at.checked_sub(self.asked.remove(&place)?)?;
            return u32::try_from(took.as_micros()).ok();
        }
        match self.asked.get(&place) {
            Some(since) if at.saturating_sub(*since) < QUESTION_AGE => return None,
            Some(_) => {}
            None => self.order.push_back(place),
        }
        self.asked.insert(place, at);
        let is_old = |asked: &HashMap<_, Duration>, place: &(FlowKey, u16)| {
            asked.get(place).is_none_or(|since| at.saturating_sub(*since) >= QUESTION_AGE)
        };
        while self.order.len() > QUESTIONS_MAX
            || self.order.front().is_some_and(|place| is_old(&self.asked, place))
        {
            let Some(oldest) = self.order.pop_front() else { break };
            self.given_up += u64::from(self.asked.remove(&oldest).is_some());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::filter::{ETHERNET, tests};
    use super::*;
    use crate::sys::packet::Frame;

    fn told(
        proto: u8,
        ports: (u16, u16),
        payload: &[u8],
        at_us: u64,
        questions: &mut Questions,
    ) -> Option<Names> {
        let octets = tests::frame(false, proto, ports, payload);
        let packet = Packet::new(&Frame {
            octets: &octets,
            length: octets.len() as u32,
            gso_size: 0,
            tag: None,
            interface: 1,
            hardware: ETHERNET,
            kind: 0,
            at: None,
        });
        names_of(&packet, (at_us > 0).then(|| Duration::from_micros(at_us)), questions)
            .map(|(_, names)| names)
    }

    fn answer() -> Vec<u8> {
        let mut answer = tests::QUESTION.to_vec();
        answer[2..4].copy_from_slice(&[0x81, 0x83]);
        answer
    }

    /// Both directions of one flow: the frames of the tests have one pair of addresses, so their
    /// answers come from the port that the question went out by.
    const PORTS: (u16, u16) = (40_000, 53);

    #[test]
    fn an_answer_has_the_time_since_its_question() {
        let mut questions = Questions::default();
        let asked = told(17, PORTS, tests::QUESTION, 1_000, &mut questions).unwrap();
        assert_eq!(asked.dns_query.as_deref(), Some("example.org"));
        assert_eq!((asked.dns_qtype, asked.dns_rcode, asked.dns_latency_us), (Some(1), None, None));
        // Seen again on another interface, and then answered twice.
        told(17, PORTS, tests::QUESTION, 1_200, &mut questions);
        let first = told(17, PORTS, &answer(), 3_500, &mut questions).unwrap();
        assert_eq!((first.dns_rcode, first.dns_latency_us), (Some(3), Some(2_500)));
        let second = told(17, PORTS, &answer(), 3_600, &mut questions).unwrap();
        assert_eq!((second.dns_rcode, second.dns_latency_us), (Some(3), None));
    }

    #[test]
    fn a_packet_that_the_kernel_has_not_stamped_tells_no_time() {
        let mut questions = Questions::default();
        for (asked, answered) in [(0, 3_500), (1_000, 0)] {
            told(17, PORTS, tests::QUESTION, asked, &mut questions);
            let names = told(17, PORTS, &answer(), answered, &mut questions).unwrap();
            assert_eq!((names.dns_rcode, names.dns_latency_us), (Some(3), None));
        }
    }

    #[test]
    fn questions_without_answers_are_bounded_and_counted() {
        let mut questions = Questions::default();
        let flood = QUESTIONS_MAX as u64 + 10;
        for id in 0..flood {
            let mut question = tests::QUESTION.to_vec();
            question[..2].copy_from_slice(&(id as u16).to_be_bytes());
            told(17, PORTS, &question, 1, &mut questions);
        }
        assert_eq!((questions.asked.len(), questions.given_up), (QUESTIONS_MAX, 10));
        // Old ones leave when the next is asked.
        let late = QUESTION_AGE.as_micros() as u64 + 2;
        told(17, (40_001, 53), tests::QUESTION, late, &mut questions);
        assert_eq!((questions.asked.len(), questions.order.len()), (1, 1));
        assert_eq!(questions.given_up, flood);
        // An answer that comes too late has no question.
        assert_eq!(told(17, PORTS, &answer(), late, &mut questions).unwrap().dns_latency_us, None);
    }

    #[test]
    fn heads_of_http_tell_host_and_path() {
        let request = b"GET /a?secret HTTP/1.1\r\nHost: example.org\r\n\r\n";
        let names = told(6, (40_000, 8_080), request, 0, &mut Questions::default()).unwrap();
        let expected = Names {
            app: Some("http".into()),
            http_host: Some("example.org".into()),
            http_method: Some("GET".into()),
            http_url: Some("/a".into()),
            ..Names::default()
        };
        assert_eq!(names, expected);
        assert_eq!(told(6, (40_000, 8_080), b"nothing", 0, &mut Questions::default()), None);
    }
}
