//! IPFIX (RFC 7011).

pub mod encode;
