// Package kernel is the datapath in which frames never enter this process: agrN is
// one end of a veth pair, eBPF programs forward between the other end and the
// ports, and this process only writes the maps that say how.
//
//	host -> agrN -> agrNp: agr_out -> hash -> plan -> redirect to a port
//	host <- agrN <- agrNp <---------- redirect <- agr_in at each port <- wire
//
// agr_out sits where frames come in at agrNp, the inner end; agr_in where they
// come in at a port, behind the packet sockets. It leaves slow protocols to the
// port, drops what comes while the port does not collect, and hands the rest to
// agrNp. So the port's own protocol stack sees no data frames: the programs are
// the shield. bpf/agr.c is their source, bpf/agr.h the layout of the maps, and
// agr_bpfel.o what clang makes of it.
//
// agrN has carrier while agrNp is up. agrNp takes frames of any length; those of
// agrN are as long as its own MTU says, in both directions. It makes no address.
//
// # Who writes what
//
//	config, plan, ports, keeps  Device, through shared memory
//	plan[].drained, gap,        holder, through shared memory
//	drained_*
//	convs, totals, turn, stats, the programs
//	heard
//
// What a program reads together is written as one word. Device.write has the
// order in which the words change.
//
// # Held conversations
//
// The frames of a conversation that waits (datapath.Program.Hold) take a way
// through this process, with their virtio_net_hdr:
//
//	agr_out -> agrNh, a TAP device -> holder: kept in order -> packet socket -> port
//
// When it is released the holder sends what it has, and what follows still comes
// its way, until it has sent as many frames as it was handed: then none is
// before the next one, which goes directly again, through the port that the
// holder used, however late it comes. A frame may be lost on its way to the
// holder, and one that is still to be segmented may become many there, so the
// numbers may never agree. When the conversation is silent that shows soon. One
// that is not is cut off half a second after its release: its frames are dropped,
// and counted, for as long as a barrier takes and the holder to send what it has,
// some 10 ms; then the numbers are made to agree. The TAP device is made for the
// first hold, goes some time after the last one, and with this process at the
// latest; the programs then find that it has gone, and send directly.
//
// A hold begins with a barrier. The programs run on all processors, and one that
// began before it was told to hold may still send; the barrier waits for it.
//
// # While this process is late or dead
//
// Device.Keep leaves with the programs what would be said on a port, and agr_in
// says it (bpf/keep.h):
//
//	LACPDU -> agr_in: the partner's? -> heard; late? agrees? -> answer -> port
//	             '--> the port's own sockets, as it came
//	frame -> agr_out: dead, and port silent or stopped? -> spare -> any other port
//
// Late is a matter of each port: nothing was sent there for a stated time. Dead is
// one of the process: no sign of life for a second. agr_out looks at no clock to
// know that; agr_in does, with each LACPDU of any port, and writes down which sign
// was the last one. A new sign makes that void, as a new Keep does what a partner
// said against the one before. Each port has a membership of the Slow_Protocols
// group that does not end with the process.
//
// # Nothing holds the programs but the interfaces
//
// They are attached without a pin and without a link, so they forward for as long
// as the interfaces are there, whoever made them and whatever became of it, and a
// killed daemon loses no frame (design D11). Its successor finds the pair by name,
// the programs at the hooks by theirs, and the maps through the programs. It
// loads its own programs with those maps and exchanges them one for one, so that
// counters and conversations go on. Where it may not open maps by id, which
// takes CAP_SYS_ADMIN, or where the layout is another, it lets the programs
// act as they do until it has been told everything, and exchanges them with the
// first Program. Which ones they are the alias of agrNp says, which has room for some
// fifty, and for each port whoever was told by Port.Note and tells it again with
// Port.Programs: the kernel gives no number twice. Device.Load tells the numbers of many
// ports before the first of them is added, so that they are written down together.
//
// A port that is moved to another network namespace, or that is removed, may keep
// its program for a while: without its entry in the maps that does nothing.
package kernel
