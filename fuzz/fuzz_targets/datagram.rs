//! One datagram of any protocol.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| weir_wire::check::check_datagram(octets));
