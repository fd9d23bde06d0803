/* SPDX-License-Identifier: Dual MIT/GPL
 *
 * What is kept of sockets: structs as layout.rs reads them, and maps.
 */
#ifndef WEIR_SOCKETS_H
#define WEIR_SOCKETS_H

#include "weir_bpf.h"
#include "wire.h"
#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT 2
#define TCP_SYN_RECV 3
#define TCP_CLOSE 7
#define TCP_LISTEN 10

/* flags of a socket */
#define INITIATED 1 /* it connected, or sent first */
#define ACCEPTED 2  /* it was accepted, or heard first */
#define ENDED 4     /* its end was told */
#define PINNED 8    /* UDP: local and remote are its own */
#define STREAM 16   /* TCP, of which a packet was counted */
#define MOVED 32    /* UDP: connected again, so that each packet's remote is compared */

struct owner {
	u64 start_ns; /* since boot */
	u64 cgroup_id;
	u32 pid, parent_pid, uid, gid;
	u32 netns, is_known;
	char comm[16], parent_comm[16];
};

struct counts {
	u64 tx_octets, tx_packets, rx_octets, rx_packets;
	u64 first_ns, last_ns;
};

struct entry {
	struct counts counts;
	u64 told[4]; /* of the counts, in their order */
	struct owner owner;
	u64 rtt_sum;
	u32 rtt_count, rtt_min, rtt_max, flags;
	u32 retransmits_told, tell_again;
	struct weir_addr local, remote; /* of UDP */
	u16 local_port, remote_port;    /* host order */
	u32 pad;
};

struct tuple {
	struct weir_addr local, remote;
	u16 local_port, remote_port; /* host order */
	u32 pad;
};

struct peer_key {
	u64 cookie;
	struct tuple tuple;
};

struct peer {
	struct counts counts;
	struct owner owner;
	u32 flags, proto;
};

struct told {
	u64 cookie;
	struct tuple tuple;
	u32 netns;
	u16 family;
	u8 proto, state;
	u64 bytes_sent, bytes_acked, bytes_received;
	u32 srtt_us, rttvar_us, rtt_min_us, retransmits;
	u32 lost, unacked, reordering, cwnd;
	u32 snd_mss, rcv_mss, pmtu, rate_delivered;
	u32 rate_interval_us, pad;
	u64 new[4]; /* of the counts, since it was told last */
	u32 new_retransmits, pad2;
	struct entry entry;
};

struct program {
	u64 start_ns;
	u32 parent_pid, uid, gid, pad;
	char comm[16], parent_comm[16], path[160];
};

/* As layout.rs reads them. */
_Static_assert(sizeof(struct told) == 400, "told");
_Static_assert(sizeof(struct peer_key) == 48 && sizeof(struct peer) == 128, "peers");
_Static_assert(sizeof(struct program) == 216, "programs");

/* Sockets. BPF_F_CLONE: what is accepted inherits its listener's owner. */
struct { UINT(type, MAP_SK_STORAGE); UINT(map_flags, F_NO_PREALLOC | F_CLONE); TYPE(key, int); TYPE(value, struct entry); } sockets SEC(".maps");
/*
 * Sockets without one remote: counts by remote. Two maps, of which programs use the one that `active` names and user
 * space empties the other: it switches, waits until no program that saw the former value runs, and reads. So no
 * packet is added to an entry that has been taken.
 */
struct { UINT(type, MAP_HASH); UINT(map_flags, F_NO_PREALLOC); UINT(max_entries, 65536); TYPE(key, struct peer_key); TYPE(value, struct peer); } peers0 SEC(".maps"), peers1 SEC(".maps");
struct { UINT(type, MAP_ARRAY); UINT(max_entries, 1); TYPE(key, u32); TYPE(value, u32); } active SEC(".maps");
/* Packets of handshakes, which come to the listener; taken over by the accepted socket. */
struct { UINT(type, MAP_LRU_HASH); UINT(max_entries, 16384); TYPE(key, struct tuple); TYPE(value, struct counts); } handshakes SEC(".maps");
/* What processes execute, for those that are gone when somebody asks. */
struct { UINT(type, MAP_LRU_HASH); UINT(max_entries, 8192); TYPE(key, u32); TYPE(value, struct program); } programs SEC(".maps");
/* Ends of sockets. */
struct { UINT(type, MAP_RINGBUF); UINT(max_entries, 1 << 22); } ends SEC(".maps");
/* Of the iterator alone, of which one runs at a time. */
struct { UINT(type, MAP_PERCPU_ARRAY); UINT(max_entries, 1); TYPE(key, u32); TYPE(value, struct told); } scratch SEC(".maps");
/* What could not be told, by reason. */
#define LOST_ENDS 0
#define LOST_PEERS 1
#define LOST_HANDSHAKES 2
struct { UINT(type, MAP_ARRAY); UINT(max_entries, 4); TYPE(key, u32); TYPE(value, u64); } lost SEC(".maps");

INLINE void lose(u32 reason)
{
	u64 *count = map_lookup(&lost, &reason);
	if (count)
		ADD(*count, 1);
}

INLINE int is_inet(u32 family)
{
	return family == AF_INET || family == AF_INET6;
}

#endif
