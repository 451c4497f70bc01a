// SPDX-License-Identifier: GPL-2.0
/*
 * C that Rust cannot call: inline functions and macros, one line each, by
 * area. The names begin with lvs_ because the kernel exports helpers of its
 * own as rust_helper_*.
 */
#include "control.c"
#include "data.c"
#include "ip.c"
#include "probes.c"
#include "sock.c"
#include "tunnel.c"
