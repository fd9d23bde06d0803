//! Several messages of one session: templates meet data.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| weir_wire::check::check_session(octets));
