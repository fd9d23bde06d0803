//! A block: rows, directory and column data, none of them trusted.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    weir_store::check_block(octets);
});
