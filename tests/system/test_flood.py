# SPDX-License-Identifier: AGPL-3.0-or-later
"""A flood of output: the log ends where its limit is, the task goes on, and
nobody's memory grows with it."""
import threading

import nfo as programs

MIB = 1 << 20


def peaks(nfo):
    """Each process's memory at its highest, while they live."""
    found = {}
    for pid in programs.descendants(nfo.monitor()):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                name = f.read().rstrip(b"\0").decode()
            with open(f"/proc/{pid}/status", encoding="ascii") as f:
                text = f.read()
        except OSError:
            continue
        if name.startswith("nfo: ") and "VmHWM:" in text:
            kib = int(text.split("VmHWM:")[1].split()[0])
            found[name] = max(found.get(name, 0), kib * 1024)
    return found


def watched(nfo, job):
    """Runs a job; the run, and the peaks seen on the way."""
    seen, over = {}, threading.Event()

    def look():
        while not over.is_set():
            for name, peak in peaks(nfo).items():
                seen[name] = max(seen.get(name, 0), peak)
            over.wait(0.02)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        run = nfo.run(job)
    finally:
        over.set()
        thread.join()
    return run, seen


def test_far_past_its_limit(nfo):
    run, seen = watched(nfo, """
tasks:
  t:
    sandbox: { limits: { log: 1M } }
    run: yes 2>&- | head -c 300000000; echo x > a
    artifacts: { a: { path: a } }
""")
    assert run["state"] == "succeeded", run
    task = nfo.tasks(nfo.fresh(run))["t"]
    assert task["log"]["truncated"]
    log = nfo.log(run, "t")
    assert MIB // 2 < len(log) <= MIB + 4096
    assert log.startswith(b"y\n" * 1000)
    assert "nfo: runner" in seen, seen
    assert all(peak < 64 * MIB for peak in seen.values()), seen


def test_within_its_limit_all_of_it_is_kept(nfo):
    size = 200 * MIB
    nfo("secret", "put", "key", stdin=b"a value of some length")
    run, seen = watched(nfo, f"""
secrets: {{ key: {{ store: key }} }}
tasks:
  t:
    secrets: [key]
    sandbox: {{ limits: {{ log: 1G }} }}
    run: yes 2>&- | head -c {size}
""")
    assert run["state"] == "succeeded", run
    task = nfo.tasks(nfo.fresh(run))["t"]
    assert (task["log"]["bytes"], task["log"]["truncated"]) == (size, False)
    assert all(peak < 64 * MIB for peak in seen.values()), seen
    with nfo.popen("logs", run["id"], "t") as p:
        got = sum(len(x) for x in iter(lambda: p.stdout.read(MIB), b""))
    assert got == size
    assert peaks(nfo)["nfo: server"] < 64 * MIB
