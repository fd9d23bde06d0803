//! Octets to records and back: NetFlow, IPFIX, sFlow, packet headers
