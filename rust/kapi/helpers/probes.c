// SPDX-License-Identifier: GPL-2.0
#include <linux/ftrace.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <net/inet_common.h>
#include <net/ipv6.h>
#include <net/tcp.h>
#include <trace/events/tcp.h>

#include "probes.h"

/* The probes read arguments by number and hand over whole calls: a kernel
 * that has other prototypes must not compile.
 */
static_assert(__same_type(tcp_child_process,
			  enum skb_drop_reason(struct sock *, struct sock *, struct sk_buff *)));
static_assert(__same_type(tcp_init_transfer, void(struct sock *, int, struct sk_buff *)));
static_assert(__same_type(inet_getname, int(struct socket *, struct sockaddr *, int)));
static_assert(__same_type(inet6_getname, int(struct socket *, struct sockaddr *, int)));

static inline void lvs_check_tcp_destroy_sock(void (*probe)(void *, struct sock *))
{
	check_trace_callback_type_tcp_destroy_sock(probe);
}

unsigned long lvs_ftrace_argument(struct ftrace_regs *regs, unsigned int n)
{
	return ftrace_regs_get_argument(regs, n);
}

void lvs_ftrace_redirect(struct ftrace_regs *regs, unsigned long ip)
{
	ftrace_regs_set_instruction_pointer(regs, ip);
}

/* A probe that is never armed: the only exported way from a name to an
 * address. Takes the kernel's own symbol before any module's.
 */
unsigned long lvs_function_address(const char *name)
{
	struct kprobe probe = { .symbol_name = name, .flags = KPROBE_FLAG_DISABLED };
	unsigned long address;

	if (register_kprobe(&probe))
		return 0;
	address = (unsigned long)probe.addr;
	unregister_kprobe(&probe);
	return address;
}

struct lvs_tracepoint_search {
	const char *name;
	struct tracepoint *found;
};

static void lvs_tracepoint_compare(struct tracepoint *tracepoint, void *private)
{
	struct lvs_tracepoint_search *search = private;

	if (!strcmp(tracepoint->name, search->name))
		search->found = tracepoint;
}

struct tracepoint *lvs_tracepoint(const char *name)
{
	struct lvs_tracepoint_search search = { .name = name };

	for_each_kernel_tracepoint(lvs_tracepoint_compare, &search);
	return search.found;
}

void lvs_tracepoint_synchronize(void)
{
	tracepoint_synchronize_unregister();
}
