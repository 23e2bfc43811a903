# SPDX-License-Identifier: AGPL-3.0-or-later
"""The processes themselves: what each gave up, who it is, and that one can be
replaced without what runs noticing it."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest

import nfo as programs
import provider

ROOT = os.geteuid() == 0
WAITS = ("tasks: { t: { run: 'echo up; while [ ! -e /tmp/never ]; do "
         "sleep 1; done' } }")
SLOW = "tasks: { t: { run: 'echo up; sleep 2; echo done' } }"


def status(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(re.findall(r"^(\w+):[ \t]*(.*)$", text, re.M))


def runner(nfo):
    """The pid of the one runner."""
    def find():
        for pid in programs.descendants(nfo.role("zygote")):
            return pid
    return nfo.until(find)


def confined(pid):
    s = status(pid)
    assert (s["NoNewPrivs"], s["Seccomp"]) == ("1", "2"), s
    for caps in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(s[caps], 16) == 0, (caps, s)
    limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
    assert re.search(r"^Max core file size +0 +0 ", limits, re.M)
    # The kernel gives the files of a process that is not dumpable to root.
    assert os.stat(f"/proc/{pid}/status").st_uid == 0


@pytest.mark.parametrize("role", ("server", "keeper", "zygote"))
def test_a_role_has_given_up_what_it_does_not_need(nfo, role):
    confined(nfo.role(role))


@pytest.mark.skipif(not ROOT, reason="others cannot look into a role")
def test_a_keeper_without_providers_has_no_http(nfo):
    def has():
        maps = pathlib.Path(f"/proc/{nfo.role('keeper')}/maps").read_text()
        return "libcrypto.so" in maps, "libcurl.so" in maps

    def program():
        exe = f"/proc/{nfo.role('keeper')}/exe"
        return pathlib.Path(os.readlink(exe)).name

    assert (program(), has()) == ("nfo-keeper", (True, False))
    nfo.stop()
    token = nfo.write("token", "x")
    token.chmod(0o600)
    nfo.serve("--config", nfo.write("server.json", json.dumps({
        "secret_providers": [{"address": "http://127.0.0.1:1",
                              "auth": "token", "token_file": str(token)}]})))
    assert (program(), has()) == ("nfo-keeper-vault", (True, True))


@pytest.fixture
def source():
    it = provider.Provider(provider.Key("k", "EdDSA"))
    yield it
    it.close()


def test_the_fetcher_has_too(cold, source):
    provider.serve(cold, {"oidc": [{
        "name": "corp", "issuer": provider.ISSUER, "audience": "nfo",
        "jwks_uri": source.uri}]})
    pid = cold.role("fetcher")
    confined(pid)
    if ROOT:
        uid = status(pid)["Uid"].split()[0]
        assert uid not in ("0", status(cold.role("server"))["Uid"].split()[0])
        mine = os.listdir(f"/proc/{pid}/fd")
        files = [os.readlink(f"/proc/{pid}/fd/{n}") for n in mine]
        assert not [f for f in files if f.startswith(f"{cold.state}/")]


def test_a_runner_has_too(nfo):
    run = nfo.run(WAITS, wait=None)
    nfo.until_state(run, "running", "t")
    confined(runner(nfo))


def test_the_privileged_have_a_filter_or_fewer_capabilities(nfo):
    s = status(nfo.role("spawner"))
    assert (s["NoNewPrivs"], s["Seccomp"]) == ("1", "2")
    if ROOT:
        for pid in (nfo.role("spawner"), nfo.monitor()):
            have = int(status(pid)["CapEff"], 16)
            for name, bit in (("SYS_MODULE", 16), ("SYS_RAWIO", 17),
                              ("SYS_BOOT", 22), ("SYS_TIME", 25),
                              ("SYSLOG", 34), ("BPF", 39)):
                assert not have >> bit & 1, name


@pytest.mark.skipif(not ROOT, reason="only root's roles have several users")
def test_roles_of_root_have_users_of_their_own(nfo):
    run = nfo.run(WAITS, wait=None)
    nfo.until_state(run, "running", "t")
    pids = [nfo.role("server"), nfo.role("keeper"), runner(nfo)]
    uids = [status(pid)["Uid"].split() for pid in pids]
    assert all(len(set(u)) == 1 and u[0] != "0" for u in uids), uids
    assert len({u[0] for u in uids}) == 3
    assert all(status(pid)["Groups"] == "" for pid in pids)


def test_nothing_is_told_in_arguments_or_environment(nfo):
    for name in ("server", "keeper", "spawner", "zygote"):
        pid = nfo.role(name)
        line = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
        assert line.rstrip(b"\0") == f"nfo: {name}".encode()
        try:
            env = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
        except PermissionError:
            continue  # not ours to read: not dumpable
        assert {e.split(b"=")[0] for e in env.split(b"\0") if e} <= \
            {b"PATH", b"LANG"}


@pytest.mark.skipif(not shutil.which("strace"),
                    reason="the program strace is not installed")
def test_the_walls_stand_before_the_first_word_from_outside(cold):
    """In the order of system calls, for each role and for a runner."""
    trace = cold.home / "trace"
    calls = "execveat,landlock_restrict_self,seccomp,accept4,recvmsg,openat"
    args = ["strace", "-ff", "-qq", "-s", "64", "-o", trace, "-e",
            f"trace={calls}", programs.BIN / "nfo", "serve", "--cgroups",
            "prefer"]
    err = cold.home / "serve.err"
    with open(err, "wb") as out:
        cold.serving = subprocess.Popen(
            args, env=cold.env, cwd=cold.home, stderr=out,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    cold.until(lambda: b"ready" in err.read_bytes()
               or cold.serving.poll() is not None)
    if cold.serving.poll() is not None:
        text = err.read_text()
        cold.serving = None
        if "ptrace" in text.lower() and "permitted" in text.lower():
            pytest.skip("strace may not trace here: " + text.strip())
        raise AssertionError(text)
    cold.note_monitor()
    run = cold.run("tasks: { t: { run: echo hi } }")
    assert run["state"] == "succeeded"
    pids = {name: cold.role(name) for name in
            ("server", "keeper", "zygote", "spawner")}
    cold.stop()
    lines = {int(p.suffix[1:]): [c for c in p.read_text().splitlines()
                                 if not c.startswith(("---", "+++"))]
             for p in cold.home.glob("trace.*")}
    for name, pid in pids.items():
        mine = lines[pid]
        at = [i for i, c in enumerate(mine) if c.startswith("seccomp(")
              and c.endswith("= 0")]
        assert at, (name, mine)
        # One below the spawner would refuse renames to every payload.
        walls = [c for c in mine if c.startswith("landlock_restrict_self(")]
        assert bool(walls) == (name != "spawner"), name
        assert set(walls) <= set(mine[:at[0]]), name
        assert all(c.endswith("= 0") for c in walls), name
        heard = [c for c in mine[:at[0]] if "recvmsg(" in c or "accept4(" in c]
        # INIT, from the monitor; and what execve's loader never does.
        assert len(heard) == 1, (name, heard)
    runners = [c for c in lines.values()
               if c and c[0].startswith("landlock_restrict_self(")]
    assert len(runners) == 1
    assert runners[0][0].endswith("= 0")
    assert runners[0][1].startswith("seccomp(")
    assert runners[0][1].endswith("= 0")
    for call in runners[0][2:]:
        if call.startswith("openat(AT_FDCWD"):
            assert "= -1 EACCES" in call, call


def test_a_dead_writer_gives_its_reader_no_end(nfo):
    """The reader would succeed on an end-of-file; it must not see one."""
    run = nfo.run("""
tasks:
  w: { run: 'echo begun; sleep 60' }
  r: { stdin: w.stdout, run: 'cat > all; echo whole',
       artifacts: { all: { path: all, when: always, optional: true } } }
""", wait=None)
    nfo.until_state(run, "running", "w")
    nfo.until_state(run, "running", "r")
    zygote = nfo.role("zygote")
    runners = nfo.until(lambda: (lambda p: p if len(p) == 2 else None)(
        programs.descendants(zygote)))
    writer = min(runners)  # the monitor starts them in the job's order
    os.kill(writer, signal.SIGKILL)
    run = nfo.ended(run)
    tasks = nfo.tasks(run)
    assert (tasks["w"]["state"], tasks["w"]["kind"]) == ("failed", "lost")
    assert (tasks["r"]["state"], tasks["r"]["kind"]) == ("failed", "upstream")
    assert b"whole" not in nfo.log(run, "r")


def test_policies_are_read_anew_on_hup(nfo):
    job = "tasks: { t: { run: echo hi } }"
    assert nfo.run(job)["state"] == "succeeded"
    slow = nfo.run(SLOW, wait=None)
    nfo.until_state(slow, "running", "t")
    zygote, server = nfo.role("zygote"), nfo.role("server")
    (nfo.state / "policies/more.yaml").write_text(
        "policy: more\nrules:\n  - name: none\n"
        "    deny: { profiles: ['*'] }\n")
    os.kill(nfo.monitor(), signal.SIGHUP)
    nfo.until(lambda: nfo.role("server") not in (0, server))
    nfo.until(lambda: nfo.socket.exists() and answers(nfo))
    a = nfo.submit("nfo: 1\nname: test\n" + job)
    assert a.status == 403, a
    # What ran before goes on, with the policies it was granted under.
    slow = nfo.ended(slow)
    assert slow["state"] == "succeeded", slow
    nfo.until(lambda: zygote not in zygotes(nfo))


def zygotes(nfo):
    found = []
    for pid in programs.descendants(nfo.monitor()):
        try:
            line = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if line.startswith(b"nfo: zygote") and \
                status(pid)["PPid"] == str(nfo.monitor()):
            found.append(pid)
    return found


def answers(nfo):
    try:
        return nfo.get("/healthz").status == 200
    except OSError:
        return False


def test_a_broken_policy_changes_nothing_on_hup(nfo):
    server = nfo.role("server")
    bad = nfo.state / "policies/bad.yaml"
    bad.write_text("policy: bad\n")
    bad.chmod(0o666)
    os.kill(nfo.monitor(), signal.SIGHUP)
    assert nfo.run("tasks: { t: { run: echo hi } }")["state"] == "succeeded"
    assert nfo.role("server") == server


def test_a_zygote_is_replaced_after_many_runners(nfo):
    first = nfo.role("zygote")
    slow = nfo.run(WAITS, wait=None)
    nfo.until_state(slow, "running", "t")
    tasks = "".join(f"  t{i}: {{ run: 'true' }}\n" for i in range(256))
    run = nfo.run("tasks:\n" + tasks, wait="60s")
    assert run["state"] == "succeeded", run
    # The first one stays for its runner; both have the same name.
    both = nfo.until(lambda: (lambda z: z if len(z) == 2 else None)(
        zygotes(nfo)))
    assert first in both
    nfo("cancel", slow["id"])
    assert nfo.ended(slow)["state"] == "cancelled"
    nfo.until(lambda: first not in zygotes(nfo))
    assert len(zygotes(nfo)) == 1
    assert nfo.run("tasks: { t: { run: echo hi } }")["state"] == "succeeded"
