/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The C headers that the wrappers in rust/kapi are made from, by area. What of
 * them is bound is listed in bindgen_parameters.
 */
#include <linux/hrtimer_types.h>

#include "data.h"
#include "control.h"
#include "probes.h"
#include "sock.h"
