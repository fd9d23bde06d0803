//! `struct tcp_info` (linux/tcp.h), all 280 octets of kernel 6.18; older kernels send fewer.
//!
//! The kernel only ever appends to the struct, so a field is there or the answer is shorter: each
//! is an `Option`, and a value that an older kernel does not have is null in a record, never 0.

use crate::netlink::{u16_at, u32_at, u64_at};

macro_rules! tcp_info {
    ($($(#[doc = $doc:literal])+ $name:ident: $ty:ident @ $offset:literal,)*) => {
        /// What the kernel knows of one TCP socket.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub(crate) struct TcpInfo {
            $($(#[doc = $doc])+ pub(crate) $name: Option<$ty>,)*
        }

        impl TcpInfo {
            /// Reads what is there of it.
            pub(crate) fn read(octets: &[u8]) -> TcpInfo {
                TcpInfo { $($name: tcp_info!(@read $ty, octets, $offset),)* }
            }
        }

        /// Name, offset and width of each field, for the test against the kernel's header.
        #[cfg(test)]
        const FIELDS: &[(&str, usize, usize)] =
            &[$((stringify!($name), $offset, size_of::<$ty>()),)*];
    };
    (@read u8, $octets:ident, $offset:literal) => { $octets.get($offset).copied() };
    (@read u16, $octets:ident, $offset:literal) => { u16_at($octets, $offset) };
    (@read u32, $octets:ident, $offset:literal) => { u32_at($octets, $offset) };
    (@read u64, $octets:ident, $offset:literal) => { u64_at($octets, $offset) };
}

tcp_info! {
    /// State (TCP_ESTABLISHED = 1 …).
    state: u8 @ 0,
    /// Congestion avoidance: open, disorder, CWR, recovery, loss.
    ca_state: u8 @ 1,
    /// Unanswered retransmissions of the segment that waits.
    retransmits: u8 @ 2,
    /// Unanswered probes.
    probes: u8 @ 3,
    /// Exponent of the back-off.
    backoff: u8 @ 4,
    /// Options: timestamps 1, SACK 2, window scale 4, ECN 8, ECN seen 16, SYN data 32.
    options: u8 @ 5,
    /// Window scales: ours in the low half, the peer's in the high half.
    window_scales: u8 @ 6,
    /// Delivery rate limited by the application 1, fast-open failure 6.
    flags: u8 @ 7,
    /// Retransmission time-out, microseconds.
    rto: u32 @ 8,
    /// Delayed-ACK time-out, microseconds.
    ato: u32 @ 12,
    /// Maximum segment size, sending.
    snd_mss: u32 @ 16,
    /// Maximum segment size, receiving.
    rcv_mss: u32 @ 20,
    /// Segments sent and not acknowledged.
    unacked: u32 @ 24,
    /// Segments acknowledged selectively.
    sacked: u32 @ 28,
    /// Segments believed lost.
    lost: u32 @ 32,
    /// Segments sent again and not acknowledged.
    retrans: u32 @ 36,
    /// Unused since 4.15.
    fackets: u32 @ 40,
    /// Milliseconds since data was sent.
    last_data_sent: u32 @ 44,
    /// Not kept by the kernel.
    last_ack_sent: u32 @ 48,
    /// Milliseconds since data was received.
    last_data_recv: u32 @ 52,
    /// Milliseconds since an ACK was received.
    last_ack_recv: u32 @ 56,
    /// Path MTU.
    pmtu: u32 @ 60,
    /// Receive window's slow-start threshold.
    rcv_ssthresh: u32 @ 64,
    /// Smoothed round-trip time, microseconds.
    rtt: u32 @ 68,
    /// Variation of the round-trip time, microseconds.
    rttvar: u32 @ 72,
    /// Slow-start threshold.
    snd_ssthresh: u32 @ 76,
    /// Congestion window, segments.
    snd_cwnd: u32 @ 80,
    /// Advertised MSS.
    advmss: u32 @ 84,
    /// Reordering allowed for, segments.
    reordering: u32 @ 88,
    /// Receiver's round-trip time, microseconds.
    rcv_rtt: u32 @ 92,
    /// Receive queue space.
    rcv_space: u32 @ 96,
    /// Segments sent again, since the beginning.
    total_retrans: u32 @ 100,
    /// Pacing rate, octets a second.
    pacing_rate: u64 @ 104,
    /// Highest pacing rate.
    max_pacing_rate: u64 @ 112,
    /// Octets that the peer acknowledged; the SYN of a connection opened here counts as one.
    bytes_acked: u64 @ 120,
    /// Octets received in order; the peer's FIN counts as one.
    bytes_received: u64 @ 128,
    /// Segments sent.
    segs_out: u32 @ 136,
    /// Segments received.
    segs_in: u32 @ 140,
    /// Octets in the send queue that were not sent.
    notsent_bytes: u32 @ 144,
    /// Lowest round-trip time, microseconds.
    min_rtt: u32 @ 148,
    /// Segments received with data.
    data_segs_in: u32 @ 152,
    /// Segments sent with data.
    data_segs_out: u32 @ 156,
    /// Delivery rate, octets a second.
    delivery_rate: u64 @ 160,
    /// Microseconds with data to send.
    busy_time: u64 @ 168,
    /// Microseconds limited by the peer's window.
    rwnd_limited: u64 @ 176,
    /// Microseconds limited by the send buffer.
    sndbuf_limited: u64 @ 184,
    /// Segments delivered.
    delivered: u32 @ 192,
    /// Segments delivered with a congestion mark.
    delivered_ce: u32 @ 196,
    /// Octets of payload sent, repeated ones included (4.19).
    bytes_sent: u64 @ 200,
    /// Octets of payload sent again (4.19).
    bytes_retrans: u64 @ 208,
    /// Duplicate SACKs received.
    dsack_dups: u32 @ 216,
    /// Reordering events.
    reord_seen: u32 @ 220,
    /// Segments received out of order.
    rcv_ooopack: u32 @ 224,
    /// Peer's window.
    snd_wnd: u32 @ 228,
    /// Own window.
    rcv_wnd: u32 @ 232,
    /// Time-outs that led to another path.
    rehash: u32 @ 236,
    /// Retransmission time-outs.
    total_rto: u16 @ 240,
    /// Recoveries from them.
    total_rto_recoveries: u16 @ 242,
    /// Milliseconds in them.
    total_rto_time: u32 @ 244,
    /// Segments received with a congestion mark (6.18, accurate ECN, as are the rest).
    received_ce: u32 @ 248,
    /// Octets delivered with ECT(1).
    delivered_e1_bytes: u32 @ 252,
    /// Octets delivered with ECT(0).
    delivered_e0_bytes: u32 @ 256,
    /// Octets delivered with CE.
    delivered_ce_bytes: u32 @ 260,
    /// Octets received with ECT(1).
    received_e1_bytes: u32 @ 264,
    /// Octets received with ECT(0).
    received_e0_bytes: u32 @ 268,
    /// Octets received with CE.
    received_ce_bytes: u32 @ 272,
    /// How accurate ECN failed.
    accecn_fail_mode: u16 @ 276,
    /// What was seen of its option.
    accecn_opt_seen: u16 @ 278,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_fill_the_280_octets_without_gap_or_overlap() {
        let mut at = 0;
        for &(name, offset, width) in FIELDS {
            assert_eq!(offset, at, "{name}");
            at = offset + width;
        }
        assert_eq!(at, 280);
    }

    #[test]
    fn a_short_answer_leaves_the_newer_fields_unknown() {
        let octets: Vec<u8> = (0..104).collect();
        let info = TcpInfo::read(&octets);
        assert_eq!(info.total_retrans, Some(u32::from_ne_bytes([100, 101, 102, 103])));
        assert_eq!((info.bytes_acked, info.segs_out, info.bytes_sent), (None, None, None));
        assert_eq!(TcpInfo::read(&octets[..103]).total_retrans, None);
        assert_eq!(TcpInfo::read(&[]), TcpInfo::default());
    }
}
