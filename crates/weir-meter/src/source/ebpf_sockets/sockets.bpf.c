/* SPDX-License-Identifier: Dual MIT/GPL
 *
 * Counts the packets of every socket, remembers whose it is, and tells both: while it lives when the
 * iterator asks, at its end by the ring buffer. Layouts that user space reads are in layout.rs.
 *
 * Packets are those of the wire: a buffer under GSO or GRO is up to some 45 of them, each with headers
 * of its own. Octets are those of IP, headers included.
 */
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

/* Who runs: only where the caller is the process that asked for the socket. */
INLINE void own(struct owner *owner)
{
	struct task_struct *task = current_task_btf();
	u64 ids = current_uid_gid();

	owner->pid = current_pid_tgid() >> 32;
	owner->uid = (u32)ids;
	owner->gid = ids >> 32;
	owner->cgroup_id = current_cgroup_id();
	owner->start_ns = task->group_leader->start_boottime;
	owner->parent_pid = task->real_parent->tgid;
	probe_read_kernel(owner->comm, sizeof(owner->comm), task->group_leader->comm);
	probe_read_kernel(owner->parent_comm, sizeof(owner->parent_comm), task->real_parent->comm);
	owner->is_known = 1;
}

INLINE void created(void *sk)
{
	struct entry *entry = sk_storage_get(&sockets, sk, 0, STORAGE_CREATE);

	if (!entry)
		return;
	own(&entry->owner);
	entry->owner.netns = current_task_btf()->nsproxy->net_ns->ns.inum;
}

INLINE int is_inet(u32 family)
{
	return family == AF_INET || family == AF_INET6;
}

SEC("cgroup/sock_create") int weir_create(struct bpf_sock *sk)
{
	if (is_inet(sk->family))
		created(sk);
	return 1;
}

/* A socket may be handed on before it is used: who binds or connects it is its owner. */
SEC("cgroup/post_bind4") int weir_bind4(struct bpf_sock *sk)
{
	struct entry *entry = sk_storage_get(&sockets, sk, 0, STORAGE_CREATE);
	if (entry)
		own(&entry->owner);
	return 1;
}

SEC("cgroup/post_bind6") int weir_bind6(struct bpf_sock *sk)
{
	struct entry *entry = sk_storage_get(&sockets, sk, 0, STORAGE_CREATE);
	if (entry)
		own(&entry->owner);
	return 1;
}

INLINE int connects(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct entry *entry;

	if (!sk)
		return 1;
	entry = sk_storage_get(&sockets, sk, 0, STORAGE_CREATE);
	if (entry) {
		own(&entry->owner);
		entry->flags |= entry->flags & PINNED ? INITIATED | MOVED : INITIATED;
	}
	return 1;
}

SEC("cgroup/connect4") int weir_connect4(struct bpf_sock_addr *ctx) { return connects(ctx); }
SEC("cgroup/connect6") int weir_connect6(struct bpf_sock_addr *ctx) { return connects(ctx); }

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

/* Who reads or writes is the owner: of a forking server's children, the one that serves. */
INLINE int used(struct sock *sk)
{
	struct entry *entry;

	if (!is_inet(sk->__sk_common.skc_family))
		return 0;
	entry = sk_storage_get(&sockets, sk, 0, STORAGE_CREATE);
	if (entry && entry->owner.pid != (u32)(current_pid_tgid() >> 32)) {
		own(&entry->owner);
		entry->owner.netns = sk->__sk_common.skc_net.net->ns.inum;
		entry->tell_again = 1;
	}
	return 0;
}

SEC("tp_btf/sock_send_length") int weir_sent(u64 *ctx) { return used((void *)ctx[0]); }
SEC("tp_btf/sock_recv_length") int weir_received(u64 *ctx) { return used((void *)ctx[0]); }
/* Where the kernel has neither (before 6.3): who reads from TCP. */
SEC("tp_btf/tcp_rcv_space_adjust") int weir_adjusted(u64 *ctx) { return used((void *)ctx[0]); }

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

struct bpf_iter__task_file {
	union { struct bpf_iter_meta *meta; u64 : 64; } __attribute__((aligned(8)));
	union { struct task_struct *task; u64 : 64; } __attribute__((aligned(8)));
	u32 fd __attribute__((aligned(8)));
	union { struct file *file; u64 : 64; } __attribute__((aligned(8)));
};

/* Owners of sockets that are older than metering. */
SEC("iter/task_file") int weir_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket *socket;
	struct entry *entry;
	struct owner *owner;
	struct sock *sk;

	if (!task || !file)
		return 0;
	socket = sock_from_file(file);
	if (!socket)
		return 0;
	sk = socket->sk;
	if (!sk || !is_inet(sk->__sk_common.skc_family))
		return 0;
	entry = sk_storage_get(&sockets, sk, 0, STORAGE_CREATE);
	if (!entry || entry->owner.is_known)
		return 0;
	owner = &entry->owner;
	owner->pid = task->tgid;
	owner->uid = task->cred->uid.val;
	owner->gid = task->cred->gid.val;
	owner->start_ns = task->group_leader->start_boottime;
	owner->parent_pid = task->real_parent->tgid;
	probe_read_kernel(owner->comm, sizeof(owner->comm), task->group_leader->comm);
	probe_read_kernel(owner->parent_comm, sizeof(owner->parent_comm), task->real_parent->comm);
	owner->netns = sk->__sk_common.skc_net.net->ns.inum;
	owner->is_known = 1;
	return 0;
}

/* void (struct task_struct *task, pid_t old, struct linux_binprm *program) */
SEC("tp_btf/sched_process_exec") int weir_exec(u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	struct linux_binprm *binary = (void *)ctx[2];
	struct program program;
	u32 pid = task->tgid;

	__builtin_memset(&program, 0, sizeof(program));
	program.start_ns = task->group_leader->start_boottime;
	program.parent_pid = task->real_parent->tgid;
	program.uid = task->cred->uid.val;
	program.gid = task->cred->gid.val;
	probe_read_kernel(program.comm, sizeof(program.comm), task->comm);
	probe_read_kernel(program.parent_comm, sizeof(program.parent_comm), task->real_parent->comm);
	probe_read_kernel_str(program.path, sizeof(program.path), binary->filename);
	map_update(&programs, &pid, &program, 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
