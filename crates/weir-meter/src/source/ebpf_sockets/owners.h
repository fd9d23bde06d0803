/* SPDX-License-Identifier: Dual MIT/GPL
 *
 * Whose a socket is: who made, bound, connected it, and then who reads or writes.
 */
#ifndef WEIR_OWNERS_H
#define WEIR_OWNERS_H

#include "sockets.h"
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

#endif
