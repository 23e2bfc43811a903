# SPDX-License-Identifier: AGPL-3.0-or-later
"""List 70: where the kernel refuses a step, the sandbox refuses the task, or
is whole all the same; it never runs weaker."""
import errno

import pytest

import jail as jails

# Numbers of x86-64.
CALLS = {
    "clone3": 435, "unshare": 272, "mount": 165, "pivot_root": 155,
    "umount2": 166, "open_tree": 428, "move_mount": 429, "fsopen": 430,
    "fsconfig": 431, "fsmount": 432, "mount_setattr": 442, "setsid": 112,
    "close_range": 436, "sethostname": 170, "setrlimit": 160, "prctl": 157,
    "seccomp": 317, "capset": 126, "landlock_create_ruleset": 444,
    "landlock_add_rule": 445, "landlock_restrict_self": 446,
    "setgroups": 116, "setresgid": 119, "setresuid": 117, "mkdirat": 258,
    "socket": 41, "setns": 308, "chdir": 80, "keyctl": 250,
}
# Steps without which there is no sandbox: these must be refused by name.
VITAL = {"pivot_root", "open_tree", "move_mount", "fsopen", "fsconfig",
         "fsmount", "mount_setattr", "close_range", "prctl", "seccomp",
         "capset", "landlock_create_ruleset", "landlock_add_rule",
         "landlock_restrict_self"}
VITAL_FOR_ROOT = VITAL | {"setgroups", "setresgid", "setresuid"}

# What a whole sandbox looks like from inside: pairs for the probe `each`.
WHOLE = ("pids", "held", "fds", "held", "caps", "held",
         "mounts", "EPERM,ENOSYS",
         "unshare_all", "EPERM,ENOSYS", "clone3_any", "ENOSYS",
         "keyrings", "EPERM,ENOSYS", "interfaces", "held",
         "read_only", "EROFS,EPERM,ENOENT,EACCES",
         "control_groups", "held,EPERM,EROFS,ENOENT,EACCES",
         "proc_init", "EPERM,ENOENT,EACCES",
         "priorities", "held,EPERM,EACCES,ENOSYS,ENOMEM,EAGAIN")


def launch(jail, who, call, error):
    return jail.run(who, [
        jail.probe, "refuse", "-", str(CALLS[call]), str(error),
        *jail.sandbox("default"), f"{jails.TOOLS}/probe", "each", "held",
        *WHOLE])


def test_it_is_whole(jail, who):
    """The basis of what follows: nothing refused, all probes held."""
    result = jail.run(who, [*jail.sandbox("default"), f"{jails.TOOLS}/probe",
                            "each", "held", *WHOLE])
    assert result.code == 0, (result.line("each"), result.err)


@pytest.mark.parametrize("error", ("EPERM", "ENOSYS"))
@pytest.mark.parametrize("call", CALLS)
def test_fault(jail, who, call, error):
    result = launch(jail, who, call, getattr(errno, error))
    vital = VITAL_FOR_ROOT if who == "root" else VITAL
    assert result.code in (0, 125), (result.line("each"), result.err)
    if result.code == 125:
        assert result.err.startswith("nfo sandbox: "), result
    assert result.code == 125 or call not in vital, result


def test_without_landlock_only_when_asked_for(jail, who):
    """Then it is said, and what Landlock also guards is read-only anyway."""
    refuse = [jail.probe, "refuse", "-",
              str(CALLS["landlock_create_ruleset"]), str(errno.ENOSYS)]
    result = jail.run(who, [*refuse, *jail.sandbox("default"), "true"])
    assert result.code == 125 and "Landlock" in result.err, result
    result = jail.run(who, [
        *refuse, *jail.sandbox("default", "--allow-no-landlock"), "sh", "-c",
        "for f in x script secrets/x; do (echo >/run/nfo/$f) && exit 1; done;"
        " chmod 700 /run/nfo/script && exit 1;"
        " echo fine >/run/nfo/outputs/x && cat /run/nfo/outputs/x"])
    assert result.code == 0 and result.out == "fine\n", result
    assert result.err.startswith("nfo sandbox: without Landlock"), result
