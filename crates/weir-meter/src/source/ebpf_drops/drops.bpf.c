/* SPDX-License-Identifier: Dual MIT/GPL
 *
 * Counts the packets that the kernel drops, by flow and reason: summed here, for an event a packet would cost
 * more than the drop. Reasons are numbered anew by each kernel; user space has their names from BTF.
 */
#include "weir_bpf.h"

struct drop_key {
	struct weir_addr src, dst;
	u16 sport, dport; /* host order */
	u32 reason;
	u8 proto, pad[3];
	u32 pad2;
};

struct drop {
	u64 packets, octets, last_ns;
};

_Static_assert(sizeof(struct drop_key) == 48 && sizeof(struct drop) == 24, "as layout.rs reads them");

/* In turn, as `peers` of sockets.bpf.c are. */
struct { UINT(type, MAP_HASH); UINT(map_flags, F_NO_PREALLOC); UINT(max_entries, 8192); TYPE(key, struct drop_key); TYPE(value, struct drop); } drops0 SEC(".maps"), drops1 SEC(".maps");
struct { UINT(type, MAP_ARRAY); UINT(max_entries, 1); TYPE(key, u32); TYPE(value, u32); } active SEC(".maps");
struct { UINT(type, MAP_PERCPU_ARRAY); UINT(max_entries, 1); TYPE(key, u32); TYPE(value, u64); } lost SEC(".maps");
/* The first reason that tells something. In front of it are "not dropped", "consumed" and "not specified", as far as
 * the kernel has them. */
struct { UINT(type, MAP_ARRAY); UINT(max_entries, 1); TYPE(key, u32); TYPE(value, u32); } first_reason SEC(".maps");

/* The offset of the transport header, or 0. */
INLINE u32 network(const unsigned char *at, struct drop_key *key, u64 *octets)
{
	u32 words[10];
	u8 *octet = (u8 *)words;

	if (probe_read_kernel(words, 20, at))
		return 0;
	if (octet[0] >> 4 == 4) {
		mapped(&key->src, words[3]);
		mapped(&key->dst, words[4]);
		key->proto = octet[9];
		*octets = BE16(*(u16 *)(octet + 2));
		return BE32(words[1]) & 0x1fff ? 0 : (octet[0] & 15) * 4;
	}
	if (octet[0] >> 4 != 6 || probe_read_kernel(words + 5, 20, at + 20))
		return 0;
	__builtin_memcpy(&key->src, words + 2, 16);
	__builtin_memcpy(&key->dst, words + 6, 16);
	key->proto = octet[6];
	*octets = BE16(*(u16 *)(octet + 4)) + 40;
	return 40;
}

/* void (struct sk_buff *skb, void *location, enum skb_drop_reason reason, …) */
SEC("tp_btf/kfree_skb") int weir_drop(u64 *ctx)
{
	struct sk_buff *skb = (void *)ctx[0];
	struct drop_key key = {};
	struct drop *drop, fresh = {};
	struct skb_shared_info *shared;
	u32 zero = 0, *first, *active_map, which, offset;
	u64 octets = 0, packets = 1, *count;
	u16 protocol = skb->protocol, segs = 0, ports[2];
	u8 data_offset = 0;
	unsigned char *head;

	key.reason = (u32)ctx[2];
	first = map_lookup(&first_reason, &zero);
	if (!first || key.reason < *first || (protocol != BE16(ETH_P_IP) && protocol != BE16(ETH_P_IPV6)))
		return 0;
	head = skb->head;
	offset = network(head + skb->network_header, &key, &octets);
	if (!octets)
		return 0;
	if (offset && (key.proto == IPPROTO_TCP || key.proto == IPPROTO_UDP)) {
		if (!probe_read_kernel(ports, 4, head + skb->network_header + offset)) {
			key.sport = BE16(ports[0]);
			key.dport = BE16(ports[1]);
		}
	}
	/* A buffer under GSO is up to some 45 packets. */
	shared = (void *)(head + skb->end);
	probe_read_kernel(&segs, 2, &shared->gso_segs);
	if (segs > 1) {
		packets = segs;
		if (key.proto == IPPROTO_TCP)
			probe_read_kernel(&data_offset, 1, head + skb->network_header + offset + 12);
		octets += (packets - 1) * (offset + (key.proto == IPPROTO_TCP ? (data_offset >> 4) * 4 : 8));
	}
	active_map = map_lookup(&active, &zero);
	if (!active_map)
		return 0;
	which = *active_map;
	KEEP(which);
	drop = which ? map_lookup(&drops1, &key) : map_lookup(&drops0, &key);
	if (!drop) {
		if (which) {
			map_update(&drops1, &key, &fresh, NOEXIST);
			drop = map_lookup(&drops1, &key);
		} else {
			map_update(&drops0, &key, &fresh, NOEXIST);
			drop = map_lookup(&drops0, &key);
		}
	}
	if (drop) {
		ADD(drop->packets, packets);
		ADD(drop->octets, octets);
		drop->last_ns = ktime_ns(); /* tracing programs may not use the coarse one */
		return 0;
	}
	count = map_lookup(&lost, &zero);
	if (count)
		*count += packets;
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
