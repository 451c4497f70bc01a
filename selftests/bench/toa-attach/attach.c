// SPDX-License-Identifier: GPL-2.0
/*
 * The ways in which toa.ko could attach itself, each doing nothing but being
 * there: what they cost is measured by ../toa-attach.py.
 *
 *   how=1  exit fprobes on inet_getname and tcp_v4_syn_recv_sock
 *   how=2  kretprobes on both
 *   how=3  entry fprobes on tcp_child_process and inet_getname
 *   how=4  ftrace_ops on tcp_child_process and tcp_init_transfer, and one that
 *          redirects inet_getname (what toa.ko does)
 *   how=5  entry ops on tcp_create_openreq_child and inet_csk_reqsk_queue_add
 */
#include <linux/fprobe.h>
#include <linux/ftrace.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <net/inet_common.h>

static int how;
module_param(how, int, 0444);

static unsigned long hits;
static unsigned long missed;
module_param(hits, ulong, 0444);
module_param(missed, ulong, 0444);

static int entered(struct fprobe *fp, unsigned long ip, unsigned long ret, struct ftrace_regs *regs, void *data)
{
	hits++;
	return 0;
}

static void left(struct fprobe *fp, unsigned long ip, unsigned long ret, struct ftrace_regs *regs, void *data)
{
	hits++;
}

static struct fprobe exits = { .exit_handler = left };
static struct fprobe entries = { .entry_handler = entered };

static int returned(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	hits++;
	return 0;
}

static struct kretprobe returns[] = {
	{ .kp.symbol_name = "inet_getname", .handler = returned, .maxactive = 64 },
	{ .kp.symbol_name = "tcp_v4_syn_recv_sock", .handler = returned, .maxactive = 64 },
};

static void watched(unsigned long ip, unsigned long parent, struct ftrace_ops *ops, struct ftrace_regs *regs)
{
	hits++;
}

static int own_getname(struct socket *sock, struct sockaddr *name, int peer)
{
	int len = inet_getname(sock, name, peer);

	hits++;
	barrier();
	return len;
}

static void redirected(unsigned long ip, unsigned long parent, struct ftrace_ops *ops, struct ftrace_regs *regs)
{
	if (ftrace_regs_get_argument(regs, 2) && !within_module(parent, THIS_MODULE))
		ftrace_regs_set_instruction_pointer(regs, (unsigned long)own_getname);
}

static struct ftrace_ops ops[] = {
	{ .func = watched, .flags = FTRACE_OPS_FL_PERMANENT },
	{ .func = watched, .flags = FTRACE_OPS_FL_PERMANENT },
	{ .func = redirected, .flags = FTRACE_OPS_FL_PERMANENT | FTRACE_OPS_FL_IPMODIFY },
};

static int watch(struct ftrace_ops *op, char *name)
{
	int err = ftrace_set_filter(op, name, strlen(name), 1);

	return err ?: register_ftrace_function(op);
}

static int __init attach_init(void)
{
	static const char *names[] = { "inet_getname", "tcp_v4_syn_recv_sock" };
	static const char *entry_names[] = { "inet_getname", "tcp_child_process" };

	switch (how) {
	case 1:
		return register_fprobe_syms(&exits, names, 2);
	case 2:
		return register_kretprobe(&returns[0]) ?: register_kretprobe(&returns[1]);
	case 3:
		return register_fprobe_syms(&entries, entry_names, 2);
	case 4:
		return watch(&ops[0], "tcp_child_process") ?: watch(&ops[1], "tcp_init_transfer") ?:
		       watch(&ops[2], "inet_getname");
	case 5:
		return watch(&ops[0], "tcp_create_openreq_child") ?: watch(&ops[1], "inet_csk_reqsk_queue_add");
	}
	return 0;
}

static void __exit attach_exit(void)
{
	int i;

	switch (how) {
	case 1:
		unregister_fprobe(&exits);
		break;
	case 2:
		for (i = 0; i < 2; i++)
			unregister_kretprobe(&returns[i]);
		break;
	case 3:
		unregister_fprobe(&entries);
		break;
	case 4:
	case 5:
		for (i = 0; i < (how == 4 ? 3 : 2); i++)
			unregister_ftrace_function(&ops[i]);
		synchronize_rcu_tasks();
		break;
	}
}

module_init(attach_init);
module_exit(attach_exit);
MODULE_DESCRIPTION("Ways to attach to accept and getpeername, to be measured");
MODULE_LICENSE("GPL");
