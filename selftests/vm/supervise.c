// SPDX-License-Identifier: GPL-2.0
/*
 * Process 1 of the virtual machine once its disks are mounted: runs /run/vm/script under bash and carries what it
 * writes, byte by byte, to the host, each stream through a virtio port of its own:
 *
 *   port 1  the script's standard output       port 3  the kernel log
 *   port 2  the script's standard error        port 4  one line at the end: "exit N warnings N oopses N leaks N
 *                                                       out N err N log N", the last three in bytes
 *
 * The script gets pipes, not the ports themselves: a port can be opened once only, and `echo >/dev/stderr` opens it again.
 * The run ends when the script ends. A child that it left behind may still hold the pipes: what stood in them at that
 * moment is carried, what comes later is nobody's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUT, ERR, KMSG, CONTROL, PORTS };

static int port[PORTS];
/* A write to a port returns when it is queued: the host is told how much is to come. */
static unsigned long long written[PORTS];

static void fail(const char *what)
{
	fprintf(stderr, "vm: supervise: %s: %s\n", what, strerror(errno));
	reboot(RB_AUTOBOOT);
	_exit(1);
}

/* The port's node appears when the host has said its name: soon, but not at once. */
static int open_port(int number)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/vport0p%d", number);
	for (int i = 0; i < 1000; i++) {
		int fd = open(path, O_WRONLY | O_CLOEXEC);

		if (fd >= 0)
			return fd;
		usleep(10000);
	}
	fail(path);
	return -1;
}

static void write_all(int to, const char *p, size_t n)
{
	while (n) {
		ssize_t w = write(port[to], p, n);

		if (w < 0) {
			if (errno == EINTR || errno == EAGAIN)
				continue;
			fail("write to a port");
		}
		p += w;
		n -= w;
		written[to] += w;
	}
}

/* Carries at most `limit` bytes of what stands in the pipe; false at its end. */
static int carry(int from, int to, size_t limit)
{
	static char buf[65536];

	while (limit) {
		ssize_t n = read(from, buf, limit < sizeof(buf) ? limit : sizeof(buf));

		if (n == 0)
			return 0;
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return errno == EAGAIN;
		}
		write_all(to, buf, n);
		limit -= n;
	}
	return 1;
}

/* One record of /dev/kmsg is "level,number,microseconds,flags;text"; out it goes as dmesg would write it. */
static void carry_log(int kmsg)
{
	char record[8192], line[8320];

	for (;;) {
		ssize_t n = read(kmsg, record, sizeof(record) - 1);
		unsigned long long us = 0;
		char *text, *end;

		if (n < 0 && (errno == EPIPE || errno == EINTR))
			continue; /* overwritten before it was read: go on with the oldest there is */
		if (n <= 0)
			return;
		record[n] = 0;
		text = strchr(record, ';');
		if (!text)
			continue;
		*text++ = 0;
		sscanf(record, "%*u,%*u,%llu", &us);
		end = strchr(text, '\n'); /* what follows is the dictionary */
		if (end)
			*end = 0;
		n = snprintf(line, sizeof(line), "[%5llu.%06llu] %s\n", us / 1000000, us % 1000000, text);
		write_all(KMSG, line, n);
	}
}

static long counter(const char *path)
{
	long value = 0;
	FILE *f = fopen(path, "re");

	if (f) {
		if (fscanf(f, "%ld", &value) != 1)
			value = 0;
		fclose(f);
	}
	return value;
}

/* The one that is there to find leaks has to be able to. */
static int is_debug_kernel(void)
{
	static const char end[] = "-debug";
	struct utsname name;
	size_t len;

	if (uname(&name))
		fail("uname");
	len = strlen(name.release);
	return len >= sizeof(end) - 1 && !strcmp(name.release + len - (sizeof(end) - 1), end);
}

/*
 * Memory that nothing points to any more, as far as this kernel can tell: what kmemleak knows goes to the log.
 * An object counts as leaked when two scans have not found it, and scans pass over what is younger than 5 s.
 */
static long leaks(void)
{
	static const char path[] = "/sys/kernel/debug/kmemleak";
	char line[1024];
	long found = 0;
	FILE *f;

	for (int i = 0; i < 2; i++) {
		int fd = open(path, O_WRONLY | O_CLOEXEC);

		if (fd < 0 && errno == ENOENT && !is_debug_kernel())
			return 0;
		if (fd < 0)
			fail(path);
		if (i == 0)
			sleep(6);
		if (write(fd, "scan", 4) != 4)
			fail(path);
		close(fd);
	}
	f = fopen(path, "re");
	if (!f)
		fail(path);
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, "unreferenced object", 19))
			found++;
		write_all(KMSG, line, strlen(line));
	}
	fclose(f);
	return found;
}

static pid_t start_script(int out, int err)
{
	pid_t pid = fork();

	if (pid < 0)
		fail("fork");
	if (pid == 0) {
		sigset_t none;
		int null = open("/dev/null", O_RDONLY);

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		setsid();
		dup2(null, 0);
		dup2(out, 1);
		dup2(err, 2);
		if (chdir("/share"))
			fail("/share");
		clearenv();
		setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
		setenv("HOME", "/root", 1);
		setenv("USER", "root", 1);
		setenv("LC_ALL", "C.UTF-8", 1);
		setenv("TERM", "dumb", 1);
		execl("/bin/bash", "bash", "/run/vm/script", NULL);
		fail("/bin/bash");
	}
	return pid;
}

int main(void)
{
	int out[2], err[2], kmsg, signals, status = 0, waiting;
	struct rlimit files = { 65536, 524288 };
	char last[192];
	long leaked;
	sigset_t child;
	pid_t script;

	for (int i = 0; i < PORTS; i++)
		port[i] = open_port(i + 1);
	dup2(port[KMSG], 2); /* our own complaints belong to the log */
	setrlimit(RLIMIT_NOFILE, &files);

	if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		fail("pipe");
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg < 0)
		fail("/dev/kmsg");
	carry_log(kmsg);

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0)
		fail("signalfd");
	write_all(CONTROL, "start\n", 6);
	script = start_script(out[1], err[1]);
	/* The pipes' writing ends stay open here, so that reading them never ends but by the script's end. */
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(err[0], F_SETFL, O_NONBLOCK);

	for (int ended = 0; !ended;) {
		struct pollfd p[] = {
			{ signals, POLLIN, 0 }, { out[0], POLLIN, 0 }, { err[0], POLLIN, 0 }, { kmsg, POLLIN, 0 },
		};
		struct signalfd_siginfo info;
		pid_t pid;
		int s;

		if (poll(p, 4, -1) < 0)
			continue;
		if (p[1].revents)
			carry(out[0], OUT, 65536);
		if (p[2].revents)
			carry(err[0], ERR, 65536);
		if (p[3].revents)
			carry_log(kmsg);
		if (!p[0].revents)
			continue;
		while (read(signals, &info, sizeof(info)) > 0)
			;
		while ((pid = waitpid(-1, &s, WNOHANG)) > 0)
			if (pid == script) {
				status = s;
				ended = 1;
			}
	}
	if (!ioctl(out[0], FIONREAD, &waiting))
		carry(out[0], OUT, waiting);
	if (!ioctl(err[0], FIONREAD, &waiting))
		carry(err[0], ERR, waiting);
	leaked = leaks();
	carry_log(kmsg);
	snprintf(last, sizeof(last), "exit %d warnings %ld oopses %ld leaks %ld out %llu err %llu log %llu\n",
		 WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
		 counter("/sys/kernel/warn_count"), counter("/sys/kernel/oops_count"), leaked,
		 written[OUT], written[ERR], written[KMSG]);
	write_all(CONTROL, last, strlen(last));
	/* The host ends the machine when it has read all of that; this is for a host that does not. */
	sleep(120);
	reboot(RB_AUTOBOOT);
	return 0;
}
