//! One sFlow v5 datagram; the version is given.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| weir_wire::check::check_sflow(octets));
