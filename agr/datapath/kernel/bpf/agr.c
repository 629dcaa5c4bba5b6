// SPDX-License-Identifier: BSD-2-Clause
/*
 * Forwarding in the kernel. agr_out sits at the ingress of agrNp, the inner end
 * of agrN's pair, and sends what the host sent through agrN to a port; agr_in
 * sits at the ingress of each port and hands what the port collects to agrNp,
 * which is agrN's other end.
 *
 *   host -> agrN ~ agrNp -> agr_out: hash -> plan -> port
 *                               '--> TAP: the daemon, while a conversation waits
 *   port -> agr_in: collecting? -> agrNp ~ agrN -> host
 *              '--> the port's own stack: slow protocols, reserved groups
 *
 * While the daemon is late or dead they do more, see keep.h.
 */
#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "maps.h"
#include "hash.h"
#include "keep.h"

/* The kernel lends its clock to programs under a licence like its own only. */
char _license[] SEC("license") = "Dual BSD/GPL";

/* Verdicts, the same for tcx and for a direct-action cls_bpf filter. */
enum verdict { NEXT = -1, DROP = 2 };

/* In place of a verdict: nothing was done. */
enum { GONE = -2 };

/* Set before a program is loaded. */
volatile const __u32 own_ifindex;  /* of the interface that the program sits on */
volatile const __u32 own_slot;     /* of the port that agr_in sits on */

/*
 * An interface that was moved to another network namespace takes its program
 * along, and may have got another index there. No program can ask for the
 * namespace of a received frame: the daemon has to notice.
 */
static __always_inline int elsewhere(const struct __sk_buff *skb)
{
	return skb->ifindex != own_ifindex;
}

static __always_inline struct config *config(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&agr_config, &zero);
}

static __always_inline struct port_stats *stats_of(__u32 slot)
{
	return bpf_map_lookup_elem(&agr_port_stats, &slot);
}

static __always_inline struct totals *totals(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&agr_totals, &zero);
}

/* There is no port for the frame, or no room to hold it. */
static __always_inline int lose(void)
{
	struct port_stats *st = stats_of(0);

	if (st)
		st->tx_errors++;
	return DROP;
}

/*
 * Sends through the port in a slot, or says GONE. A redirection to an interface
 * that has gone succeeds and loses the frame, so the interface is asked for its
 * MTU first. A tag may be in the frame already. While the daemon is dead, a port
 * that is left out for more than it is excused for has gone as well.
 */
static __always_inline int send(struct __sk_buff *skb, const struct config *cfg, __u32 slot,
				enum left_out excused)
{
	struct port *port = bpf_map_lookup_elem(&agr_ports, &slot);
	struct port_stats *st = stats_of(slot);
	struct totals *all = totals();
	__u32 mtu = 0;
	long too_long;

	if (!port || !st || !all || !(port->flags & PORT_DISTRIBUTE))
		return GONE;
	if (dead(cfg, all) && left_out(slot) > excused)
		return GONE;
	too_long = bpf_check_mtu(skb, port->ifindex, &mtu, -TAG, 0);
	if (too_long < 0)
		return GONE;
	if (too_long) {
		st->tx_errors++;
		return DROP;
	}
	st->tx_frames++;
	st->tx_bytes += skb->len;
	return bpf_redirect(port->ifindex, 0);
}

/* How many ports a frame is tried to be sent through. */
enum { TRIES = 16 };

/* Sends through the first port that can be had, from the n-th of the ring on. */
static __noinline int send_anywhere(struct __sk_buff *skb, const struct config *cfg, __u32 n,
				    enum left_out excused, __u32 *slot)
{
	__u32 len = cfg->ring_len;

	for (__u32 i = 0; i < TRIES && i < len; i++) {
		int verdict;

		*slot = cfg->ring[(n + i) % len & (SLOTS - 1)];
		verdict = send(skb, cfg, *slot, excused);
		if (verdict != GONE)
			return verdict;
	}
	return GONE;
}

/* The ports take turns. One that has gone is passed over. */
static __noinline int round_robin(struct __sk_buff *skb, const struct config *cfg)
{
	__u32 zero = 0, slot = 0, *turn = bpf_map_lookup_elem(&agr_turn, &zero), n;
	int verdict;

	if (!turn)
		return lose();
	n = __sync_fetch_and_add(turn, 1);
	verdict = send_anywhere(skb, cfg, n, USED, &slot);
	if (verdict == GONE)
		verdict = send_anywhere(skb, cfg, n, OLD, &slot);
	return verdict == GONE ? lose() : verdict;
}

/*
 * Whether a conversation may leave a port: no frame of it waits there any more.
 * The daemon notes the time before it looks at a queue, and a frame may enter
 * the queue a little after its own time; idle is more than that.
 */
static __always_inline int may_leave(const struct port *port, const struct config *cfg, __u64 last,
				     __u64 now)
{
	__u64 quiet = port->flags & PORT_QUEUES ? port->empty : now;

	if (!(port->flags & PORT_DISTRIBUTE))
		return 1; /* it is lost, or its last frame is known to have arrived */
	return quiet > last && quiet - last >= cfg->idle;
}

/* What can be had from the daemon when a frame is to be held. */
struct daemon {
	int there; /* it takes frames */
	int room;  /* for one more of the conversation */
};

/*
 * The addition of nothing is a barrier on every machine: what is read behind it,
 * since among others, is not older than the wish that was read before it.
 */
static __always_inline struct daemon ask_daemon(struct __sk_buff *skb, const struct config *cfg,
						const struct plan *plan, struct totals *all)
{
	__u64 frames = __sync_fetch_and_add(&all->punted_frames, 0);
	__u32 mtu = 0;

	return (struct daemon){
		.there = cfg->hold && bpf_check_mtu(skb, cfg->hold, &mtu, 0, 0) >= 0,
		.room = !plan->gap && frames - cfg->drained_frames < cfg->hold_frames &&
			all->punted_bytes - cfg->drained_bytes < cfg->hold_bytes,
	};
}

/* In place of a slot that a frame is sent through. */
enum { HOLD = -1, LOSE = -2 };

/*
 * Decides about the next frame of a conversation that is held. What the daemon
 * has must not be overtaken: only when it has sent everything is the direct way
 * open again. When there is no daemon any more, there is nothing to overtake.
 */
static __always_inline int hold(struct conversation *conv, union wish wish, __u64 drained,
				struct daemon daemon)
{
	if (!daemon.there || (!wish.hold && conv->punted == drained)) {
		conv->held = conv->full = 0;
		conv->slot = wish.back ? wish.back : wish.want;
		return conv->slot;
	}
	conv->held = 1;
	if (wish.hold)
		conv->full = 0; /* it is not to come back, so there is room when there is */
	else if (!daemon.room)
		conv->full = 1; /* else a busy conversation might never come back */
	if (!daemon.room || conv->full)
		return LOSE;
	conv->punted++;
	return HOLD;
}

/*
 * Decides about a frame of a conversation that is to move, is held, or was: the
 * slot that it leaves from, HOLD or LOSE.
 */
static __noinline int decide(struct __sk_buff *skb, const struct config *cfg, struct plan *plan,
			     struct conversation *conv, __u64 word)
{
	union wish wish = { .word = word };
	struct totals *all = totals();
	struct daemon daemon;
	struct port *port;
	__u64 now, since, drained;
	__u32 from = conv->slot;
	int slot;

	port = bpf_map_lookup_elem(&agr_ports, &from);
	if (!port || !all)
		return LOSE;
	daemon = ask_daemon(skb, cfg, plan, all);
	since = plan->since;
	drained = plan->drained;
	now = bpf_ktime_get_ns();

	bpf_spin_lock(&conv->lock);
	if (conv->held || (wish.hold && daemon.there)) {
		slot = hold(conv, wish, drained, daemon);
	} else {
		if (conv->slot == from &&
		    may_leave(port, cfg, conv->last < since ? since : conv->last, now))
			conv->slot = wish.want;
		slot = conv->slot;
	}
	if (conv->last < now)
		conv->last = now;
	bpf_spin_unlock(&conv->lock);
	return slot;
}

/* Hands the frame to the daemon, behind those that it has. */
static __noinline int punt(struct __sk_buff *skb, const struct config *cfg)
{
	struct totals *all = totals();

	if (!all)
		return DROP;
	__sync_fetch_and_add(&all->punted_frames, 1);
	__sync_fetch_and_add(&all->punted_bytes, skb->len);
	return bpf_redirect(cfg->hold, 0);
}

/* Where a frame comes from whose port has gone, and where it may go. */
struct detour {
	__u32 from, spare;
	__u32 n; /* its conversation, by which those without a spare port are shared out */
};

/*
 * Sends a frame whose port and whose spare one are left out. Where all partners
 * are silent that says nothing about the links: everything stays where it was.
 */
static __noinline int heal(struct __sk_buff *skb, const struct config *cfg,
			   const struct detour *way, __u32 *to)
{
	int verdict = send_anywhere(skb, cfg, way->n, USED, to);

	if (verdict != GONE)
		return verdict;
	*to = way->from;
	verdict = send(skb, cfg, way->from, OLD);
	return verdict == GONE ? send_anywhere(skb, cfg, way->n, OLD, to) : verdict;
}

/* Sends a frame whose port has gone through another one, and remembers that. */
static __noinline int divert(struct __sk_buff *skb, const struct config *cfg,
			     struct conversation *conv, const struct detour *way)
{
	__u32 from = way->from, to = way->spare;
	int verdict = send(skb, cfg, to, USED);
	__u64 now = bpf_ktime_get_ns();

	if (verdict == GONE && from)
		verdict = heal(skb, cfg, way, &to);
	if (verdict == GONE)
		return lose();
	bpf_spin_lock(&conv->lock);
	if (conv->slot == from)
		conv->slot = to;
	if (conv->last < now)
		conv->last = now;
	bpf_spin_unlock(&conv->lock);
	return verdict;
}

/* Sends or holds a frame of conversation c. */
static __always_inline int distribute(struct __sk_buff *skb, const struct config *cfg, __u32 c)
{
	struct plan *plan = bpf_map_lookup_elem(&agr_plan, &c);
	struct conversation *conv = bpf_map_lookup_elem(&agr_convs, &c);
	struct conv_stats *st = bpf_map_lookup_elem(&agr_conv_stats, &c);
	union wish wish;
	int slot, verdict;

	if (!plan || !conv || !st)
		return DROP;
	wish.word = *(volatile __u64 *)&plan->wish;
	slot = conv->slot;
	if (slot != wish.want || wish.hold || conv->held)
		slot = decide(skb, cfg, plan, conv, wish.word);
	if (slot == LOSE)
		return lose();
	verdict = slot == HOLD ? punt(skb, cfg) : send(skb, cfg, slot, USED);
	if (verdict == GONE) {
		struct detour way = { .from = slot, .spare = wish.spare, .n = c };

		verdict = divert(skb, cfg, conv, &way);
	}
	if (verdict != DROP) {
		st->frames++;
		st->bytes += skb->len;
	}
	return verdict;
}

/* The hash of a frame that does not lie in one piece: it is made to. */
static __noinline __u32 hash_pieces(struct __sk_buff *skb, const struct config *cfg)
{
	struct frame f;

	bpf_skb_pull_data(skb, skb->len < LOOK ? skb->len : LOOK);
	if (!parse(skb, &f))
		return 0;
	return hash(&f, skb, cfg->mode, cfg->seed);
}

/* The hash of a parsed frame, which cannot be used any more. */
static __always_inline __u32 hash_all(struct __sk_buff *skb, struct frame *f,
				      const struct config *cfg)
{
	__u32 h = hash(f, skb, cfg->mode, cfg->seed);

	return f->cut ? hash_pieces(skb, cfg) : h;
}

/* Out: from the host to a port. */
SEC("tc")
int agr_out(struct __sk_buff *skb)
{
	struct config *cfg = config();
	struct frame f;

	if (!cfg || elsewhere(skb))
		return NEXT;
	if (!parse(skb, &f) || stays_on_port(&f))
		return lose(); /* there is one for each link, and this is none */
	if (cfg->turns)
		return round_robin(skb, cfg);
	return distribute(skb, cfg, hash_all(skb, &f, cfg) & (CONVERSATIONS - 1));
}

/*
 * Whether the port's own stack might take a tagged frame for an untagged one of
 * the slow protocols. It steps over priority tags, as many as there are.
 */
static __always_inline int looks_slow(const struct frame *f)
{
	return f->tags && (f->type == TYPE_SLOW || is_tag(f->type));
}

/* Whether the slot has become free, or another port's, since this was loaded. */
static __always_inline int another(const struct port *port)
{
	return !(port->flags & PORT_ATTACHED) || port->ifindex != own_ifindex;
}

/* In: from a port to the host. */
SEC("tc")
int agr_in(struct __sk_buff *skb)
{
	__u32 slot = own_slot;
	struct config *cfg = config();
	struct port *port = bpf_map_lookup_elem(&agr_ports, &slot);
	struct port_stats *st = stats_of(slot);
	struct totals *all = totals();
	struct frame f;

	if (!cfg || !port || !st || !all || elsewhere(skb) || another(port))
		return NEXT;
	if (!parse(skb, &f))
		return DROP;
	if (stays_on_port(&f)) {
		if (f.type == TYPE_SLOW && !f.tags && !hear(skb, cfg, all, slot, own_ifindex))
			return DROP;
		return looks_slow(&f) ? DROP : NEXT;
	}
	if (!(port->flags & PORT_COLLECT)) {
		st->rx_dropped++;
		return DROP;
	}
	st->rx_frames++;
	st->rx_bytes += skb->len;
	return bpf_redirect(cfg->inner, 0);
}

/* For tests: the hash of a frame. */
SEC("tc")
int agr_hash(struct __sk_buff *skb)
{
	struct config *cfg = config();
	struct frame f;

	if (!cfg || !parse(skb, &f))
		return 0;
	return hash_all(skb, &f, cfg);
}
