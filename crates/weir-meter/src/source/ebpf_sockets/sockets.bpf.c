/* SPDX-License-Identifier: Dual MIT/GPL
 *
 * Counts the packets of every socket, remembers whose it is, and tells both: while it lives when the
 * iterator asks, at its end by the ring buffer. Layouts that user space reads are in layout.rs.
 *
 * Packets are those of the wire: a buffer under GSO or GRO is up to some 45 of them, each with headers
 * of its own. Octets are those of IP, headers included.
 */
#include "sockets.h"
#include "owners.h"
#include "counting.h"

/* The endpoints of a connection. Its own port by `inet_sport`: a socket that is closing has given back `skc_num`. */
INLINE void endpoints_of(struct sock *sk, struct tcp_sock *tcp, struct tuple *tuple)
{
	struct sock_common *common = &sk->__sk_common;

	tuple->pad = 0;
	if (common->skc_family == AF_INET) {
		mapped(&tuple->local, common->skc_rcv_saddr);
		mapped(&tuple->remote, common->skc_daddr);
	} else {
		for (int i = 0; i < 4; i++) {
			tuple->local.word[i] = common->skc_v6_rcv_saddr.in6_u.u6_addr32[i];
			tuple->remote.word[i] = common->skc_v6_daddr.in6_u.u6_addr32[i];
		}
	}
	tuple->local_port = BE16(tcp->inet_conn.icsk_inet.inet_sport);
	tuple->remote_port = BE16(common->skc_dport);
}

INLINE void health(struct told *told, struct tcp_sock *tcp)
{
	told->bytes_sent = FIELD_EXISTS(tcp->bytes_sent) ? tcp->bytes_sent : 0;
	told->bytes_acked = tcp->bytes_acked;
	told->bytes_received = tcp->bytes_received;
	told->srtt_us = tcp->srtt_us >> 3;
	told->rttvar_us = tcp->mdev_us >> 2;
	told->rtt_min_us = tcp->rtt_min.s[0].v;
	told->retransmits = tcp->total_retrans;
	told->lost = tcp->lost_out;
	told->unacked = tcp->packets_out;
	told->reordering = tcp->reordering;
	told->cwnd = tcp->snd_cwnd;
	told->snd_mss = tcp->mss_cache;
	told->rcv_mss = tcp->inet_conn.icsk_ack.rcv_mss;
	told->pmtu = tcp->inet_conn.icsk_pmtu_cookie;
	told->rate_delivered = tcp->rate_delivered;
	told->rate_interval_us = tcp->rate_interval_us;
}

INLINE u64 since(u64 *told, u64 now)
{
	return now - __sync_lock_test_and_set(told, now);
}

/*
 * Puts what is new of the entry into the record. Each figure is exchanged for what was told before, so that
 * whoever tells at the same moment on another processor tells the rest: the sum of all that is told is the count.
 */
INLINE void claim(struct told *told, struct entry *entry)
{
	told->entry = *entry;
	told->new[0] = since(&entry->told[0], told->entry.counts.tx_octets);
	told->new[1] = since(&entry->told[1], told->entry.counts.tx_packets);
	told->new[2] = since(&entry->told[2], told->entry.counts.rx_octets);
	told->new[3] = since(&entry->told[3], told->entry.counts.rx_packets);
	if (told->retransmits > entry->retransmits_told)
		told->new_retransmits = told->retransmits - entry->retransmits_told;
	entry->retransmits_told = told->retransmits;
	entry->tell_again = 0;
	/* Round-trip times are of the interval. */
	entry->rtt_min = 0;
	entry->rtt_max = 0;
	entry->rtt_sum = 0;
	entry->rtt_count = 0;
}

INLINE void unclaim(struct told *told, struct entry *entry)
{
	for (int i = 0; i < 4; i++)
		ADD(entry->told[i], -told->new[i]);
	entry->retransmits_told -= told->new_retransmits;
	entry->tell_again = 1;
}

/* A socket may be connected again after its end, or listen: what it has been is told. */
INLINE void renew(struct entry *entry)
{
	if (!(entry->flags & ENDED))
		return;
	__builtin_memset(&entry->counts, 0, sizeof(entry->counts));
	__builtin_memset(entry->told, 0, sizeof(entry->told));
	entry->rtt_sum = 0;
	entry->rtt_count = 0;
	entry->rtt_min = 0;
	entry->rtt_max = 0;
	entry->retransmits_told = 0;
	entry->flags = 0;
}

INLINE void tell(struct told *told, struct sock *sk, struct entry *entry)
{
	struct tcp_sock *tcp;

	__builtin_memset(told, 0, sizeof(*told));
	told->cookie = socket_cookie(sk);
	told->family = sk->__sk_common.skc_family;
	told->state = sk->__sk_common.skc_state;
	told->netns = sk->__sk_common.skc_net.net->ns.inum;
	tcp = skc_to_tcp_sock(sk);
	if (tcp) {
		told->proto = IPPROTO_TCP;
		endpoints_of(sk, tcp, &told->tuple);
		health(told, tcp);
	} else {
		told->proto = IPPROTO_UDP;
	}
	claim(told, entry);
}

INLINE u64 packets_of(struct entry *entry)
{
	return entry->counts.tx_packets + entry->counts.rx_packets;
}

/*
 * A record of the ring for the end of a socket. Not the scratch of the processor: an interrupt that ends another
 * connection, or a process that takes the processor over, would write into what is half filled. Where there is no
 * room nothing is claimed, and the iterator tells it if the socket stays.
 */
INLINE struct told *ended(struct entry *entry)
{
	struct told *told = ringbuf_reserve(&ends, sizeof(*told), 0);

	if (told)
		entry->flags |= ENDED;
	else
		lose(LOST_ENDS);
	return told;
}

/* int (struct sock *sk, int from, int to) */
SEC("tp_btf/inet_sock_set_state") int weir_state(u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	int from = (int)ctx[1], to = (int)ctx[2];
	struct counts *counts;
	struct entry *entry;
	struct tcp_sock *tcp;
	struct tuple tuple;
	struct told *told;

	if (to != TCP_ESTABLISHED && to != TCP_CLOSE && to != TCP_SYN_SENT)
		return 0;
	if (from == TCP_LISTEN)
		return 0;
	tcp = skc_to_tcp_sock(sk);
	if (!tcp)
		return 0;
	entry = sk_storage_get(&sockets, sk, 0, STORAGE_CREATE);
	if (!entry)
		return 0;
	if (to == TCP_SYN_SENT) {
		renew(entry);
		entry->flags |= INITIATED;
		return 0;
	}
	if (to == TCP_ESTABLISHED) {
		if (from != TCP_SYN_RECV)
			return 0;
		renew(entry);
		entry->flags = (entry->flags & ~INITIATED) | ACCEPTED;
		endpoints_of(sk, tcp, &tuple);
		counts = map_lookup(&handshakes, &tuple);
		if (!counts)
			return 0;
		ADD(entry->counts.tx_octets, counts->tx_octets);
		ADD(entry->counts.tx_packets, counts->tx_packets);
		ADD(entry->counts.rx_octets, counts->rx_octets);
		ADD(entry->counts.rx_packets, counts->rx_packets);
		entry->counts.first_ns = counts->first_ns;
		map_delete(&handshakes, &tuple);
		return 0;
	}
	if (!packets_of(entry) || entry->flags & ENDED)
		return 0;
	told = ended(entry);
	if (!told)
		return 0;
	tell(told, sk, entry);
	told->state = TCP_CLOSE;
	ringbuf_submit(told, 0);
	return 0;
}

/* UDP says nothing of its end but this. Its addresses are not readable here: the entry has them. */
SEC("cgroup/sock_release") int weir_release(struct bpf_sock *sk)
{
	struct entry *entry;
	struct told *told;

	if (sk->protocol != IPPROTO_UDP && sk->protocol != IPPROTO_UDPLITE)
		return 1;
	entry = sk_storage_get(&sockets, sk, 0, 0);
	if (!entry || !(entry->flags & PINNED) || !packets_of(entry) || entry->flags & ENDED)
		return 1;
	told = ended(entry);
	if (!told)
		return 1;
	__builtin_memset(told, 0, sizeof(*told));
	told->cookie = socket_cookie(sk);
	told->proto = IPPROTO_UDP;
	told->state = TCP_CLOSE;
	told->netns = entry->owner.netns;
	claim(told, entry);
	ringbuf_submit(told, 0);
	return 1;
}

#define SOCK_OPS_RTT_CB_FLAG 8
#define SOCK_OPS_ACTIVE_ESTABLISHED 4
#define SOCK_OPS_PASSIVE_ESTABLISHED 5
#define SOCK_OPS_RTT_CB 12

SEC("sockops") int weir_rtt(struct bpf_sock_ops *ops)
{
	struct bpf_sock *sk;
	struct entry *entry;
	u32 rtt;

	switch (ops->op) {
	case SOCK_OPS_ACTIVE_ESTABLISHED:
	case SOCK_OPS_PASSIVE_ESTABLISHED:
		sock_ops_cb_flags_set(ops, ops->bpf_sock_ops_cb_flags | SOCK_OPS_RTT_CB_FLAG);
		return 1;
	case SOCK_OPS_RTT_CB:
		break;
	default:
		return 1;
	}
	sk = ops->sk;
	if (!sk)
		return 1;
	entry = sk_storage_get(&sockets, sk, 0, 0);
	rtt = ops->srtt_us >> 3;
	if (!entry || !rtt)
		return 1;
	if (!entry->rtt_min || rtt < entry->rtt_min)
		entry->rtt_min = rtt;
	if (rtt > entry->rtt_max)
		entry->rtt_max = rtt;
	entry->rtt_sum += rtt;
	entry->rtt_count += 1;
	return 1;
}

struct bpf_iter__bpf_sk_storage_map {
	union { struct bpf_iter_meta *meta; u64 : 64; } __attribute__((aligned(8)));
	union { void *map; u64 : 64; } __attribute__((aligned(8)));
	union { struct sock *sk; u64 : 64; } __attribute__((aligned(8)));
	union { struct entry *value; u64 : 64; } __attribute__((aligned(8)));
};

/* Every socket of every namespace of which something is new. */
SEC("iter/bpf_sk_storage_map") int weir_sockets(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sock *sk = ctx->sk;
	struct entry *entry;
	struct told *told;
	u32 zero = 0;
	u64 packets;

	if (!ctx->value || !sk)
		return 0;
	/* Not by the iterator's own pointer, on which the verifier allows no exchange. */
	entry = sk_storage_get(&sockets, sk, 0, 0);
	if (!entry || entry->flags & ENDED)
		return 0;
	packets = packets_of(entry);
	if (!packets || (packets == entry->told[1] + entry->told[3] && !entry->tell_again))
		return 0;
	told = map_lookup(&scratch, &zero);
	if (!told)
		return 0;
	tell(told, sk, entry);
	if (seq_write(ctx->meta->seq, told, sizeof(*told)))
		unclaim(told, entry); /* The buffer is full: the kernel comes again with the same socket. */
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
