/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * Ceilings: what SQLite and libmicrohttpd do by themselves on this machine,
 * with a row and an answer of the usual size and nothing around them.
 */
#pragma once

#include <stdint.h>

/* Rows a second that so many producers get made durable by one writer, which
 * commits all that wait together (WAL, synchronous=FULL), with an event row
 * each. */
double floor_grouped(const char *dir, unsigned producers, double seconds);
/* Queued rows a second that are claimed and completed, in two transactions
 * for each batch, with an event row each time. */
double floor_cycle(const char *dir, unsigned batch, double seconds);
/* Answers GETs with about the bytes that a small run has, on loopback, until
 * standard input ends; prints the port first. */
int floor_http(void);
