/* SPDX-License-Identifier: Dual MIT/GPL
 *
 * How many packets of the wire a buffer is, and where their headers end. `base` is where the IP header is.
 */
#ifndef WEIR_WIRE_H
#define WEIR_WIRE_H

#include "weir_bpf.h"

/* Extension headers of IPv6 that are stepped over. Limit: four; no packet of the corpus has more. */
#define EXTENSIONS_MAX 4

/* Where the transport header of an IPv6 packet begins, whose IP header is at `base`; its protocol by `proto`, and
 * by `is_rest` whether it is a fragment that has none, for it is not the first. */
INLINE u32 v6_transport(struct __sk_buff *skb, u32 base, u8 next, u8 *proto, int *is_rest)
{
	u32 offset = base + 40;
	u8 head[4];

	for (int i = 0; i < EXTENSIONS_MAX; i++) {
		/* hop-by-hop, routing, destination options; a fragment's header is 8 octets */
		if (next != 0 && next != 43 && next != 60 && next != 44)
			break;
		if (skb_load_bytes(skb, offset, head, 4))
			break;
		if (next == 44 && is_rest && (head[2] || head[3] & 0xf8))
			*is_rest = 1;
		offset += next == 44 ? 8 : ((u32)head[1] + 1) * 8;
		next = head[0];
	}
	if (proto)
		*proto = next;
	return offset;
}

/* Octets of the headers of IP and transport that every segment of the buffer has on the wire. */
INLINE u32 headers(struct __sk_buff *skb, u32 base, u32 protocol)
{
	u8 first[8], data_offset;
	u32 offset;

	if (skb_load_bytes(skb, base, first, 8))
		return 0;
	if (first[0] >> 4 == 4)
		offset = base + (first[0] & 15) * 4;
	else
		offset = v6_transport(skb, base, first[6], 0, 0);
	if (protocol != IPPROTO_TCP)
		return offset + 8 - base;
	if (skb_load_bytes(skb, offset + 12, &data_offset, 1))
		return 0;
	return offset + (data_offset >> 4) * 4 - base;
}

/* Packets that the buffer is on the wire; adds the headers that it lacks to `octets`, counted from `base`. */
INLINE u64 segments(struct __sk_buff *skb, u32 base, u32 protocol, u64 *octets)
{
	u64 packets = skb->gso_segs;
	u32 size = skb->gso_size, length;

	if (packets <= 1 && !size)
		return 1;
	length = headers(skb, base, protocol);
	/* Who hands in a buffer from elsewhere (a virtual machine's tap) may leave the count to others. */
	if (!packets && size && *octets > length)
		packets = (*octets - length + size - 1) / size;
	if (packets <= 1)
		return 1;
	*octets += (packets - 1) * length;
	return packets;
}

#endif
