#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The whole system: an empty one-task run over the Unix socket until its result
is readable, runs a second with many clients, a 40-task chain, idle memory, and
the time to ready.  NFO_BIN names the programs' directory."""
import concurrent.futures
import http.client
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time

BIN = os.environ.get("NFO_BIN", "build/release/bin")
EMPTY = b"nfo: 1\nname: empty\ntasks: { one: { argv: [/bin/true] } }\n"


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def ask(conn, body, wait="30s"):
    conn.request("POST", f"/v1/projects/default/runs?wait={wait}", body,
                 {"Content-Type": "application/yaml"})
    answer = conn.getresponse()
    run = json.loads(answer.read())
    if answer.status != 201 or run["state"] != "succeeded":
        raise SystemExit(f"{answer.status}: {run.get('state')} {run}")
    return run


def pss(pids):
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup") as f:
                total += sum(int(line.split()[1]) for line in f
                             if line.startswith("Pss:"))
        except OSError:
            pass
    return total


def tree(pid):
    out = [pid]
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat") as f:
                parent = int(f.read().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        if parent == pid:
            out += tree(int(name))
    return out


def start(state, *options):
    begun = time.monotonic()
    read, write = os.pipe()
    sock = f"{state}/run/nfo.sock"
    os.makedirs(f"{state}/policies")
    shutil.copy("policies/default.yaml", f"{state}/policies")
    os.chmod(f"{state}/policies/default.yaml", 0o600)
    p = subprocess.Popen(
        [f"{BIN}/nfo-monitor", "--state", state, "--socket", sock, "--policy",
         f"{state}/policies", "--cgroups", "prefer", "--ready-fd", str(write), *options],
        pass_fds=[write])
    os.close(write)
    if os.read(read, 16) != b"ready\n":
        raise SystemExit("the server did not start")
    return p, sock, (time.monotonic() - begun) * 1000


def chain():
    lines = ["nfo: 1", "name: chain", "tasks:", "  t0: { argv: [/bin/true] }"]
    for i in range(1, 40):
        lines.append(f"  t{i}: {{ needs: [t{i - 1}], argv: [/bin/true] }}")
    return "\n".join(lines).encode()


def many(sock, clients, seconds):
    end = time.monotonic() + seconds

    def client():
        conn, n = Unix(sock), 0
        while time.monotonic() < end:
            ask(conn, EMPTY)
            n += 1
        return n

    begun = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        jobs = [pool.submit(client) for _ in range(clients)]
        total = sum(j.result() for j in jobs)
    return total / (time.monotonic() - begun)


def main():
    top = tempfile.mkdtemp(prefix="nfo-bench-")
    os.chmod(top, 0o755)
    state = f"{top}/s"
    os.mkdir(state, 0o755)
    p, sock, ready = start(state)
    try:
        idle = pss(tree(p.pid))
        conn = Unix(sock)
        for _ in range(20):
            ask(conn, EMPTY)
        times = []
        for _ in range(200):
            begun = time.monotonic()
            ask(conn, EMPTY)
            times.append((time.monotonic() - begun) * 1000)
        times.sort()
        chains = []
        for _ in range(5):
            begun = time.monotonic()
            ask(conn, chain())
            chains.append(time.monotonic() - begun)
        print(f"ready_ms={ready:.0f}")
        print(f"idle_pss_mb={idle / 1024:.1f}")
        print(f"empty_run p50_ms={times[100]:.2f} p99_ms={times[198]:.2f}")
        print(f"chain_40 p50_s={statistics.median(chains):.3f}")
        print(f"runs_per_s clients=32 {many(sock, 32, 5):.0f}")
    finally:
        p.send_signal(signal.SIGTERM)
        p.wait(20)
        shutil.rmtree(top, ignore_errors=True)


if __name__ == "__main__":
    main()
