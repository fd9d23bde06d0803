//! The octets of a segment file, read by every way there is.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    weir_store::check_segment(octets);
});
