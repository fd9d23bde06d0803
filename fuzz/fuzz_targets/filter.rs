//! Filter texts: parsing, colouring, completion, and the canonical form being a fixed point.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| weir_query::check_filter(text));
