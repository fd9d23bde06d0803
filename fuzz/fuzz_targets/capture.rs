//! A capture file: pcap, pcapng or IPFIX.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| weir_ingest::capture::check_capture(octets));
