//! What tests of every stage share: a clock that is set by hand, numbers that are the same in every
//! run, datagrams built field by field, captures read from disk, and where the captures are.
//!
//! A dev-dependency only. It knows octets and the record model, none of the stages it helps to
//! test, so that it can judge them; it never decides whether a test passes.
#![forbid(unsafe_code)]

pub mod capture;
pub mod certificates;
pub mod clock;
pub mod corpus;
pub mod damage;
pub mod message;

pub use capture::{Payload, payloads};
pub use clock::FakeClock;
pub use corpus::{corpus, skip_aloud};
pub use damage::Dice;
pub use message::{Ipfix, NetFlow9, Template, announcement};
