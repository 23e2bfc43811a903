#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""RUNS runs (500) that each need five secrets of a Vault, the double of tests/fakebao:
once five fields of one path, once five paths.  Logins, requests, connections and time;
memory of the keeper before, at its peak and after.  NFO_BIN names the programs'
directory."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import system_bench

TOP = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TOP / "tests"))
from fakebao import FakeBao  # noqa: E402

BIN = os.path.abspath(system_bench.BIN)
RUNS = int(os.environ.get("RUNS", "500"))
SECRETS = 5
POLICY = """policy: bench
rules:
  - name: all
    projects: ["*"]
    submitters: ["*"]
    allow:
      profiles: [default]
      networks: [none]
      secrets: ["vault:**"]
      deliver: [file]
"""
READS = 'path "kv/data/*" { capabilities = ["read"] }'
SHAPES = {"one_path": "kv/app", "five_paths": "kv/app{i}"}
KINDS = ("Rss", "Pss", "Private_Dirty")


def memory(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        text = f.read()
    return {k: int(re.search(rf"^{k}: +(\d+)", text, re.M)[1]) for k in KINDS}


def name(pid):
    with open(f"/proc/{pid}/cmdline") as f:
        return f.read().rstrip("\0")


class Peak(threading.Thread):
    """The most of each kind, looked at every 5 ms until the end."""

    def __init__(self, pid):
        super().__init__()
        self.pid, self.most, self.over = pid, memory(pid), threading.Event()

    def run(self):
        while not self.over.wait(0.005):
            for kind, kb in memory(self.pid).items():
                self.most[kind] = max(kb, self.most[kind])


def job(shape):
    lines = ["nfo: 1", "name: bench", "secrets:"]
    for i in range(SECRETS):
        path = SHAPES[shape].format(i=i)
        lines.append(f"  s{i}: {{ vault: {path}, field: f{i} }}")
    names = ", ".join(f"s{i}" for i in range(SECRETS))
    lines += ["tasks:", "  one:", "    argv: [/bin/true]",
              f"    secrets: [{names}]"]
    return "\n".join(lines).encode()


def call(conn, method, path, body=None):
    conn.request(method, path, body, {"Content-Type": "application/yaml"})
    answer = conn.getresponse()
    data = json.loads(answer.read())
    if answer.status not in (200, 201):
        raise SystemExit(f"{answer.status}: {data}")
    return data


def load(sock, shape):
    """All are made, then all are waited for."""
    conn, begun = system_bench.Unix(sock), time.monotonic()
    made = [call(conn, "POST", "/v1/projects/default/runs", job(shape))["id"]
            for _ in range(RUNS)]
    for run in made:
        got = call(conn, "GET", f"/v1/runs/{run}?wait=60s")
        if got["state"] != "succeeded":
            raise SystemExit(f"{got}")
    return time.monotonic() - begun


def settle(pid):
    """What it has when nothing changes for a second."""
    last, since = memory(pid), time.monotonic()
    while time.monotonic() - since < 1:
        time.sleep(0.1)
        now = memory(pid)
        if now["Private_Dirty"] != last["Private_Dirty"]:
            last, since = now, time.monotonic()
    return last


def say(what, kb):
    words = [f"{k.lower()}_mb={kb[k] / 1024:.1f}" for k in KINDS]
    print(f"vault_bench {what}", *words)


def server(top, shape):
    """(its process, its socket, its keeper, its Vault)."""
    bao = FakeBao()
    bao.policy("jobs", READS)
    for i in range(SECRETS):
        fields = {f"f{k}": f"secret value {i} {k}" for k in range(SECRETS)}
        bao.kv("kv", f"app{i}", fields)
        bao.kv("kv", "app", fields)
    role_id, secret_id = bao.approle("nfo", ["jobs"])
    home = pathlib.Path(top)
    given = home / "secret-id"
    given.write_text(secret_id)
    given.chmod(0o600)
    settings = home / "server.yaml"
    settings.write_text(json.dumps({"secret_providers": [{
        "address": bao.address, "auth": "approle", "role_id": role_id,
        "secret_id_file": str(given)}]}))
    settings.chmod(0o600)
    (home / "p").mkdir(0o700)
    (home / "p/bench.yaml").write_text(POLICY)
    (home / "p/bench.yaml").chmod(0o600)
    p = subprocess.Popen(
        [f"{BIN}/nfo", "serve", "--cgroups", "prefer", "--policy", "p",
         "--config", str(settings)], cwd=home, stderr=subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "HOME": top, "NFO_STATE": f"{top}/s"})
    while b"ready" not in (line := p.stderr.readline()):
        if not line:
            raise SystemExit("the server did not start")
    keeper, = [x for x in system_bench.tree(p.pid)
               if name(x) == "nfo: keeper"]
    return p, f"{top}/s/run/nfo.sock", keeper, bao


def measure(shape):
    top = tempfile.mkdtemp(prefix="nfo-bench-")
    os.chmod(top, 0o755)
    p, sock, keeper, bao = server(top, shape)
    try:
        before, peak = memory(keeper), Peak(keeper)
        peak.start()
        took = load(sock, shape)
        peak.over.set()
        peak.join()
        logins = len(bao.asked("auth/approle/login"))
        print(f"vault_bench {shape} runs={RUNS} logins={logins} "
              f"requests={len(bao.requests)} "
              f"connections={bao.connections} s={took:.2f}")
        say(f"{shape} before", before)
        say(f"{shape} peak", peak.most)
        say(f"{shape} after", settle(keeper))
    finally:
        p.send_signal(signal.SIGTERM)
        p.wait(20)
        bao.stop()
        shutil.rmtree(top, ignore_errors=True)


def main():
    for shape in SHAPES:
        measure(shape)


if __name__ == "__main__":
    main()
