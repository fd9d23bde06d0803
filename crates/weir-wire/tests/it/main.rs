//! Tests of `weir-wire` from outside: captures of real exporters, records there and back again,
//! quirks of devices, damage. `tests/README.md` says what they compare with and where we differ.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bounds;
mod captures;
mod counts;
mod damage;
mod gathering;
mod logstash;
mod netgauze;
mod record;
mod round_trip;
mod telegraf;

mod traps;
mod truth;
