# SPDX-License-Identifier: AGPL-3.0-or-later
"""The expectations: one row a probe and what may come of it.

item     its number in the list of escape tests of the sandbox's design
profiles where the row holds
expect   outcomes that are right: errno names, signals, "held" (a property that
         must hold does), "ok" (the call works: only in the positive controls)
args     for the probe; {names} are filled in from the host's scenery
bare     who may run it without a sandbox: there it must be found ALLOWED,
         which shows that the probe can tell; what could harm the host, or
         needs a sandbox to be meaningful, is not run so
needs    "root": the scenery can only be made by root; "scope": Landlock's
"""
from typing import NamedTuple

PROFILES = ("strict", "default", "net", "build")
SOCKETS = ("default", "net", "build")
NO_INET = ("default", "build")

NO = "EPERM,ENOSYS"
NO_FAMILY = "EAFNOSUPPORT,EPERM,EACCES"
NO_FILE = "ENOENT,EACCES"
UNREACHED = "ECONNREFUSED,ENETUNREACH,EHOSTUNREACH"


class Row(NamedTuple):
    item: int
    probe: str
    profiles: tuple
    expect: str
    args: tuple = ()
    options: tuple = ()
    bare: tuple = ()
    needs: str = ""


BOTH = ("root", "user")
ROOT = ("root",)

ROWS = (
    # Descriptors and identity.
    Row(1, "fds", PROFILES, "held", bare=BOTH),
    Row(2, "cwd", PROFILES, "held", ("/work",), bare=BOTH),
    Row(2, "climb", PROFILES, NO_FILE, bare=ROOT),
    Row(4, "ids", PROFILES, "held,EPERM,EINVAL,ENOSYS", ("{who}",),
        bare=ROOT),
    Row(4, "groups", PROFILES, "held", needs="root"),
    Row(5, "caps", PROFILES, "held", bare=BOTH),
    Row(5, "securebits", PROFILES, "held,EPERM,EINVAL", bare=BOTH),
    Row(6, "privileged_file", PROFILES, "held", ("{tools}/setuid",),
        needs="root"),
    Row(6, "own_setuid", PROFILES, "held", ("/work",)),
    Row(6, "own_setuid", PROFILES, "held", ("/tmp",)),
    Row(7, "privileged_file", PROFILES, "held", ("{tools}/filecaps",),
        needs="root"),
    # The launcher.
    Row(8, "launcher_files", PROFILES, "ETXTBSY,EROFS,EPERM," + NO_FILE,
        ("{launcher}", "{host_tools}/probe"), bare=ROOT),
    Row(9, "proc_init", PROFILES, "EPERM," + NO_FILE, bare=ROOT),
    Row(10, "trace", PROFILES, "EPERM,ENOSYS,ESRCH"),
    Row(11, "kill_init", PROFILES, "held"),
    Row(11, "limits_of_init", PROFILES, "EPERM,ENOSYS"),
    Row(11, "kill_host", PROFILES, "ESRCH,ENOENT", ("{pid}",)),
    # Namespaces and mounts.
    Row(13, "unshare_all", PROFILES, NO, bare=BOTH),
    Row(13, "clone_all", PROFILES, "EPERM", bare=ROOT),
    Row(13, "clone3_any", PROFILES, "ENOSYS", bare=BOTH),
    Row(14, "join_spaces", PROFILES, "EPERM,ENOSYS," + NO_FILE, bare=ROOT),
    Row(15, "mounts", PROFILES, NO, bare=ROOT),
    Row(16, "handles", PROFILES, NO, bare=BOTH),
    Row(17, "make_nodes", PROFILES, "EPERM,EACCES,ENOSYS", bare=ROOT),
    Row(17, "devices", PROFILES, NO_FILE, bare=ROOT),
    Row(17, "device_list", PROFILES, "held"),
    Row(18, "read_only", PROFILES, "EROFS,EPERM," + NO_FILE),
    Row(19, "mount_table", PROFILES, "held", bare=BOTH),
    Row(20, "pids", PROFILES, "held"),
    Row(21, "ipc", PROFILES, "ENOENT,EPERM,ENOSYS,EACCES",
        ("{key}", "{queue}", "{shm_file}"), bare=BOTH),
    Row(21, "hostname", PROFILES, "held," + NO, ("{hostname}",)),
    # A workspace of the host, and its network.
    Row(19, "mount_table", PROFILES, "held", ("/work",),
        ("--bind", "{work}:/work")),
    Row(6, "own_setuid", ("build",), "held", ("/work",),
        ("--bind", "{work}:/work")),
    Row(0, "write_files", PROFILES, "ok,held", ("/work",),
        ("--bind", "{work}:/work")),
    Row(23, "local_sockets", ("net",), "EPERM,ENOENT,ECONNREFUSED",
        ("@{abstract}", "{socket}"), ("--net", "host"), needs="scope"),
    Row(24, "raw_sockets", ("net",), "EPERM,EACCES,EAFNOSUPPORT", (),
        ("--net", "host")),
    # The network.
    Row(22, "interfaces", PROFILES, "held"),
    Row(22, "connect_out", ("strict",), NO, ("127.0.0.1", "{port}")),
    Row(22, "connect_out", NO_INET, NO_FAMILY,
        ("127.0.0.1", "{port}", "::1", "{port}"), bare=BOTH),
    Row(22, "connect_out", ("net",), UNREACHED,
        ("127.0.0.1", "{port}", "::1", "{port}", "{address}", "{port}",
         "169.254.169.254", "80", "192.0.2.1", "443", "2001:db8::1", "443"),
        bare=BOTH),
    Row(22, "send_udp", ("net",), "ENETUNREACH,EHOSTUNREACH",
        ("192.0.2.1", "169.254.169.254")),
    Row(23, "local_sockets", ("strict",), NO, ("@{abstract}", "{socket}")),
    Row(23, "local_sockets", SOCKETS, "ECONNREFUSED,ENOENT,EPERM",
        ("@{abstract}", "{socket}", "/run/dbus/system_bus_socket"),
        bare=BOTH),
    Row(24, "families", ("strict",), NO, bare=BOTH),
    Row(24, "families", SOCKETS, NO_FAMILY, bare=BOTH),
    Row(24, "odd_families", ("strict",), NO),
    Row(24, "odd_families", SOCKETS, NO_FAMILY, bare=BOTH),
    Row(24, "raw_sockets", ("net",), "EPERM,EACCES,EAFNOSUPPORT", bare=ROOT),
    Row(24, "raw_sockets", NO_INET, NO_FAMILY),
    Row(25, "proc_net", PROFILES, "held", ("{abstract}",), bare=BOTH),
    # System calls.
    Row(26, "keyrings", PROFILES, NO, bare=BOTH),
    Row(27, "uring", PROFILES, NO),
    Row(28, "watchers", PROFILES, NO),
    Row(31, "machine", PROFILES, NO),
    Row(31, "hang_up", PROFILES, NO),
    Row(31, "change_personality", ("strict", "default", "net"), NO,
        ("0x40000", "0x400000"), bare=BOTH),
    Row(31, "change_personality", ("build",), NO, ("0x400000",), bare=BOTH),
    Row(32, "clocks", PROFILES, NO),
    Row(33, "foreign", PROFILES, "SIGSYS"),
    Row(34, "unknown_numbers", PROFILES, NO),
    Row(35, "terminal_ioctls", PROFILES, NO + ",EACCES"),
    Row(35, "terminal", PROFILES,
        "held,ENXIO,ENOENT,EPERM,ENOTTY"),
    Row(36, "own_filter", PROFILES, NO, bare=ROOT),
    Row(37, "process_controls", PROFILES, "EPERM,EINVAL," + NO_FILE,
        bare=ROOT),
    Row(38, "exec_from_memory", PROFILES, "held", ("keyrings", NO),
        bare=BOTH),
    Row(40, "priorities", PROFILES,
        "held,EPERM,EACCES,ENOSYS,ENOMEM,EAGAIN", bare=ROOT),
    # Leaks.
    Row(41, "kernel_writes", PROFILES, "EPERM,EROFS," + NO_FILE),
    Row(41, "map_ids", PROFILES, "EPERM,EROFS," + NO_FILE),
    Row(42, "host_files", PROFILES, "ENOTDIR," + NO_FILE,
        ("{launcher}", "{socket}", "{host_file}"), bare=BOTH),
    Row(43, "control_groups", PROFILES, "held,EPERM,EROFS," + NO_FILE),
    Row(44, "environment", PROFILES, "held",
        ("{secret}", "PATH", "HOME", "LANG"), bare=BOTH),
    Row(45, "core", PROFILES, "held"),
    Row(47, "foreign_links", PROFILES, "EXDEV,EROFS,ENOSYS,EPERM," + NO_FILE,
        ("/work",)),
    # What must work.
    Row(0, "write_files", PROFILES, "ok,held", ("/work", "/tmp")),
    Row(0, "run_program", PROFILES, "ok",
        ("sh", "-c", "test \"$(echo a b | wc -w)\" -eq 2")),
    Row(0, "run_program", PROFILES, "ok",
        ("sh", "-c", "echo x >/dev/null && head -c 8 /dev/urandom >a &&"
         " test -s a && test $(id -u) != 0")),
    Row(0, "run_program", PROFILES, "ok",
        ("sh", "-c", "test \"$GREETING\" = \"hello world\""),
        ("--env", "GREETING=hello world")),
    Row(0, "thread", PROFILES, "ok,held"),
    Row(0, "unix_pair", SOCKETS, "ok,held"),
    Row(0, "socket_of", ("net",), "ok"),
    Row(0, "inet_loopback", ("net",), "ok"),
    Row(0, "trace_child", ("build",), "ok"),
    Row(0, "trace_child", ("strict", "default", "net"), NO),
    Row(0, "change_personality", ("build",), "ok", ("0x40000",)),
)

# Taking too much, with --memory 64M --pids 64 (list 48-59).
LIMITED = ("--memory", "64M", "--pids", "64")
EATEN = "SIGKILL,ENOSPC,ENOMEM,EAGAIN,EDQUOT,EFBIG"
SHARES = (
    Row(48, "fork_bomb", ("default",), "EAGAIN,held", ("64",), bare=ROOT),
    Row(48, "threads", ("default",), "EAGAIN,held", ("64",), bare=ROOT),
    Row(49, "memory", ("default",), EATEN, ("anonymous",), bare=BOTH),
    Row(49, "memory", ("default",), EATEN, ("tmp",)),
    Row(49, "memory", ("default",), EATEN, ("shm",)),
    Row(49, "memory", ("default",), EATEN, ("memfd",), bare=BOTH),
    Row(49, "memory", ("default",), EATEN, ("shared",)),
    Row(49, "memory", ("default",), EATEN + ",EMFILE,ENFILE", ("pipes",)),
    Row(50, "inodes", ("default",), EATEN, ("/tmp", "300000")),
    Row(56, "orphans", ("default",), "held", ("300",)),
)

# The same without a control group (an ordinary user may have none).
UNLIMITED = (
    Row(50, "disk", PROFILES, "held,ENOSPC,EFBIG", ("/work", "/tmp")),
    Row(58, "raise_limits", PROFILES, "held,EPERM", bare=ROOT),
    Row(59, "kernel_objects", SOCKETS, "EMFILE,ENFILE,ENOSPC"),
)
