/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * The roles' seccomp filters: what is refused, by group; all else goes.  Made
 * by hand (base/bpf.h), so that no role links a library for it.
 */
#include "base/bpf.h"
#include "role/confine.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define NATIVE  AUDIT_ARCH_X86_64
#define X32_BIT 0x40000000u
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#else
#error "the calls of this machine are not in confine_calls.c yet"
#endif

static const struct {
	unsigned group;
	int nr;
} refused[] = {
	{REFUSE_RARE,    SYS_bpf              },
	{REFUSE_RARE,    SYS_perf_event_open  },
	{REFUSE_RARE,    SYS_io_uring_setup   },
	{REFUSE_RARE,    SYS_io_uring_enter   },
	{REFUSE_RARE,    SYS_io_uring_register},
	{REFUSE_RARE,    SYS_userfaultfd      },
	{REFUSE_RARE,    SYS_init_module      },
	{REFUSE_RARE,    SYS_finit_module     },
	{REFUSE_RARE,    SYS_delete_module    },
	{REFUSE_RARE,    SYS_kexec_load       },
	{REFUSE_RARE,    SYS_reboot           },
	{REFUSE_RARE,    SYS_swapon           },
	{REFUSE_RARE,    SYS_swapoff          },
	{REFUSE_RARE,    SYS_acct             },
	{REFUSE_RARE,    SYS_quotactl         },
	{REFUSE_RARE,    SYS_fanotify_init    },
	{REFUSE_RARE,    SYS_open_by_handle_at},
	{REFUSE_RARE,    SYS_name_to_handle_at},
	{REFUSE_RARE,    SYS_settimeofday     },
	{REFUSE_RARE,    SYS_clock_settime    },
	{REFUSE_RARE,    SYS_adjtimex         },
	{REFUSE_RARE,    SYS_clock_adjtime    },
	{REFUSE_RARE,    SYS_vhangup          },
	{REFUSE_RARE,    SYS_add_key          },
	{REFUSE_RARE,    SYS_request_key      },
	{REFUSE_RARE,    SYS_pidfd_getfd      },

	{REFUSE_PEEK,    SYS_ptrace           },
	{REFUSE_PEEK,    SYS_process_vm_readv },
	{REFUSE_PEEK,    SYS_process_vm_writev},
	{REFUSE_PEEK,    SYS_process_madvise  },
	{REFUSE_PEEK,    SYS_kcmp             },
	{REFUSE_PEEK,    SYS_move_pages       },
	{REFUSE_PEEK,    SYS_migrate_pages    },

	{REFUSE_ADMIN,   SYS_mount            },
	{REFUSE_ADMIN,   SYS_umount2          },
	{REFUSE_ADMIN,   SYS_pivot_root       },
	{REFUSE_ADMIN,   SYS_chroot           },
	{REFUSE_ADMIN,   SYS_fsopen           },
	{REFUSE_ADMIN,   SYS_fsconfig         },
	{REFUSE_ADMIN,   SYS_fsmount          },
	{REFUSE_ADMIN,   SYS_fspick           },
	{REFUSE_ADMIN,   SYS_move_mount       },
	{REFUSE_ADMIN,   SYS_open_tree        },
	{REFUSE_ADMIN,   SYS_mount_setattr    },
	{REFUSE_ADMIN,   SYS_setns            },
	{REFUSE_ADMIN,   SYS_unshare          },
	{REFUSE_ADMIN,   SYS_keyctl           },
	{REFUSE_ADMIN,   SYS_setuid           },
	{REFUSE_ADMIN,   SYS_setgid           },
	{REFUSE_ADMIN,   SYS_setreuid         },
	{REFUSE_ADMIN,   SYS_setregid         },
	{REFUSE_ADMIN,   SYS_setresuid        },
	{REFUSE_ADMIN,   SYS_setresgid        },
	{REFUSE_ADMIN,   SYS_setgroups        },
	{REFUSE_ADMIN,   SYS_setfsuid         },
	{REFUSE_ADMIN,   SYS_setfsgid         },
	{REFUSE_ADMIN,   SYS_capset           },
	{REFUSE_ADMIN,   SYS_mknodat          },
	{REFUSE_ADMIN,   SYS_personality      },
	{REFUSE_ADMIN,   SYS_sethostname      },
	{REFUSE_ADMIN,   SYS_setdomainname    },
	{REFUSE_ADMIN,   SYS_syslog           },

	{REFUSE_EXEC,    SYS_execve           },
	{REFUSE_EXEC,    SYS_execveat         },

	{REFUSE_SIGNAL,  SYS_kill             },
	{REFUSE_SIGNAL,  SYS_tkill            },
	{REFUSE_SIGNAL,  SYS_rt_sigqueueinfo  },
	{REFUSE_SIGNAL,  SYS_rt_tgsigqueueinfo},
	{REFUSE_SIGNAL,  SYS_pidfd_send_signal},

	{REFUSE_CONNECT, SYS_socket           },
	{REFUSE_CONNECT, SYS_connect          },
	{REFUSE_CONNECT, SYS_bind             },
	{REFUSE_CONNECT, SYS_listen           },

	{REFUSE_ACCEPT,  SYS_accept           },
	{REFUSE_ACCEPT,  SYS_accept4          },
#ifdef __x86_64__
	{REFUSE_RARE,    SYS_kexec_file_load  },
	{REFUSE_RARE,    SYS_iopl             },
	{REFUSE_RARE,    SYS_ioperm           },
	{REFUSE_RARE,    SYS_modify_ldt       },
	{REFUSE_ADMIN,   SYS_mknod            },
	{REFUSE_FORK,    SYS_fork             },
	{REFUSE_FORK,    SYS_vfork            },
#endif
};

/* By the low 32 bits of one argument, as the kernel reads an int. */
static const struct argument {
	unsigned group;
	int nr;
	unsigned arg;
	enum {
		REFUSE_BITS, /* any of them is set */
		WANT_BITS,   /* none of them is */
		WANT_VALUE,  /* it is another */
		WANT_OWN_PID,
	} kind;
	uint32_t value;
} arguments[] = {
	{REFUSE_EXEC,   SYS_mmap,          2, REFUSE_BITS,  PROT_EXEC   },
	{REFUSE_EXEC,   SYS_mprotect,      2, REFUSE_BITS,  PROT_EXEC   },
	{REFUSE_EXEC,   SYS_pkey_mprotect, 2, REFUSE_BITS,  PROT_EXEC   },
	{REFUSE_FORK,   SYS_clone,         0, WANT_BITS,    CLONE_THREAD},
	{REFUSE_SIGNAL, SYS_tgkill,        0, WANT_OWN_PID, 0           },
	{REFUSE_PEEK,   SYS_prlimit64,     0, WANT_VALUE,   0           },
};

enum {
	CALLS_MAX = ARRAY_LEN(refused) + ARRAY_LEN(arguments) + 1
};

/* The calls that a group names. */
static size_t name_calls(unsigned groups, struct bpf_call calls[CALLS_MAX])
{
	const uint32_t no = SECCOMP_RET_ERRNO | EPERM;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		if (refused[i].group & groups)
			calls[n++] = (struct bpf_call){(uint32_t)refused[i].nr,
						       no, NULL};
	for (size_t i = 0; i < ARRAY_LEN(arguments); i++)
		if (arguments[i].group & groups)
			calls[n++] = (struct bpf_call){
				(uint32_t)arguments[i].nr, no, &arguments[i]};
	/* It hides its flags in memory; the C library falls back to clone. */
	if (groups & REFUSE_FORK)
		calls[n++] = (struct bpf_call){
			SYS_clone3, SECCOMP_RET_ERRNO | ENOSYS, NULL};
	return n;
}

/* ctx: the number of our own process. */
static void look(struct bpf *p, const void *what, const void *ctx)
{
	const struct argument *a = what;
	bool bits = a->kind == REFUSE_BITS || a->kind == WANT_BITS;
	uint32_t v =
		a->kind == WANT_OWN_PID ? *(const uint32_t *)ctx : a->value;
	bool refuse_if = a->kind == REFUSE_BITS;

	bpf_load(p, bpf_argument(a->arg));
	bpf_put(p, BPF_JMP | (bits ? BPF_JSET : BPF_JEQ) | BPF_K, v,
		refuse_if ? 0 : 1, refuse_if ? 1 : 0);
	bpf_return(p, SECCOMP_RET_ERRNO | EPERM);
	bpf_return(p, SECCOMP_RET_ALLOW);
}

size_t confine_calls_build(unsigned groups, uint32_t own_pid,
			   struct sock_filter out[CONFINE_CALLS_MAX])
{
	struct bpf p = {.out = out, .max = CONFINE_CALLS_MAX};
	struct bpf_call calls[CALLS_MAX];

	bpf_load(&p, offsetof(struct seccomp_data, arch));
	bpf_put(&p, BPF_JMP | BPF_JEQ | BPF_K, NATIVE, 1, 0);
	bpf_return(&p, SECCOMP_RET_KILL_PROCESS);
	bpf_load(&p, offsetof(struct seccomp_data, nr));
#ifdef X32_BIT
	/* -1 is what a tracer makes of a call that it skips. */
	bpf_put(&p, BPF_JMP | BPF_JEQ | BPF_K, UINT32_MAX, 2, 0);
	bpf_put(&p, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
	bpf_return(&p, SECCOMP_RET_KILL_PROCESS);
#endif
	bpf_calls(&p, calls, name_calls(groups, calls), look, &own_pid);
	return p.failed ? 0 : p.n;
}

int confine_calls(unsigned groups, uint32_t own_pid, struct err *e)
{
	struct sock_filter code[CONFINE_CALLS_MAX];
	struct sock_fprog f = {.filter = code};
	size_t n = confine_calls_build(groups, own_pid, code);

	if (!n)
		return err_set(e, ERR_INTERNAL, "seccomp: the filter is long");
	f.len = (unsigned short)n;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &f))
		return err_sys(e, errno, "seccomp");
	return 0;
}
