/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * log.idx: what lies where in log.data.  The runner appends one record for
 * each frame it wrote to log.data, after the bytes; the server reads.  Records
 * are of one size, so that number N (from 1) is the frame's sequence number
 * and lies at (N - 1) * LOGIDX_LEN.  Little-endian:
 *
 *   0 time_us i64   real time, microseconds since 1970
 *   8 offset  u64   where the frame starts in log.data
 *  16 len     u32   its bytes, 1..LOGIDX_FRAME_MAX (0 only with LOGIDX_CUT)
 *  20 stream  u8    enum logidx_stream
 *  21 flags   u8    LOGIDX_* bits
 *  22 zero    u16
 *  24 zero    u32
 *  28 check   u32   FNV-1a over the 28 bytes before
 *
 * What a crash left behind (a short record, a wrong checksum, a frame beyond
 * the end of log.data) ends the log there: readers never see it.
 */
#pragma once

#include "base/err.h"
#include <stdint.h>

enum {
	LOGIDX_LEN = 32,
	LOGIDX_FRAME_MAX = 65536
};

enum logidx_stream {
	LOGIDX_STDOUT = 1,
	LOGIDX_STDERR = 2,
	LOGIDX_SYSTEM = 3, /* said by nfo itself */
};

enum {
	LOGIDX_CUT = 1 /* the log limit was reached; nothing follows */
};

struct logidx_rec {
	int64_t time_us;
	uint64_t offset;
	uint32_t len;
	uint8_t stream, flags;
};

void logidx_encode(const struct logidx_rec *r, unsigned char out[LOGIDX_LEN]);
/* -1 when the checksum or a field is wrong. */
MUST_USE int logidx_decode(const unsigned char in[LOGIDX_LEN],
			   struct logidx_rec *ret);

/*
 * Read records from number seq (1 is the first) on, at most max of them, as
 * far as they are whole and their frames lie within data_len bytes.
 *
 * fd     log.idx; read with pread, its position is not moved
 * ret    room for max records
 * ret_n  how many; 0 at the end
 *
 * Fails only when reading does (ERR_INTERNAL).
 */
MUST_USE int logidx_read(int fd, uint64_t seq, uint64_t data_len,
			 struct logidx_rec *ret, size_t max, size_t *ret_n,
			 struct err *e);
