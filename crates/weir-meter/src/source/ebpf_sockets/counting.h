/* SPDX-License-Identifier: Dual MIT/GPL
 *
 * How packets are counted: by socket, by remote, and for who will be accepted.
 */
#ifndef WEIR_COUNTING_H
#define WEIR_COUNTING_H

#include "sockets.h"
INLINE void add(struct counts *counts, u64 now, u64 packets, u64 octets, int is_egress)
{
	if (is_egress) {
		ADD(counts->tx_octets, octets);
		ADD(counts->tx_packets, packets);
	} else {
		ADD(counts->rx_octets, octets);
		ADD(counts->rx_packets, packets);
	}
	if (!counts->first_ns)
		counts->first_ns = now;
	counts->last_ns = now;
}

/* The endpoints of a packet as its socket sees them. False where it is no packet of ports. */
INLINE int endpoints(struct __sk_buff *skb, struct tuple *tuple, int is_egress)
{
	u32 words[10];
	u16 ports[2];
	u32 offset;

	tuple->pad = 0;
	if (skb->protocol == BE16(ETH_P_IP)) {
		if (skb_load_bytes(skb, 0, words, 20))
			return 0;
		offset = (*(u8 *)words & 15) * 4;
		mapped(is_egress ? &tuple->local : &tuple->remote, words[3]);
		mapped(is_egress ? &tuple->remote : &tuple->local, words[4]);
	} else {
		if (skb_load_bytes(skb, 0, words, 40))
			return 0;
		__builtin_memcpy(is_egress ? &tuple->local : &tuple->remote, words + 2, 16);
		__builtin_memcpy(is_egress ? &tuple->remote : &tuple->local, words + 6, 16);
		offset = v6_transport(skb, 0, (u8)(BE32(words[1]) >> 8), 0, 0);
	}
	if (skb_load_bytes(skb, offset, ports, 4))
		return 0;
	tuple->local_port = BE16(is_egress ? ports[0] : ports[1]);
	tuple->remote_port = BE16(is_egress ? ports[1] : ports[0]);
	return 1;
}

INLINE void of_listener(struct __sk_buff *skb, u64 now, u64 packets, u64 octets, int is_egress)
{
	struct counts fresh = {}, *counts;
	struct tuple tuple;

	if (!endpoints(skb, &tuple, is_egress))
		return;
	counts = map_lookup(&handshakes, &tuple);
	if (!counts) {
		if (map_update(&handshakes, &tuple, &fresh, NOEXIST)) {
			lose(LOST_HANDSHAKES);
			return;
		}
		counts = map_lookup(&handshakes, &tuple);
	}
	if (counts)
		add(counts, now, packets, octets, is_egress);
}

INLINE void of_peer(struct __sk_buff *skb, struct bpf_sock *sk, struct entry *entry, u64 now, u64 packets,
		    u64 octets, int is_egress)
{
	struct peer_key key = {};
	struct peer *peer, fresh;
	u32 zero = 0, *active_map, which;

	if (!endpoints(skb, &key.tuple, is_egress))
		return;
	key.cookie = socket_cookie(skb);
	active_map = map_lookup(&active, &zero);
	if (!active_map)
		return;
	which = *active_map;
	KEEP(which);
	peer = which ? map_lookup(&peers1, &key) : map_lookup(&peers0, &key);
	if (!peer) {
		__builtin_memset(&fresh, 0, sizeof(fresh));
		fresh.owner = entry->owner;
		fresh.flags = is_egress ? INITIATED : ACCEPTED;
		fresh.proto = sk->protocol;
		if (which) {
			map_update(&peers1, &key, &fresh, NOEXIST);
			peer = map_lookup(&peers1, &key);
		} else {
			map_update(&peers0, &key, &fresh, NOEXIST);
			peer = map_lookup(&peers0, &key);
		}
	}
	if (peer)
		add(&peer->counts, now, packets, octets, is_egress);
	else
		lose(LOST_PEERS);
}

INLINE int same(const u32 *a, const u32 *b)
{
	return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3];
}

/* True when the datagram belongs to the one remote that the socket is connected to and is counted by. */
INLINE int is_pinned(struct __sk_buff *skb, struct bpf_sock *sk, struct entry *entry, int is_egress)
{
	struct weir_addr remote;
	struct tuple tuple;
	u16 port = BE16(sk->dst_port);
	u32 v4;

	if (!port)
		return 0;
	v4 = sk->dst_ip4;
	remote.word[0] = sk->dst_ip6[0];
	remote.word[1] = sk->dst_ip6[1];
	remote.word[2] = sk->dst_ip6[2];
	remote.word[3] = sk->dst_ip6[3];
	KEEP(v4);
	if (sk->family == AF_INET)
		mapped(&remote, v4);
	if (!(entry->flags & PINNED)) {
		if (!endpoints(skb, &tuple, is_egress) || tuple.remote_port != port)
			return 0;
		entry->local = tuple.local;
		entry->local_port = tuple.local_port;
		entry->remote = tuple.remote;
		entry->remote_port = port;
		entry->flags |= PINNED;
	}
	/* It may have been connected to another remote since. */
	return entry->remote_port == port && same(entry->remote.word, remote.word);
}

INLINE int count(struct __sk_buff *skb, int is_egress)
{
	struct bpf_sock *sk = skb->sk;
	struct entry *entry;
	u64 packets, octets, now;
	u32 protocol, flags;

	if (!sk)
		return 1;
	/* Nearly every packet: of a connection that has had one, or of a socket of UDP that still has its first remote. */
	entry = sk_storage_get(&sockets, sk, 0, 0);
	flags = entry ? entry->flags : 0;
	if ((flags & STREAM && sk->state != TCP_LISTEN) || ((flags & (PINNED | MOVED)) == PINNED && sk->dst_port)) {
		octets = skb->len;
		packets = segments(skb, 0, flags & STREAM ? IPPROTO_TCP : IPPROTO_UDP, &octets);
		add(&entry->counts, ktime_coarse_ns(), packets, octets, is_egress);
		return 1;
	}
	sk = sk_fullsock(sk);
	if (!sk || !is_inet(sk->family))
		return 1;
	protocol = sk->protocol;
	/* A raw socket of TCP (a scanner's, the kernel's own for refusals) is no connection, and no struct tcp_sock. */
	if (protocol == IPPROTO_TCP ? sk->type != SOCK_STREAM
	    : (protocol != IPPROTO_UDP && protocol != IPPROTO_UDPLITE) || sk->type != SOCK_DGRAM)
		return 1;
	now = ktime_coarse_ns();
	octets = skb->len;
	packets = segments(skb, 0, protocol, &octets);
	if (protocol == IPPROTO_TCP && sk->state == TCP_LISTEN) {
		of_listener(skb, now, packets, octets, is_egress);
		return 1;
	}
	if (!entry)
		entry = sk_storage_get(&sockets, sk, 0, STORAGE_CREATE);
	if (!entry)
		return 1;
	if (protocol != IPPROTO_TCP && !is_pinned(skb, sk, entry, is_egress)) {
		of_peer(skb, sk, entry, now, packets, octets, is_egress);
		return 1;
	}
	if (protocol == IPPROTO_TCP)
		entry->flags |= STREAM;
	else if (!entry->counts.first_ns && !(entry->flags & (INITIATED | ACCEPTED)))
		entry->flags |= is_egress ? INITIATED : ACCEPTED;
	add(&entry->counts, now, packets, octets, is_egress);
	return 1;
}

SEC("cgroup_skb/ingress") int weir_ingress(struct __sk_buff *skb) { return count(skb, 0); }
SEC("cgroup_skb/egress") int weir_egress(struct __sk_buff *skb) { return count(skb, 1); }

/* What a program costs that does nothing: the floor of the measure. */
SEC("cgroup_skb/egress") int weir_nothing(struct __sk_buff *skb) { return 1; }

#endif
