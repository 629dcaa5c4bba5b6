/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hash that package dist defines: MurmurHash3 x86_32 over whole words. The
 * testdata of that package has the vectors for both.
 */
#ifndef HASH_H
#define HASH_H

#include "frame.h"

#define IPV4_HEADER 20
#define IPV6_HEADER 40
#define PORTS 4
#define FRAGMENT 0x3fff /* more fragments, and the offset */

/* The most of a frame that has to be seen. */
#define LOOK (ETHER_HEADER + MOST_TAGS * TAG + IPV6_HEADER + PORTS)

enum { PROTO_TCP = 6, PROTO_UDP = 17, PROTO_SCTP = 132 };

struct murmur {
	__u32 h, len;
};

static __always_inline __u32 rotl(__u32 x, int n)
{
	return x << n | x >> (32 - n);
}

static __always_inline void word(struct murmur *m, __u32 k)
{
	m->h ^= rotl(k * 0xcc9e2d51, 15) * 0x1b873593;
	m->h = rotl(m->h, 13) * 5 + 0xe6546b64;
	m->len += 4;
}

/* Mixes n octets in, a multiple of four. */
static __always_inline void load(struct murmur *m, const __u8 *p, int n)
{
	for (int i = 0; i < n; i += 4)
		word(m, *(const __u32 *)(p + i));
}

static __always_inline __u32 sum(const struct murmur *m)
{
	__u32 h = m->h ^ m->len;

	h = (h ^ h >> 16) * 0x85ebca6b;
	h = (h ^ h >> 13) * 0xc2b2ae35;
	return h ^ h >> 16;
}

static __always_inline int has_ports(__u32 proto)
{
	return proto == PROTO_TCP || proto == PROTO_UDP || proto == PROTO_SCTP;
}

/*
 * Ports behind options are fetched: a program of a daemon without CAP_PERFMON
 * may not add what it has read to the address of a frame.
 */
static __always_inline void ipv4_ports(struct murmur *m, struct frame *f, struct __sk_buff *skb)
{
	const __u8 *p = f->l3;
	__u32 len = (p[0] & 0xf) * 4, ports;

	if (!has_ports(p[9]) || be16(p + 6) & FRAGMENT)
		return;
	if (len > IPV4_HEADER) {
		if (!bpf_skb_load_bytes(skb, f->offset + len, &ports, PORTS))
			word(m, ports);
	} else if (has(f, p + IPV4_HEADER, PORTS)) {
		load(m, p + IPV4_HEADER, PORTS);
	}
}

static __always_inline void ipv4(struct murmur *m, struct frame *f, struct __sk_buff *skb,
				 enum hash_mode mode)
{
	const __u8 *p = f->l3;

	if (!has(f, p, IPV4_HEADER) || p[0] >> 4 != 4 || (p[0] & 0xf) * 4 < IPV4_HEADER)
		return;
	load(m, p + 12, 8); /* source, destination */
	word(m, p[9]);
	if (mode == MODE_L4)
		ipv4_ports(m, f, skb);
}

/* Ports behind extension headers are not looked for. */
static __always_inline void ipv6(struct murmur *m, struct frame *f, enum hash_mode mode)
{
	const __u8 *p = f->l3;

	if (!has(f, p, IPV6_HEADER) || p[0] >> 4 != 6)
		return;
	load(m, p + 8, 32); /* source, destination */
	word(m, bpf_ntohl(*(const __u32 *)p) & 0xfffff);
	if (mode == MODE_L4 && has_ports(p[6]) && has(f, p + IPV6_HEADER, PORTS))
		load(m, p + IPV6_HEADER, PORTS);
}

/* The hash of what can be seen of a parsed frame. */
static __always_inline __u32 hash(struct frame *f, struct __sk_buff *skb, enum hash_mode mode,
				  __u32 seed)
{
	struct murmur m = { .h = seed };

	load(&m, f->data, 12);
	word(&m, f->tci);
	if (mode == MODE_L2)
		return sum(&m);
	untag(f);
	if (f->type == TYPE_IPV4)
		ipv4(&m, f, skb, mode);
	else if (f->type == TYPE_IPV6)
		ipv6(&m, f, mode);
	return sum(&m);
}

#endif
