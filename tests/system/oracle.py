# SPDX-License-Identifier: AGPL-3.0-or-later
"""Clients that write without pause, what was answered to them with 2xx, and
whether all of that, and nothing half-made, is there afterwards."""
import hashlib
import http.client
import json
import random
import sqlite3
import threading

import nfo as programs

JOB = """
nfo: 1
name: load
tasks:
  t: { run: 'echo %s | tee a', artifacts: { a: { path: a } } }
  u: { needs: [t], files: [t.a], run: 'cat $NFO_FILES/t/a' }
"""
SLOW = "nfo: 1\nname: slow\ntasks: { t: { run: 'echo %s; sleep 60' } }\n"
SHORT = "nfo: 1\nname: short\nproject: short\ntasks: { t: { run: echo hi } }\n"
GONE = (OSError, http.client.HTTPException, json.JSONDecodeError)


class Client(threading.Thread):
    """One after the other; what got no answer is asked again."""

    def __init__(self, load, number, seed):
        super().__init__(daemon=True)
        self.load, self.number = load, number
        self.random = random.Random(f"{seed}/{number}")
        self.connection, self.serial, self.wrong = None, 0, []
        self.runs = {}          # id -> its word, as acknowledged
        self.cancelled, self.deleted, self.unsure = set(), set(), set()
        self.resources = {}     # path -> the bodies that it may have
        self.tokens = set()     # ids
        self.short = set()      # of a project that keeps two of each job
        self.keys = {}          # Idempotency-Key -> id
        self.acked = 0

    def ask(self, method, path, body=None, headers=()):
        """Until there is an answer; (it, whether one got lost before)."""
        again = False
        while True:
            try:
                if not self.connection:
                    self.connection = self.load.nfo.connect()
                a = self.load.nfo.ask(method, path, body, headers,
                                      self.connection)
                if a.status in (429, 503):
                    raise OSError("busy")
                return a, again
            except GONE:
                if self.connection:
                    self.connection.close()
                self.connection = None
                again = True
                if self.load.over.wait(0.02) and self.load.dead:
                    raise SystemExit from None

    def expect(self, a, *statuses):
        if a.status not in statuses:
            self.wrong.append((a.status, a.body))
            return False
        self.acked += a.status < 300
        return True

    def word(self):
        self.serial += 1
        return f"w{self.number}-{self.serial}"

    def create(self, text, wait=""):
        word = self.word()
        a, _ = self.ask("POST", f"/v1/projects/default/runs{wait}",
                        (text % word).encode(), {
                            "Content-Type": "application/yaml",
                            "Idempotency-Key": word})
        if not self.expect(a, 201):
            return None
        run = a.json["id"]
        self.runs[run] = word
        self.keys[word] = run
        return run

    def one_run(self):
        self.create(JOB)

    def run_and_delete(self):
        run = self.create(JOB, "?wait=10s")
        if not run:
            return
        self.unsure.add(run)
        a, again = self.ask("DELETE", f"/v1/runs/{run}")
        if a.status == 409:    # it has not ended yet
            self.unsure.discard(run)
        elif self.expect(a, 204, *([404] if again else [])):
            self.deleted.add(run)

    def run_and_cancel(self):
        run = self.create(SLOW)
        if not run:
            return
        a, again = self.ask("POST", f"/v1/runs/{run}/cancel")
        if self.expect(a, 202, 409) and (a.status == 202 or again):
            self.cancelled.add(run)

    def put(self, path, body, kind="application/json"):
        self.resources.setdefault(path, []).append(body)
        a, _ = self.ask("PUT", path, body.encode(), {"Content-Type": kind,
                                                     "If-Match": "*"}
                        if len(self.resources[path]) > 1 else
                        {"Content-Type": kind})
        if a.status in (412, 428):  # it was made, and the answer got lost
            a, _ = self.ask("PUT", path, body.encode(),
                            {"Content-Type": kind, "If-Match": "*"})
        if self.expect(a, 200, 201, 204):
            self.resources[path] = [body]

    def project(self):
        self.put(f"/v1/projects/p{self.number}",
                 json.dumps({"description": self.word()}))

    def user(self):
        self.put(f"/v1/users/u{self.number}",
                 json.dumps({"full_name": self.word()}))

    def job(self):
        text = f"nfo: 1\nname: j{self.number}\ndescription: {self.word()}\n" \
               "tasks: { t: { run: echo hi } }\n"
        self.put(f"/v1/projects/default/jobs/j{self.number}", text,
                 "application/yaml")

    def retained(self):
        """In a project that keeps two: the server removes runs meanwhile."""
        path = "/v1/projects/short"
        if path not in self.resources:
            self.put(path, json.dumps({"retention": {"keep_runs": 2}}))
        a, _ = self.ask("POST", "/v1/projects/short/runs",
                        SHORT.encode(),
                        {"Content-Type": "application/yaml",
                         "Idempotency-Key": self.word()})
        if self.expect(a, 201):
            self.short.add(a.json["id"])
            self.put(path, json.dumps({"retention": {"keep_runs": 2}}))

    def token(self):
        a, _ = self.ask("POST", "/v1/tokens", {"name": self.word()})
        if self.expect(a, 201):
            self.tokens.add(a.json["id"])

    def run(self):
        what = [self.one_run] * 4 + [self.run_and_delete] * 2 + [
            self.run_and_cancel, self.project, self.user, self.job, self.token, self.retained]
        while not self.load.over.is_set():
            self.random.choice(what)()
        if self.connection:
            self.connection.close()


class Load:
    def __init__(self, nfo, seed, clients=3):
        self.nfo, self.seed = nfo, seed
        self.over, self.dead = threading.Event(), False
        self.clients = [Client(self, i, seed) for i in range(clients)]
        for c in self.clients:
            c.start()

    def stop(self):
        """Each ends what it has begun: the server answers again."""
        self.over.set()
        for c in self.clients:
            c.join(programs.LIMIT)
        stuck = [c.number for c in self.clients if c.is_alive()]
        self.dead = True
        assert not stuck, f"clients without an answer: {stuck}"

    def acked(self):
        return sum(c.acked for c in self.clients)

    # --- what the server says

    def check(self):
        for c in self.clients:
            assert not c.wrong, c.wrong[:3]
            for run, word in c.runs.items():
                self.check_run(c, run, word)
            for path, bodies in c.resources.items():
                self.check_resource(path, bodies)
        there = self.listed("/v1/tokens")
        for c in self.clients:
            assert c.tokens <= there, "a token is lost"
        # one key, one run
        runs = self.listed("/v1/runs")
        made = {r for c in self.clients for r in {*c.runs, *c.short}}
        assert runs <= made, f"runs that nobody has: {runs - made}"

    def listed(self, path):
        found, url = set(), f"{path}?limit=500"
        while url:
            a = self.nfo.get(url)
            assert a.status == 200, a
            found |= {i["id"] for i in a.json["items"]}
            cursor = a.json.get("next_cursor")
            url = cursor and f"{path}?limit=500&cursor={cursor}"
        return found

    def check_run(self, c, run, word):
        a = self.nfo.get(f"/v1/runs/{run}")
        if run in c.deleted:
            assert a.status == 404, (run, "deleted, and there")
            return
        if run in c.unsure and a.status == 404:
            return
        assert a.status == 200, (run, "lost", a)
        r = a.json
        if r["state"] not in programs.FINAL:
            r = self.nfo.ended(r)
        if run in c.cancelled:
            assert r["state"] in ("cancelled", "failed"), r
        tasks = self.nfo.tasks(r)
        assert set(tasks) == ({"t"} if r["job"] == "slow" else {"t", "u"}), r
        for name, t in tasks.items():
            assert t["state"] in programs.FINAL, r
            assert t["state"] != "failed" or t["kind"] == "lost", (name, t)
            if t["state"] != "succeeded":
                continue
            assert self.nfo.log(r, name) == f"{word}\n".encode(), (run, name)
        if r["job"] == "load" and tasks["t"]["state"] == "succeeded":
            got = self.nfo.get(f"/v1/runs/{run}/artifacts/t.a")
            assert got.body == f"{word}\n".encode(), (run, got)

    def check_resource(self, path, bodies):
        """The last one acknowledged, or one that was asked for since."""
        a = self.nfo.get(path, Accept="application/json")
        assert a.status == 200, (path, a)
        last = [json.loads(b) if b[0] == "{" else
                {"description": b.split("description: ")[1].split("\n")[0]}
                for b in bodies]
        for fields in last:
            if all(a.json.get(k, a.json.get("definition", {}).get(k)) == v
                   for k, v in fields.items()):
                return
        raise AssertionError((path, bodies, a.json))


# --- what is on the disk, once the server has ended

def check_disk(state):
    db = sqlite3.connect(f"file:{state}/server/nfo.db?mode=ro", uri=True)

    def rows(sql):
        return db.execute(sql).fetchall()

    assert rows("PRAGMA integrity_check") == [("ok",)]
    assert rows("SELECT id FROM runs WHERE state<3") == []
    for table in ("tasks", "attempts", "events", "artifacts"):
        assert rows(f"SELECT run FROM {table} WHERE run NOT IN "
                    "(SELECT id FROM runs)") == [], table
    assert rows("SELECT id FROM runs WHERE id NOT IN "
                "(SELECT run FROM tasks)") == []
    assert rows("SELECT run FROM tasks WHERE state<3") == []
    assert rows("SELECT run FROM attempts WHERE state<3") == []
    # one accepted end of each attempt, and of each run
    assert rows("SELECT run,task,attempt,count(*) FROM events WHERE type=2 "
                "AND state>=3 AND attempt>0 GROUP BY 1,2,3 "
                "HAVING count(*)>1") == []
    assert rows("SELECT run,count(*) FROM events WHERE type=1 AND state>=3 "
                "GROUP BY 1 HAVING count(*)<>1") == []
    assert rows("SELECT ulid FROM runs WHERE ulid NOT IN (SELECT what FROM "
                "audit WHERE action='run.create')") == []
    assert rows("SELECT request FROM keys WHERE run NOT IN "
                "(SELECT ulid FROM runs)") == []
    for (digest,) in rows("SELECT DISTINCT sha256 FROM artifacts"):
        blob = state / "server/blobs/sha256" / digest[:2] / digest
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == digest
    known = {u for (u,) in rows("SELECT ulid FROM runs")}
    db.close()
    return known


def check_no_leftovers(state, known):
    """After one more start: directories of runs that are gone."""
    there = {p.name for p in (state / "server/runs").iterdir()}
    assert there <= known, there - known
    assert list((state / "server/tmp").iterdir()) == []
