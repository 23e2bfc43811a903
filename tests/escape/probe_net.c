/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* SANDBOX.md list 22-25: the network and local sockets. */
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* By number, through any socket that can be had. */
static void interfaces(char **args)
{
	int s = socket(AF_UNIX, SOCK_DGRAM, 0);
	char text[4096];

	(void)args;
	if (s < 0)
		s = socket(AF_INET, SOCK_DGRAM, 0);
	for (int i = 1; s >= 0 && i < 256; i++) {
		struct ifreq r = {.ifr_ifindex = i};

		if (!ioctl(s, SIOCGIFNAME, &r))
			probe_held(r.ifr_name, !strcmp(r.ifr_name, "lo"));
	}
	probe_read("/proc/self/net/dev", text, sizeof(text));
	for (char *line = text; (line = strchr(line, '\n')); line++)
		if (strchr(line, ':') && !strncmp(line + 1, "    lo:", 7) &&
		    strchr(line + 1, '\n'))
			probe_held("after lo",
				   !strchr(strchr(line + 1, '\n'), ':'));
	probe_held("looked", true);
}

static void connect_to(const char *host, const char *port)
{
	struct sockaddr_in a4 = {.sin_family = AF_INET};
	struct sockaddr_in6 a6 = {.sin6_family = AF_INET6};
	struct timeval soon = {1, 0};
	bool six = strchr(host, ':') != NULL;
	int s = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM, 0);

	a4.sin_port = a6.sin6_port = htons((uint16_t)strtoul(port, NULL, 10));
	(void)inet_pton(AF_INET, host, &a4.sin_addr);
	(void)inet_pton(AF_INET6, host, &a6.sin6_addr);
	if (s < 0) {
		probe_tried(host, -1);
		return;
	}
	(void)setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon));
	probe_tried(host, six ? connect(s, (struct sockaddr *)&a6, sizeof(a6)) :
				connect(s, (struct sockaddr *)&a4, sizeof(a4)));
	(void)close(s);
}

/* args: pairs of address and TCP port. */
static void connect_out(char **args)
{
	for (; args[0] && args[1]; args += 2)
		connect_to(args[0], args[1]);
}

static void send_udp(char **args)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(53)};
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	for (; *args; args++) {
		(void)inet_pton(AF_INET, *args, &a.sin_addr);
		probe_tried(*args, sendto(s, "x", 1, 0, (struct sockaddr *)&a,
					  sizeof(a)));
	}
}

/* args: sockets of the host; a leading @ makes it abstract. */
static void local_sockets(char **args)
{
	for (; *args; args++) {
		struct sockaddr_un a = {.sun_family = AF_UNIX};
		size_t len = strlen(*args);
		int s = socket(AF_UNIX, SOCK_STREAM, 0);

		if (len >= sizeof(a.sun_path))
			len = sizeof(a.sun_path) - 1;
		memcpy(a.sun_path, *args, len);
		if (a.sun_path[0] == '@')
			a.sun_path[0] = '\0';
		else
			len++;
		len += offsetof(struct sockaddr_un, sun_path);
		probe_tried(*args,
			    connect(s, (struct sockaddr *)&a, (socklen_t)len));
		if (s >= 0)
			(void)close(s);
	}
}

static void families(char **args)
{
	char what[32];

	(void)args;
	for (int f = 2; f < 46; f++) {
		int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW,
			       SOCK_SEQPACKET};

		if (f == AF_INET || f == AF_INET6)
			continue;
		for (size_t t = 0; t < 4; t++) {
			int s = socket(f, types[t], 0);

			(void)snprintf(what, sizeof(what), "family %d type %d",
				       f, types[t]);
			probe_tried(what, s);
			if (s >= 0)
				(void)close(s);
		}
	}
}

/* Numbers that only the low half of counts, and families above any known. */
static void odd_families(char **args)
{
	(void)args;
	probe_tried("netlink, high half",
		    syscall(41, 0x100000000UL | AF_NETLINK, SOCK_RAW, 0));
	probe_tried(
		"vsock, high half",
		syscall(41, 0xffffffff00000000UL | AF_VSOCK, SOCK_STREAM, 0));
	probe_tried("socketpair vsock",
		    socketpair(AF_VSOCK, SOCK_STREAM, 0, (int[2]){0}));
	probe_tried("family 100", socket(100, SOCK_STREAM, 0));
	probe_tried("family -1", socket(-1, SOCK_STREAM, 0));
}

static void raw_sockets(char **args)
{
	(void)args;
	probe_tried("raw", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
	probe_tried("raw6", socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6));
	probe_tried("packet", socket(AF_INET, SOCK_PACKET, 0));
	probe_tried("raw, flags",
		    socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
}

/* args: a name that is listened on outside. */
static void proc_net(char **args)
{
	char text[65536];

	probe_read("/proc/self/net/unix", text, sizeof(text));
	probe_held("no foreign name", !strstr(text, args[0]));
	probe_read("/proc/self/net/tcp", text, sizeof(text));
	probe_held("no connection", !strstr(text, " 0A "));
	probe_read("/proc/self/net/route", text, sizeof(text));
	probe_held("no route", strchr(text, '\n') == strrchr(text, '\n'));
}

const struct probe probes_net[] = {
	{"interfaces",    interfaces   },
	{"connect_out",   connect_out  },
	{"send_udp",      send_udp     },
	{"local_sockets", local_sockets},
	{"families",      families     },
	{"odd_families",  odd_families },
	{"raw_sockets",   raw_sockets  },
	{"proc_net",      proc_net     },
	{NULL,            NULL         },
};
