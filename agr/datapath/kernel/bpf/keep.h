/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is done for a daemon that is late, stopped or dead. agr_in notes the
 * LACPDUs of the partner and answers them with what the daemon said last, so that
 * the partner does not give the link up; agr_out leaves out ports whose partner is
 * silent or does not want frames any more.
 */
#ifndef KEEP_H
#define KEEP_H

#include "maps.h"

#define MS 1000000ull

/* Without a sign of life for so many ms the daemon is taken for dead. */
#define DEAD 1000

/*
 * Two answers are at least so far apart, which makes at most three in a second
 * (IEEE 802.1AX-2014 6.4.16). The partner sends one LACPDU a second. Two ends
 * that both answer do not answer each other.
 */
#define PAUSE (500 * MS)

#define PRIORITY_CONTROL 7 /* TC_PRIO_CONTROL: ahead of waiting data */

enum { SUBTYPE_LACP = 1, TLV_TERMINATOR = 0, TLV_ACTOR, TLV_PARTNER, TLV_COLLECTOR };

enum { COLLECTOR_LENGTH = 16 };

enum lacp_state { ACTIVITY = 1, TIMEOUT = 2, AGGREGATION = 4, SYNCHRONIZATION = 8, DISTRIBUTING = 32 };

/* A frame with a LACPDU in it; longer ones begin like this. */
struct lacpdu {
	__u8 destination[6];
	struct lacp_words words;
	__u8 reserved[12];
	__u8 terminator_type, terminator_length;
	__u8 rest[50];
};

_Static_assert(sizeof(struct lacpdu) == 124, "a LACPDU of version 1");

/* Where the state of the partner is in a LACPDU. */
#define PARTNER_STATE __builtin_offsetof(struct lacpdu, words.partner.end.state)

/* What in a LACPDU is behind its words. */
#define BEHIND (sizeof(struct lacpdu) - sizeof(struct lacp_words) - 6)

/* The two clocks need not agree to the millisecond, so a time may be to come. */
static __always_inline __s64 since(__u64 now, __u64 then)
{
	return (__s64)(now - then);
}

/* Whether a time is so far back, in ms. */
static __always_inline int past(__u64 now, __u64 then, __u32 ms)
{
	return since(now, then) >= (__s64)(ms * MS);
}

/*
 * Whether the daemon is taken for dead. It is asked for each frame, so it looks at
 * no clock: agr_in did with the last LACPDU of any port.
 */
static __always_inline int dead(const struct config *cfg, const struct totals *all)
{
	return all->orphaned && all->orphaned == cfg->alive;
}

/*
 * What is said on a port by turn. It is an index, since the verifier refuses an
 * address that depends on a branch to a daemon without CAP_PERFMON.
 */
static __always_inline const struct said *said_on(const struct keep *keep, __u64 turn)
{
	return &keep->said[turn >> 1 & 1];
}

static __always_inline int is_said(__u64 turn)
{
	return turn & 1;
}

static __always_inline __u64 turn_of(const struct keep *keep)
{
	return *(const volatile __u64 *)&keep->turn;
}

/* Why a dead daemon's frames are not sent through a port; the worst one last. */
enum left_out { USED, OLD, STOPPED };

static __noinline enum left_out left_out(__u32 slot)
{
	struct keep *keep = bpf_map_lookup_elem(&agr_keeps, &slot);
	struct heard *heard = bpf_map_lookup_elem(&agr_heard, &slot);
	const struct said *said;
	__u64 turn, at;

	if (!keep || !heard)
		return USED;
	turn = turn_of(keep);
	if (!is_said(turn))
		return USED;
	said = said_on(keep, turn);
	if (heard->stop == turn)
		return STOPPED;
	at = heard->at < keep->since ? keep->since : heard->at;
	return said->old && past(bpf_ktime_get_coarse_ns(), at, said->old) ? OLD : USED;
}

/* Whether a and b are the same port of the same system, by all but its state. */
static __always_inline int same_port(const struct lacp_end *a, const struct lacp_end *b)
{
	const __u16 *p = (const __u16 *)a, *q = (const __u16 *)b;
	__u32 differ = 0;

	for (int i = 0; i < 7; i++)
		differ |= p[i] ^ q[i];
	return !differ;
}

/* The Slow_Protocols group address, 01-80-C2-00-00-02. */
static __always_inline int is_slow_group(const __u8 *d)
{
	return d[0] == 0x01 && d[1] == 0x80 && d[2] == 0xc2 && !d[3] && !d[4] && d[5] == 0x02;
}

/*
 * Whether it is a LACPDU as the daemon reads one, which looks at the lengths and at no
 * types (6.4.12): what it hears and this does not is a partner who is silent.
 */
static __always_inline int is_lacpdu(const struct lacpdu *pdu)
{
	const struct lacp_words *w = &pdu->words;

	return is_slow_group(pdu->destination) && w->subtype == SUBTYPE_LACP &&
	       w->actor.length == sizeof(w->actor) && w->partner.length == sizeof(w->partner) &&
	       w->collector_length == COLLECTOR_LENGTH;
}

/* Whether it is one of version 1 to the letter: what is answered leaves no doubt. */
static __always_inline int well_formed(const struct lacpdu *pdu)
{
	const struct lacp_words *w = &pdu->words;

	return w->actor.type == TLV_ACTOR && w->partner.type == TLV_PARTNER &&
	       w->collector_type == TLV_COLLECTOR && pdu->terminator_type == TLV_TERMINATOR &&
	       !pdu->terminator_length;
}

/* What a LACPDU has to do with what was said. */
struct match {
	int partner; /* the known partner sent it */
	int us;      /* it knows us */
};

static __always_inline struct match match(const struct lacp_words *pdu, const struct said *said)
{
	return (struct match){
		.partner = same_port(&pdu->actor.end, &said->words.partner.end),
		.us = same_port(&pdu->partner.end, &said->words.actor.end),
	};
}

/*
 * Whether nothing has changed that anybody acts on: of our state the bits that are
 * compared with what we say (6.4.9 update_NTT), of the partner's all but whether it
 * sends, which it does not announce, and which nothing of ours depends on.
 */
static __always_inline int agrees(const struct lacp_words *pdu, const struct said *said, struct match m)
{
	const __u8 heeded = ACTIVITY | TIMEOUT | AGGREGATION | SYNCHRONIZATION;

	return m.partner && m.us &&
	       !((pdu->actor.end.state ^ said->words.partner.end.state) & ~DISTRIBUTING) &&
	       !((pdu->partner.end.state ^ said->words.actor.end.state) & heeded);
}

/* Whether who says this is with us, or with nobody (6.4.9 recordPDU). */
static __always_inline int together(const struct lacp_words *pdu, const struct said *said, struct match m)
{
	__u8 differ = pdu->partner.end.state ^ said->words.actor.end.state;

	return (m.us && !(differ & AGGREGATION)) || !(pdu->actor.end.state & AGGREGATION);
}

/*
 * Whether frames may still be sent to who says this (6.4.15): the known partner, in
 * the state that it takes, and with us or with nobody.
 */
static __always_inline int goes_on(const struct lacp_words *pdu, const struct said *said, struct match m)
{
	__u8 state = pdu->actor.end.state;

	return m.partner && (state & said->need) == said->need && together(pdu, said, m);
}

/* Whether it is time for an answer in place of the daemon's own. Only one takes it. */
static __always_inline int take_turn(const struct config *cfg, const struct keep *keep,
				     const struct said *said, struct heard *heard, __u64 now)
{
	__u64 last = heard->answered;

	if (!said->grace || past(now, cfg->alive, said->grace) || !past(now, keep->sent, said->late))
		return 0;
	if (last && since(now, last) < (__s64)PAUSE)
		return 0;
	return __sync_val_compare_and_swap(&heard->answered, last, now) == last;
}

/*
 * Sends back what the daemon said, with the partner's state as it is now, in the
 * frame that has come, and makes that what
 * it was: a daemon that is only late wants it. Reports whether it is.
 */
static __always_inline int answer(struct __sk_buff *skb, const struct keep *keep, __u64 turn,
				  const struct said *said, struct heard *heard, const struct lacpdu *pdu,
				  __u32 ifindex)
{
	__u64 zeros[(BEHIND + 7) / 8] = {};
	__u32 priority = skb->priority;
	int whole;

	if (bpf_skb_store_bytes(skb, 6, &said->words, sizeof(said->words), 0))
		return 1;
	whole = !bpf_skb_store_bytes(skb, 6 + sizeof(said->words), zeros, BEHIND, 0) &&
		!bpf_skb_store_bytes(skb, PARTNER_STATE, &pdu->words.actor.end.state, 1, 0);
	__sync_fetch_and_add(&heard->answers, 0); /* a barrier */
	if (whole && turn_of(keep) == turn) {
		skb->priority = PRIORITY_CONTROL;
		if (!bpf_clone_redirect(skb, ifindex, 0))
			__sync_fetch_and_add(&heard->answers, 1);
		skb->priority = priority;
	}
	return !bpf_skb_store_bytes(skb, 0, pdu, sizeof(*pdu), 0);
}

/* Notes what a LACPDU means for the port: that its partner lives, or wants no frames. */
static __always_inline void note(struct heard *heard, const struct lacp_words *pdu,
				 const struct said *said, struct match m, __u64 now, __u64 turn)
{
	if (m.partner) {
		heard->at = now;
		heard->state = pdu->actor.end.state | (together(pdu, said, m) ? TOGETHER : 0);
	}
	heard->stop = goes_on(pdu, said, m) ? 0 : turn;
}

/* Looks whether the daemon lives. */
static __always_inline void look_after(const struct config *cfg, struct totals *all, __u64 now)
{
	__u64 alive = cfg->alive;

	if (alive && past(now, alive, DEAD))
		all->orphaned = alive;
}

/*
 * A LACPDU, or what looks like one, has come to the port in a slot. Reports whether
 * it is as it came.
 */
static __noinline int hear(struct __sk_buff *skb, const struct config *cfg, struct totals *all,
			   __u32 slot, __u32 ifindex)
{
	struct keep *keep = bpf_map_lookup_elem(&agr_keeps, &slot);
	struct heard *heard = bpf_map_lookup_elem(&agr_heard, &slot);
	__u64 now = bpf_ktime_get_ns(), turn;
	const struct said *said;
	struct lacpdu pdu;
	struct match m;

	look_after(cfg, all, now);
	if (!keep || !heard || bpf_skb_load_bytes(skb, 0, &pdu, sizeof(pdu)) || !is_lacpdu(&pdu))
		return 1;
	turn = turn_of(keep);
	if (!is_said(turn))
		return 1;
	said = said_on(keep, turn);
	m = match(&pdu.words, said);
	note(heard, &pdu.words, said, m, now, turn);
	if (skb->len != sizeof(pdu) || !well_formed(&pdu) || !agrees(&pdu.words, said, m) ||
	    !take_turn(cfg, keep, said, heard, now))
		return 1;
	return answer(skb, keep, turn, said, heard, &pdu, ifindex);
}

#endif
