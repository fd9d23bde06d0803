/* SPDX-License-Identifier: Dual MIT/GPL
 *
 * What Weir's BPF programs need of the kernel, and nothing else: types of the stable ABI
 * (include/uapi/linux/bpf.h), the fields of kernel structs that are read (relocated at load, CO-RE), and helpers
 * by their numbers. So a build needs clang and no header of any system.
 */
#ifndef WEIR_BPF_H
#define WEIR_BPF_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int s32;
typedef long long s64;

#define SEC(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))
#define UINT(name, val) int (*name)[val]
#define TYPE(name, val) typeof(val) *name
#define CORE __attribute__((preserve_access_index))
#define FIELD_EXISTS(field) __builtin_preserve_field_info(field, 2)
/* Fields of a context are read where they stand: the verifier follows no pointer to one that was computed, as the
 * compiler does when it merges two reads. */
#define KEEP(value) asm volatile("" : "+r"(value) : : "memory")
#define ADD(counter, n) __sync_fetch_and_add(&(counter), (n))

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BE16(x) ((u16)__builtin_bswap16(x))
#define BE32(x) __builtin_bswap32(x)
#else
#define BE16(x) ((u16)(x))
#define BE32(x) (x)
#endif

/* enum bpf_map_type */
#define MAP_HASH 1
#define MAP_PERCPU_ARRAY 6
#define MAP_LRU_HASH 9
#define MAP_ARRAY 2
#define MAP_SK_STORAGE 24
#define MAP_RINGBUF 27
/* flags of maps and of their update */
#define F_NO_PREALLOC 1
#define F_CLONE 512
#define NOEXIST 1
#define STORAGE_CREATE 1

#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define AF_INET 2
#define AF_INET6 10
#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define IPPROTO_ICMP 1
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_ICMPV6 58
#define IPPROTO_UDPLITE 136

/* struct __sk_buff of the ABI. */
struct __sk_buff {
	u32 len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto, priority;
	u32 ingress_ifindex, ifindex, tc_index, cb[5], hash, tc_classid, data, data_end, napi_id, family;
	u32 remote_ip4, local_ip4, remote_ip6[4], local_ip6[4], remote_port, local_port, data_meta;
	union { void *flow_keys; u64 : 64; } __attribute__((aligned(8)));
	u64 tstamp;
	u32 wire_len, gso_segs;
	union { struct bpf_sock *sk; u64 : 64; } __attribute__((aligned(8)));
	u32 gso_size;
};

/* struct bpf_sock of the ABI. */
struct bpf_sock {
	u32 bound_dev_if, family, type, protocol, mark, priority, src_ip4, src_ip6[4], src_port;
	u16 dst_port; /* network order */
	u16 : 16;
	u32 dst_ip4, dst_ip6[4], state;
	s32 rx_queue_mapping;
};

/* struct bpf_sock_addr of the ABI. */
struct bpf_sock_addr {
	u32 user_family, user_ip4, user_ip6[4], user_port, family, type, protocol, msg_src_ip4, msg_src_ip6[4];
	union { struct bpf_sock *sk; u64 : 64; } __attribute__((aligned(8)));
};

/* struct bpf_sock_ops of the ABI, up to the last field that is used. */
struct bpf_sock_ops {
	u32 op, args[4], family, remote_ip4, local_ip4, remote_ip6[4], local_ip6[4], remote_port, local_port;
	u32 is_fullsock, snd_cwnd, srtt_us, bpf_sock_ops_cb_flags, state, rtt_min, snd_ssthresh, rcv_nxt, snd_nxt;
	u32 snd_una, mss_cache, ecn_flags, rate_delivered, rate_interval_us, packets_out, retrans_out;
	u32 total_retrans, segs_in, data_segs_in, segs_out, data_segs_out, lost_out, sacked_out, sk_txhash;
	u64 bytes_received, bytes_acked;
	union { struct bpf_sock *sk; u64 : 64; } __attribute__((aligned(8)));
};

/* Kernel structs, by the names of the fields that are read. */
struct ns_common { u32 inum; } CORE;
struct net { struct ns_common ns; } CORE;
typedef struct { struct net *net; } possible_net_t;
struct in6_addr { union { u32 u6_addr32[4]; } in6_u; } CORE;
struct sock_common {
	u16 skc_family;
	volatile u8 skc_state;
	u32 skc_daddr, skc_rcv_saddr;
	u16 skc_dport, skc_num;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
} CORE;
struct sock { struct sock_common __sk_common; } CORE;
struct socket { struct sock *sk; } CORE;
struct file;
struct inet_sock { u16 inet_sport; } CORE;
struct inet_connection_sock {
	struct inet_sock icsk_inet;
	u32 icsk_pmtu_cookie;
	struct { u16 rcv_mss; } icsk_ack;
} CORE;
struct minmax_sample { u32 t, v; } CORE;
struct minmax { struct minmax_sample s[3]; } CORE;
struct tcp_sock {
	struct inet_connection_sock inet_conn;
	u64 bytes_sent, bytes_acked, bytes_received;
	u32 srtt_us, mdev_us, total_retrans, segs_in, segs_out, lost_out, packets_out, reordering, snd_cwnd, mss_cache;
	u32 rate_delivered, rate_interval_us;
	struct minmax rtt_min;
} CORE;
struct nsproxy { struct net *net_ns; } CORE;
struct task_struct {
	int tgid;
	u64 start_boottime;
	struct task_struct *real_parent, *group_leader;
	char comm[16];
	struct nsproxy *nsproxy;
	const struct cred *cred;
} CORE;
typedef struct { u32 val; } kid_t;
struct cred { kid_t uid, gid; } CORE;
struct linux_binprm { const char *filename; } CORE;
struct sk_buff {
	unsigned char *head;
	u16 network_header, protocol;
	u32 len;
	u32 end;
} CORE;
struct skb_shared_info { u16 gso_size, gso_segs; } CORE;
struct seq_file;
struct bpf_iter_meta { struct seq_file *seq; } CORE;

/* Helpers, by their numbers in the ABI. */
static void *(*map_lookup)(void *map, const void *key) = (void *)1;
static long (*map_update)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static long (*map_delete)(void *map, const void *key) = (void *)3;
static u64 (*ktime_ns)(void) = (void *)5;
static u64 (*current_pid_tgid)(void) = (void *)14;
static u64 (*current_uid_gid)(void) = (void *)15;
static long (*current_comm)(void *buf, u32 size) = (void *)16;
static long (*skb_load_bytes)(const void *skb, u32 offset, void *to, u32 len) = (void *)26;
static u64 (*socket_cookie)(void *ctx) = (void *)46;
static long (*sock_ops_cb_flags_set)(struct bpf_sock_ops *ctx, int flags) = (void *)59;
static u64 (*current_cgroup_id)(void) = (void *)80;
static struct bpf_sock *(*sk_fullsock)(struct bpf_sock *sk) = (void *)95;
static void *(*sk_storage_get)(void *map, void *sk, void *value, u64 flags) = (void *)107;
static long (*probe_read_kernel)(void *to, u32 size, const void *from) = (void *)113;
static long (*probe_read_kernel_str)(void *to, u32 size, const void *from) = (void *)115;
static long (*seq_write)(struct seq_file *seq, const void *data, u32 len) = (void *)127;
static void *(*ringbuf_reserve)(void *map, u64 size, u64 flags) = (void *)131;
static void (*ringbuf_submit)(void *data, u64 flags) = (void *)132;
static struct tcp_sock *(*skc_to_tcp_sock)(void *sk) = (void *)137;
static struct task_struct *(*current_task_btf)(void) = (void *)158;
static u64 (*ktime_coarse_ns)(void) = (void *)160;
static struct socket *(*sock_from_file)(struct file *file) = (void *)162;

/* Times are of CLOCK_MONOTONIC_COARSE: a tick's resolution at a tenth of the price. */

struct weir_addr { u32 word[4]; };

INLINE void mapped(struct weir_addr *to, u32 v4)
{
	to->word[0] = 0;
	to->word[1] = 0;
	to->word[2] = BE32(0x0000ffff);
	to->word[3] = v4;
}

#endif
