//! Packet builders, capture readers, a fake clock and contract suites for tests
