/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LVS_HELPERS_PROBES_H
#define LVS_HELPERS_PROBES_H

#include <linux/ftrace.h>
#include <linux/tracepoint.h>

unsigned long lvs_ftrace_argument(struct ftrace_regs *regs, unsigned int n);
void lvs_ftrace_redirect(struct ftrace_regs *regs, unsigned long ip);
unsigned long lvs_function_address(const char *name);
struct tracepoint *lvs_tracepoint(const char *name);
void lvs_tracepoint_synchronize(void);

#endif
