/* SPDX-License-Identifier: Dual MIT/GPL
 *
 * Counts the flows of one interface, in and out, also those of no local socket: forwarded, bridged, dropped
 * behind. What an overlay carries is counted by its inner addresses, with the outer ones beside it, and the outer
 * packet itself is not. Every program says "next": what happens to the packet is decided by others.
 */
#include "weir_bpf.h"
#include "wire.h"

#define NEXT (-1) /* TCX_NEXT, and TC_ACT_UNSPEC of clsact */

#define VXLAN 1 /* values of the column tunnel_kind */
#define GENEVE 3
#define PORT_VXLAN 4789
#define PORT_VXLAN_LINUX 8472
#define PORT_GENEVE 6081

struct flow_key {
	struct weir_addr src, dst;
	u16 sport, dport; /* host order */
	u32 ifindex;
	u8 proto, is_egress;
	u16 pad;
	u32 pad2;
};

struct flow {
	u64 octets, packets, first_ns, last_ns;
	u32 tcp_flags, tunnel_kind, tunnel_id, pad;
	struct weir_addr tunnel_src, tunnel_dst;
};

_Static_assert(sizeof(struct flow_key) == 48 && sizeof(struct flow) == 80, "as layout.rs reads them");

/* In turn, as `peers` of sockets.bpf.c are. */
struct { UINT(type, MAP_HASH); UINT(map_flags, F_NO_PREALLOC); UINT(max_entries, 65536); TYPE(key, struct flow_key); TYPE(value, struct flow); } flows0 SEC(".maps"), flows1 SEC(".maps");
struct { UINT(type, MAP_ARRAY); UINT(max_entries, 1); TYPE(key, u32); TYPE(value, u32); } active SEC(".maps");
#define LOST_FULL 0
#define NOT_IP 1
struct { UINT(type, MAP_PERCPU_ARRAY); UINT(max_entries, 2); TYPE(key, u32); TYPE(value, u64); } lost SEC(".maps");

INLINE void lose(u32 reason)
{
	u64 *count = map_lookup(&lost, &reason);
	if (count)
		*count += 1;
}

/* Reads the IP header at `base`. Where the transport's is, or 0 where there is no IP packet. */
INLINE u32 network(struct __sk_buff *skb, u32 base, struct flow_key *key, u64 *octets, int *has_ports)
{
	u32 words[10];
	u8 proto, *octet = (u8 *)words;
	int is_rest = 0;

	if (skb_load_bytes(skb, base, words, 20))
		return 0;
	if (octet[0] >> 4 == 4) {
		mapped(&key->src, words[3]);
		mapped(&key->dst, words[4]);
		key->proto = octet[9];
		*octets = skb->len - base;
		/* Only the first fragment has ports. */
		*has_ports = !(BE32(words[1]) & 0x1fff);
		return base + (octet[0] & 15) * 4;
	}
	if (octet[0] >> 4 != 6 || skb_load_bytes(skb, base + 20, words + 5, 20))
		return 0;
	__builtin_memcpy(&key->src, words + 2, 16);
	__builtin_memcpy(&key->dst, words + 6, 16);
	*octets = skb->len - base;
	base = v6_transport(skb, base, octet[6], &proto, &is_rest);
	*has_ports = !is_rest;
	key->proto = proto;
	return base;
}

/* Ports and flags. A ping and its answer are two directions of one flow, at the port of the answering end. */
INLINE void transport(struct __sk_buff *skb, u32 offset, struct flow_key *key, u32 *flags)
{
	u16 words[8];

	switch (key->proto) {
	case IPPROTO_TCP:
		if (skb_load_bytes(skb, offset, words, 16))
			return;
		*flags = ((u8 *)words)[13];
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6: {
		u8 *octet = (u8 *)words;
		u32 echo = key->proto == IPPROTO_ICMP ? 8 : 128, reply = key->proto == IPPROTO_ICMP ? 0 : 129;

		if (skb_load_bytes(skb, offset, words, 4))
			return;
		if (octet[0] == reply)
			key->sport = echo << 8;
		else
			key->dport = octet[0] << 8 | octet[1];
		return;
	}
	default:
		if (skb_load_bytes(skb, offset, words, 4))
			return;
		if (key->proto != IPPROTO_UDP && key->proto != IPPROTO_UDPLITE && key->proto != 132 && key->proto != 33)
			return;
	}
	key->sport = BE16(words[0]);
	key->dport = BE16(words[1]);
}

/* Where the inner IP header begins in the UDP datagram at `offset`, if it carries an overlay; else 0. */
INLINE u32 overlay(struct __sk_buff *skb, u32 offset, u16 port, struct flow *fresh)
{
	u8 head[8];
	u16 type;

	if (skb_load_bytes(skb, offset + 8, head, 8))
		return 0;
	if (port == PORT_GENEVE) {
		/* Version 0, Ethernet inside. */
		if (head[0] >> 6 || head[2] != 0x65 || head[3] != 0x58)
			return 0;
		offset += 16 + (head[0] & 63) * 4;
		fresh->tunnel_kind = GENEVE;
	} else {
		/* The flag that says that the number is there. */
		if (!(head[0] & 8))
			return 0;
		offset += 16;
		fresh->tunnel_kind = VXLAN;
	}
	fresh->tunnel_id = (u32)head[4] << 16 | (u32)head[5] << 8 | head[6];
	if (skb_load_bytes(skb, offset + 12, &type, 2) || (type != BE16(ETH_P_IP) && type != BE16(ETH_P_IPV6))) {
		fresh->tunnel_kind = 0;
		return 0;
	}
	return offset + 14;
}

INLINE u32 link_header(struct __sk_buff *skb)
{
	u16 type;

	/* A tag in the packet, that the card has left there. */
	if (skb_load_bytes(skb, 12, &type, 2))
		return 0;
	if (type == BE16(0x8100) || type == BE16(0x88a8))
		return 18;
	if (type == (u16)skb->protocol)
		return 14;
	/* Tunnels and such have no header of the link. */
	return 0;
}

INLINE int count(struct __sk_buff *skb, int is_egress)
{
	struct flow_key key = {}, inner = {};
	struct flow fresh = {}, *flow;
	u32 zero = 0, *active_map, which, base, offset, begin, flags = 0;
	u64 octets = 0, packets, now;
	int has_ports = 0;

	base = link_header(skb);
	offset = network(skb, base, &key, &octets, &has_ports);
	if (!offset) {
		lose(NOT_IP);
		return NEXT;
	}
	if (has_ports)
		transport(skb, offset, &key, &flags);
	if (key.proto == IPPROTO_UDP &&
	    (key.dport == PORT_VXLAN || key.dport == PORT_GENEVE || key.dport == PORT_VXLAN_LINUX)) {
		begin = overlay(skb, offset, key.dport, &fresh);
		if (begin) {
			offset = network(skb, begin, &inner, &octets, &has_ports);
			if (offset) {
				if (has_ports)
					transport(skb, offset, &inner, &flags);
				fresh.tunnel_src = key.src;
				fresh.tunnel_dst = key.dst;
				key = inner;
				base = begin;
			} else {
				fresh.tunnel_kind = 0;
				octets = skb->len - base;
			}
		}
	}
	packets = segments(skb, base, key.proto, &octets);
	key.ifindex = skb->ifindex;
	key.is_egress = is_egress;
	now = ktime_coarse_ns();

	active_map = map_lookup(&active, &zero);
	if (!active_map)
		return NEXT;
	which = *active_map;
	KEEP(which);
	flow = which ? map_lookup(&flows1, &key) : map_lookup(&flows0, &key);
	if (!flow) {
		fresh.first_ns = now;
		if (which) {
			map_update(&flows1, &key, &fresh, NOEXIST);
			flow = map_lookup(&flows1, &key);
		} else {
			map_update(&flows0, &key, &fresh, NOEXIST);
			flow = map_lookup(&flows0, &key);
		}
		if (!flow) {
			lose(LOST_FULL);
			return NEXT;
		}
	}
	ADD(flow->octets, octets);
	ADD(flow->packets, packets);
	flow->last_ns = now;
	if ((flow->tcp_flags & flags) != flags)
		flow->tcp_flags |= flags;
	return NEXT;
}

SEC("classifier") int weir_in(struct __sk_buff *skb) { return count(skb, 0); }
SEC("classifier") int weir_out(struct __sk_buff *skb) { return count(skb, 1); }
/* What a program costs that does nothing: the floor of the measure. */
SEC("classifier") int weir_idle(struct __sk_buff *skb) { return NEXT; }

char LICENSE[] SEC("license") = "Dual MIT/GPL";
