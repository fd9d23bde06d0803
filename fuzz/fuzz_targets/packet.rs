//! A sampled frame as every kind of header.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| weir_wire::check::check_packet(octets));
