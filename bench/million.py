#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A database with a million finished runs: start to ready, memory, and what
lists take with each filter, over the Unix socket.  NFO_BIN names the programs'
directory, RUNS another number; KEEP=DIR keeps the database for the next time."""
import http.client
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

BIN = os.path.abspath(os.environ.get("NFO_BIN", "build/release/bin"))
RUNS = int(os.environ.get("RUNS", "1000000"))
ASKED = int(os.environ.get("ASKED", "200"))
HOUR = 3600 * 1000000
STEP = 30 * 1000000  # a run each half a minute
SUCCEEDED, FAILED, CANCELLED = 3, 4, 5

# Twenty projects, the last of them rare; a job in each that all have, and some
# of its own; one in fifty failed, one in a thousand was cancelled.
FILL = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{runs})
INSERT INTO runs(id,ulid,project,job,definition_digest,run_digest,state,kind,
  blocked,error,labels,inputs,trigger,submitter,source,source_bytes,priority,
  cancelled,timed_out,created_us,started_us,finished_us,finally_us,canonical)
SELECT i, printf('01%024d',i),
  CASE WHEN i%50021=0 THEN 'rare' ELSE 'p'||(i%19) END,
  CASE WHEN i%7=0 THEN 'build' ELSE 'job'||(i%97) END,
  '{digest}','{digest}',
  CASE WHEN i%1000=7 THEN 5 WHEN i%50=3 THEN 4 ELSE 3 END,
  CASE WHEN i%1000=7 THEN 0 WHEN i%50000=3 THEN 5 WHEN i%50=3 THEN 1 ELSE 0 END,
  '','',CASE WHEN i%40009=0 THEN '{{"release":"v'||i||'"}}'
        WHEN i%3=0 THEN '{{"team":"a"}}' ELSE '{{}}' END,'{{}}',
  CASE WHEN i%30011=0 THEN 'rerun' WHEN i%4=0 THEN 'schedule' ELSE 'api' END,
  'uid:0','',0,50,0,0,
  {now}-({runs}-i)*{step}, {now}-({runs}-i)*{step}+1000,
  {now}-({runs}-i)*{step}+5000, 0,
  '{{"name":"job","nfo":1,"tasks":{{"t":{{"run":"echo hi"}}}}}}' FROM n;
INSERT INTO tasks SELECT id,0,'t',min(state,4),kind,1,'','',0 FROM runs;
INSERT INTO attempts(fence,run,idx,number,ulid,state,kind,exit_code,signo,
  shared,uid_slot,workspace,started_us,finished_us,cpu_us,memory_peak_bytes,
  log_bytes,redactions,pids_peak,not_enforced,log_truncated,outputs,error,hint)
SELECT id,id,0,1,ulid,state,kind,0,0,0,0,ulid,started_us,finished_us,900,1048576,
  3,0,1,0,0,'{{}}','','' FROM runs;
INSERT INTO events(run,type,task,attempt,state,kind,ts_us)
SELECT id,1,'',0,0,0,created_us FROM runs;
INSERT INTO events(run,type,task,attempt,state,kind,ts_us)
SELECT id,2,'t',1,state,kind,finished_us FROM runs;
INSERT INTO events(run,type,task,attempt,state,kind,ts_us)
SELECT id,1,'',0,state,kind,finished_us FROM runs;
"""


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Server:
    def __init__(self, home):
        self.state = f"{home}/s"
        env = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": home,
               "NFO_STATE": self.state}
        begun = time.monotonic()
        self.p = subprocess.Popen([f"{BIN}/nfo", "serve", "--cgroups",
                                   "prefer"], env=env, cwd=home,
                                  stderr=subprocess.PIPE)
        for line in self.p.stderr:
            if b"ready" in line:
                break
        else:
            sys.exit("the server did not start")
        self.ready_ms = (time.monotonic() - begun) * 1000
        self.c = Unix(f"{self.state}/run/nfo.sock")

    def ask(self, path):
        begun = time.perf_counter()
        self.c.request("GET", path)
        a = self.c.getresponse()
        body = a.read()
        took = (time.perf_counter() - begun) * 1000
        if a.status != 200:
            sys.exit(f"{path}: {a.status} {body}")
        return took, body

    def pid(self):
        monitor = open(f"{self.state}/lock").read().strip()
        for name in os.listdir("/proc"):
            try:
                line = open(f"/proc/{name}/cmdline", "rb").read()
                env = open(f"/proc/{name}/stat").read().rsplit(")", 1)[1]
            except OSError:
                continue
            if line.startswith(b"nfo: server") and \
                    env.split()[1] == monitor:
                return int(name)
        return 0

    def rss_mib(self):
        with open(f"/proc/{self.pid()}/smaps_rollup") as f:
            return sum(int(line.split()[1]) for line in f
                       if line.startswith("Pss_Anon:")) / 1024

    def stop(self):
        self.c.close()
        self.p.send_signal(signal.SIGTERM)
        self.p.wait()


def fill(state):
    if sqlite3.connect(f"{state}/server/nfo.db").execute(
            "SELECT count(*) FROM runs").fetchone()[0] >= RUNS:
        return
    begun = time.monotonic()
    db = sqlite3.connect(f"{state}/server/nfo.db")
    db.execute("PRAGMA synchronous=OFF")
    db.execute("PRAGMA cache_size=-200000")
    if db.execute("SELECT 1 FROM sqlite_master WHERE name='run_labels'"
                  ).fetchone():
        more = ("INSERT INTO run_labels SELECT l.key,l.value,r.id FROM runs r,"
                "json_each(r.labels) l;")
    else:
        more = ""
    db.executescript("BEGIN;" + (FILL + more).format(
        runs=RUNS, digest="ab" * 32, now=int(time.time() * 1e6), step=STEP)
        + "COMMIT;")
    db.close()
    os.sync()
    size = os.path.getsize(f"{state}/server/nfo.db") >> 20
    print(f"filled with {RUNS} runs, {size} MiB, in "
          f"{time.monotonic() - begun:.0f} s")


def when(hours):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ",
                         time.gmtime(time.time() - hours * 3600))


def lists():
    old = RUNS * STEP / HOUR
    yield "none", "?"
    yield "the last page but a few", "?deep"
    for name, query in (
            ("state=failed", "state=failed"),
            ("state=cancelled", "state=cancelled"),
            ("failed or cancelled", "state=failed&state=cancelled"),
            ("state=running (none)", "state=running"),
            ("kind=oom (few)", "kind=oom"),
            ("kind=signal", "kind=signal"),
            ("project=p3", "project=p3"),
            ("project=rare", "project=rare"),
            ("project that is not there", "project=none"),
            ("project=p3, failed", "project=p3&state=failed"),
            ("project=rare, failed", "project=rare&state=failed"),
            ("job=build", "job=build"),
            ("job that is not there", "job=none"),
            ("project=p3, job=build", "project=p3&job=build"),
            ("project=p3, job=build, failed",
             "project=p3&job=build&state=failed"),
            ("trigger=rerun (few)", "trigger=rerun"),
            ("trigger=schedule", "trigger=schedule"),
            ("label.team=a", "label.team=a"),
            ("label.release=v1 (none)", "label.release=v1"),
            ("until half the time ago", f"until={when(old / 2)}"),
            ("until before all", f"until={when(old * 2)}"),
            ("since an hour ago", f"since={when(1)}"),
            ("since now (none)", f"since={when(-1)}"),
            ("an hour in the middle",
             f"since={when(old / 2)}&until={when(old / 2 - 1)}"),
            ("failed, in the middle",
             f"state=failed&until={when(old / 2)}")):
        yield name, f"?{query}"


def measure(server, name, query):
    if query == "?deep":
        cursor = ""
        for _ in range(3):
            page = json.loads(server.ask(f"/v1/runs?limit=500{cursor}")[1])
            cursor = f"&cursor={page['next_cursor']}"
        query = f"?limit=50{cursor}"
    took, first = [], time.monotonic()
    for _ in range(ASKED):
        ms, body = server.ask(f"/v1/runs{query}")
        took.append(ms)
        if time.monotonic() - first > 5:
            break
    took.sort()
    n = len(json.loads(body)["items"])
    p99 = took[min(len(took) - 1, int(len(took) * 0.99))]
    print(f"  {name:34} p50 {took[len(took) // 2]:8.2f} ms   "
          f"p99 {p99:8.2f} ms   {n} rows", flush=True)
    return p99


def main():
    home = os.environ.get("KEEP") or tempfile.mkdtemp(prefix="nfo-bench-")
    os.makedirs(home, exist_ok=True)
    os.chmod(home, 0o755)  # the roles' users pass through it
    try:
        s = Server(home)
        empty = s.ready_ms
        s.stop()
        fill(f"{home}/s")
        s = Server(home)  # the first one after it has to check what is odd
        s.stop()
        s = Server(home)
        print(f"start to ready: {empty:.0f} ms empty, {s.ready_ms:.0f} ms "
              f"with {RUNS} runs")
        before = s.rss_mib()
        worst = max(measure(s, *q) for q in lists())
        print(f"worst p99 {worst:.2f} ms; private memory of the server "
              f"{before:.1f} MiB before, {s.rss_mib():.1f} MiB after")
        s.stop()
    finally:
        if not os.environ.get("KEEP"):
            shutil.rmtree(home)


main()
