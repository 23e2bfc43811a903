/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Compiler attributes, spelled once.  Knows nothing else. */
#pragma once

#define MUST_USE          __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define CLEANUP(fn)       __attribute__((cleanup(fn)))
#define NORETURN          __attribute__((noreturn))
#define PACKED            __attribute__((packed))
#define MAYBE_UNUSED      __attribute__((unused))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
