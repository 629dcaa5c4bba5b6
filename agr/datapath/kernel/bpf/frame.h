/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a frame's addresses, tags and type are. The kernel has, as a rule, taken
 * the outermost tag out of the frame and keeps it beside.
 */
#ifndef FRAME_H
#define FRAME_H

#define TYPE_IPV4 0x0800
#define TYPE_IPV6 0x86dd
#define TYPE_VLAN 0x8100
#define TYPE_SVLAN 0x88a8
#define TYPE_SLOW 0x8809

#define ETHER_HEADER 14
#define TAG 4
#define MOST_TAGS 2
#define VLAN_ID 0x0fff

struct frame {
	__u8 *data, *end; /* what the program sees, which may be less than there is */
	__u8 *l3;         /* what follows the type */
	__u32 offset;     /* of l3 */
	__u32 tags;       /* how many are before the type */
	__u32 tpid;       /* the outermost tag's */
	__u32 tci;        /* the outermost tag's, 0 without one */
	__u32 type;       /* behind the tags, 0: there is none to be had */
	int cut;          /* something that was looked for lies behind the end */
};

static __always_inline __u32 be16(const __u8 *p)
{
	return bpf_ntohs(*(const __u16 *)p);
}

static __always_inline int is_tag(__u32 type)
{
	return type == TYPE_VLAN || type == TYPE_SVLAN;
}

/* Whether n octets from p on can be seen. */
static __always_inline int has(struct frame *f, const __u8 *p, __u32 n)
{
	if (p + n <= f->end)
		return 1;
	f->cut = 1;
	return 0;
}

/* Steps over a tag that is in the frame itself. */
static __always_inline void untag(struct frame *f)
{
	if (!is_tag(f->type) || f->tags == MOST_TAGS)
		return;
	if (!has(f, f->l3, TAG)) {
		f->type = 0;
		return;
	}
	if (!f->tags) {
		f->tpid = f->type;
		f->tci = be16(f->l3);
	}
	f->tags++;
	f->type = be16(f->l3 + 2);
	f->l3 += TAG;
	f->offset += TAG;
}

/* Finds the addresses, the first tag and the type behind it. */
static __always_inline int parse(struct __sk_buff *skb, struct frame *f)
{
	f->data = (void *)(long)skb->data;
	f->end = (void *)(long)skb->data_end;
	f->tags = f->tci = f->tpid = f->cut = 0;
	if (!has(f, f->data, ETHER_HEADER))
		return 0;
	f->l3 = f->data + ETHER_HEADER;
	f->offset = ETHER_HEADER;
	f->type = be16(f->data + 12);
	if (skb->vlan_present) {
		f->tags = 1;
		f->tpid = bpf_ntohs(skb->vlan_proto);
		f->tci = skb->vlan_tci & 0xffff;
	} else {
		untag(f);
	}
	return 1;
}

/* The reserved groups 01-80-C2-00-00-01 to -0F, which belong to a single link. */
static __always_inline int is_reserved(const __u8 *d)
{
	return d[0] == 0x01 && d[1] == 0x80 && d[2] == 0xc2 && !d[3] && !d[4] && d[5] && d[5] <= 0x0f;
}

/*
 * Whether the frame belongs to a single link: one to a reserved group, and slow
 * protocols, untagged or priority-tagged. Asked before a second tag is looked at.
 */
static __always_inline int stays_on_port(const struct frame *f)
{
	if (is_reserved(f->data))
		return 1;
	if (f->type != TYPE_SLOW)
		return 0;
	return !f->tags || (f->tpid == TYPE_VLAN && !(f->tci & VLAN_ID));
}

#endif
