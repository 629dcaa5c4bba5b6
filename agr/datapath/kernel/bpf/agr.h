/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the programs and the daemon share: the layout of the maps. Each field has
 * one writer.
 *
 * The daemon writes agr_config, agr_plan and agr_ports through shared memory,
 * while programs run on every processor. They see a word of eight octets change
 * at once, and no more than that. So
 *  - a port is described before a plan names it, and its description stays until
 *    no plan does;
 *  - the wish of a plan is written with one store, and since before it; what a
 *    port is, but for its queue, is one store as well;
 *  - what a program decided by an older wish may still be on its way. When the
 *    daemon must know that it is not, it waits until every program that was
 *    running has returned: membarrier(2), MEMBARRIER_CMD_GLOBAL;
 *  - another seed, mode or ring sorts the frames anew, and keeps no order.
 *
 * The programs write the rest. A conversation is decided under its lock, but is
 * read without: the frames of one conversation come one after the other, and
 * those that do not have no order to keep.
 */
#ifndef AGR_H
#define AGR_H

/* Of the layout. A successor takes over only maps of its own version. */
#define AGR_VERSION 3

#define CONVERSATIONS 256

/* A port's place in the maps is its slot, 1 to 255. The port in slot 0 is none. */
#define SLOTS 256

/* What of a frame makes it belong to a conversation, see package dist. */
enum hash_mode : __u32 { MODE_L3, MODE_L2, MODE_L4 };

/* One, written by the daemon. */
struct config {
	__u32 version;
	__u32 inner; /* interface index of agrNp */
	__u32 hold;  /* of the TAP device that takes held frames, 0: none */
	__u32 seed;  /* of the hash */
	enum hash_mode mode;
	__u32 ring_len;       /* how much of ring is in use */
	__u64 idle;           /* ns that a conversation must be silent before it moves */
	__u64 alive;          /* CLOCK_MONOTONIC in ns, of its last sign of life; 0: nobody waits for one */
	__u64 hold_frames;    /* most that the daemon is handed at a time; processors */
	__u64 hold_bytes;     /* that do so at once may each exceed it by a frame */
	__u64 drained_frames; /* how many of totals' the daemon is done with */
	__u64 drained_bytes;
	__u64 turns;       /* not 0: the ports take turns */
	__u16 ring[SLOTS]; /* slots of the ports that distribute */
};

/* What the daemon wants of a conversation: the word that struct plan has. */
union wish {
	__u64 word;
	struct {
		__u16 want;  /* slot of its port, 0: drop */
		__u16 spare; /* where to send when that port's interface has gone */
		__u16 back;  /* where the daemon sends what it was handed, 0: as want */
		__u16 hold;  /* not 0: hand its frames to the daemon */
	};
};

/* One for each conversation, written by the daemon. */
struct plan {
	__u64 wish;
	__u64 since;   /* CLOCK_MONOTONIC in ns, when want last changed */
	__u64 drained; /* how many of the frames that it was handed the daemon has sent */
	__u64 gap;     /* not 0: hand nothing more over, so that what is missing shows */
};

/* One for each conversation, written by agr_out: what has become of it. */
struct conversation {
	struct bpf_spin_lock lock;
	__u16 slot;   /* its frames leave there */
	__u8 held;    /* frames of it may be with the daemon */
	__u8 full;    /* too many were: the rest is dropped until those are sent, or the
		       * conversation is to be held again */
	__u64 last;   /* CLOCK_MONOTONIC in ns, of a frame while it was to move */
	__u64 punted; /* frames handed to the daemon */
};

enum port_flags : __u16 {
	PORT_ATTACHED = 1,   /* without it the port's program lets everything pass */
	PORT_COLLECT = 2,    /* frames that arrive are for the host */
	PORT_DISTRIBUTE = 4, /* frames may be sent there */
	PORT_QUEUES = 8,     /* frames may wait in its queue, see empty */
};

/* One for each slot, written by the daemon. */
struct port {
	__u32 ifindex;
	__u16 number; /* LACP port number */
	enum port_flags flags;
	__u64 empty; /* CLOCK_MONOTONIC in ns, just before its queue was last seen empty */
};

/*
 * What a LACPDU says of one end of a link, and the TLV that it says it in (IEEE
 * 802.1AX-2014 6.4.2.3).
 */
struct lacp_end {
	__u16 system_priority;
	__u8 system[6];
	__u16 key, port_priority, port;
	__u8 state, reserved[3];
};

struct lacp_tlv {
	__u8 type, length;
	struct lacp_end end;
};

/* A LACPDU from its source address on, as far as anything is in it. */
struct lacp_words {
	__u8 source[6];
	__u16 type;
	__u8 subtype, version;
	struct lacp_tlv actor, partner;
	__u8 collector_type, collector_length;
	__u16 max_delay;
};

/* What the daemon says on a port, and how to go on when it does not any more. */
struct said {
	__u32 late;  /* ms after which it should have spoken again */
	__u32 old;   /* ms that a LACPDU of the partner is good for, 0: for ever */
	__u32 grace; /* ms after its last sign of life in which it is spoken for */
	struct lacp_words words;
	__u8 need; /* bits of the partner's state without which nothing is sent there */
};

/*
 * One for each slot, written by the daemon. What it says is written into the half
 * that is not in use, and is in use with the store to turn. A program that finds
 * the same turn before and after has read one and the same.
 */
struct keep {
	__u64 turn;  /* counts what was said. Bit 1: the half in use; bit 0: it is */
	__u64 since; /* CLOCK_MONOTONIC in ns, when turn last changed */
	__u64 sent;  /* and when the daemon last sent a LACPDU */
	struct said said[2];
};

#define TOGETHER 0x100 /* of heard.state: with us, or with nobody */

/* One for each slot, written by agr_in: the partner's LACPDUs. */
struct heard {
	__u64 at;       /* CLOCK_MONOTONIC in ns, of the last one; 0: none */
	__u64 stop;     /* the turn that the last one stopped, 0: none */
	__u64 answered; /* when one was last answered */
	__u64 answers;
	__u64 state; /* the partner's in its last one, and TOGETHER */
};

/* One: frames handed to the daemon, of all conversations together. */
struct totals {
	__u64 punted_frames;
	__u64 punted_bytes;
	__u64 orphaned; /* the sign of life that agr_in found to be the last one */
};

/*
 * One for each slot and processor. The tx_errors of slot 0 are the frames for
 * which there was no port, or no room while they were held.
 */
struct port_stats {
	__u64 rx_frames, rx_bytes, rx_dropped;
	__u64 tx_frames, tx_bytes, tx_errors;
};

/* One for each conversation and processor: what was sent or handed over. */
struct conv_stats {
	__u64 frames, bytes;
};

#endif
