# SPDX-License-Identifier: AGPL-3.0-or-later
"""One server of the real programs on a state directory of its own: its
commands, its API, and what it leaves behind when it ends."""
import base64
import http.client
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import time
from typing import NamedTuple

import traces

TOP = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("NFO_BIN", TOP / "build/release/bin"))
LIMIT = 40  # seconds that nothing here takes
FINAL = ("succeeded", "failed", "cancelled", "skipped")
CGROUPS = pathlib.Path("/sys/fs/cgroup")


class Result(NamedTuple):
    code: int
    out: str
    err: str


class Answer(NamedTuple):
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=LIMIT)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def descendants(pid):
    """The processes below pid, from /proc."""
    children = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError):
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    found, queue = [], [pid]
    while queue:
        more = children.get(queue.pop(), [])
        found += more
        queue += more
    return found


class Watched:
    """Processes whose end can be waited for."""

    def __init__(self, pids):
        self.fds = {}
        for pid in pids:
            try:
                self.fds[os.pidfd_open(pid)] = pid
            except ProcessLookupError:
                pass

    def wait(self, limit=LIMIT):
        """The pids that are still there after limit seconds."""
        deadline = time.monotonic() + limit
        poll = select.poll()
        for fd in self.fds:
            poll.register(fd, select.POLLIN)
        while self.fds:
            ready = poll.poll(max(0, deadline - time.monotonic()) * 1000)
            if not ready:
                break
            for fd, _ in ready:
                poll.unregister(fd)
                os.close(fd)
                del self.fds[fd]
        left = list(self.fds.values())
        for fd in self.fds:
            os.close(fd)
        self.fds = {}
        return left


def multipart(*parts):
    """Parts are (name, file name, bytes); (content type, body)."""
    boundary = "xxx-boundary-xxx"
    body = b""
    for name, file_name, data in parts:
        body += (f"--{boundary}\r\nContent-Disposition: form-data; "
                 f'name="{name}"; filename="{file_name}"\r\n'
                 "Content-Type: application/octet-stream\r\n\r\n"
                 ).encode() + data + b"\r\n"
    return (f"multipart/form-data; boundary={boundary}",
            body + f"--{boundary}--\r\n".encode())


def frames(body):
    """The bytes that NDJSON frames of a log hold."""
    out = b""
    for line in body.decode().splitlines():
        frame = json.loads(line)
        out += (frame["data"].encode() if "data" in frame
                else base64.b64decode(frame["data_b64"]))
    return out


class Nfo:
    """A server's state directory, and everything one does with it."""

    def __init__(self, home):
        self.home = pathlib.Path(home)
        self.state = self.home / "s"
        self.socket = self.state / "run/nfo.sock"
        self.env = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
                    "HOME": str(self.home), "NFO_STATE": str(self.state),
                    "LANG": "C.UTF-8"}
        self.serving = None  # of `nfo serve`; None: a private server
        self.seen = set()    # monitors that there were
        self.secrets = set()  # values that were put

    # --- commands

    def popen(self, *args, **more):
        more.setdefault("stdin", subprocess.DEVNULL)
        more.setdefault("stdout", subprocess.PIPE)
        more.setdefault("stderr", subprocess.PIPE)
        return subprocess.Popen([BIN / "nfo", *map(str, args)], env=self.env,
                                cwd=self.home, **more)

    def __call__(self, *args, code=0, stdin=b""):
        """Runs a command; code None: any will do."""
        if isinstance(stdin, str):
            stdin = stdin.encode()
        if args[:2] == ("secret", "put"):
            self.secrets.add(stdin)
        with self.popen(*args, stdin=subprocess.PIPE) as p:
            try:
                out, err = p.communicate(stdin, timeout=LIMIT)
            except subprocess.TimeoutExpired:
                p.kill()
                raise
        self.note_monitor()
        result = Result(p.returncode, out.decode(errors="replace"),
                        err.decode(errors="replace"))
        assert code is None or result.code == code, result
        return result

    def write(self, name, text):
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(text, bytes):
            path.write_bytes(text)
        else:
            path.write_text(text)
        return path

    # --- the server

    def serve(self, *options):
        """`nfo serve` in the foreground; returns when it answers."""
        ready = self.home / "serve.err"
        with open(ready, "wb") as err:
            self.serving = self.popen("serve", "--cgroups", "prefer",
                                      *options, stderr=err,
                                      stdout=subprocess.DEVNULL)
        self.until(lambda: b"ready" in ready.read_bytes()
                   or self.serving.poll() is not None)
        assert self.serving.poll() is None, ready.read_text()
        self.note_monitor()

    def note_monitor(self):
        pid = self.monitor()
        if pid:
            self.seen.add(pid)

    def monitor(self):
        try:
            return int((self.state / "lock").read_text())
        except (OSError, ValueError):
            return 0

    def role(self, name):
        """The pid of a role; the server starts anew with another."""
        for pid in descendants(self.monitor()):
            try:
                line = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            if line.rstrip(b"\0") == f"nfo: {name}".encode():
                return pid
        return 0

    @staticmethod
    def until(condition, limit=LIMIT):
        """For what has no event that a process outside could wait for."""
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            it = condition()
            if it:
                return it
            select.select([], [], [], 0.01)
        raise AssertionError("it did not come to pass")

    def processes(self):
        pid = self.monitor()
        return [pid, *descendants(pid)] if pid else []

    def stop(self, how=signal.SIGTERM):
        """Ends the server, and waits for all of its processes."""
        pid = self.monitor()
        if not pid:
            return
        try:
            watched = Watched(self.processes())
            os.kill(pid, how)
        except ProcessLookupError:
            return
        left = watched.wait()
        if self.serving:
            self.serving.wait(LIMIT)
            self.serving = None
        assert not left, f"still running: {left}"

    def left_behind(self):
        """What a server that has ended should have taken with it."""
        left = []
        work = self.state / "work"
        if work.is_dir():
            left += [str(p) for p in work.iterdir()]
        mounts = pathlib.Path("/proc/self/mountinfo").read_text()
        left += [m for m in mounts.splitlines() if f" {self.state}" in m]
        space = os.stat("/proc/self/ns/pid").st_ino
        names = [f"nfo-{space}-{pid}-" for pid in self.seen]
        for where, dirs, _ in os.walk(CGROUPS):
            left += [f"{where}/{d}" for d in dirs
                     if any(d.startswith(n) for n in names)]
        for p in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if str(self.state).encode() in p.read_bytes():
                    left.append(str(p))
            except OSError:
                continue
        return left

    def traces(self):
        """Secrets that somebody put, in whatever form, in what the server
        has left on the disk: databases and their logs, state, backups."""
        return traces.in_files(self.state, self.secrets, skip={"ballast"})

    # --- the API

    def connect(self):
        return UnixConnection(self.socket)

    def ask(self, method, path, body=None, headers=(), connection=None):
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            headers = {"Content-Type": "application/json", **dict(headers)}
        if method == "PUT" and "/secrets/" in path:
            self.secrets.add(body if isinstance(body, bytes)
                             else str(body).encode())
        c = connection or self.connect()
        c.request(method, path, body, dict(headers))
        a = c.getresponse()
        answer = Answer(a.status, {k.lower(): v for k, v in a.getheaders()},
                        a.read())
        if not connection:
            c.close()
        return answer

    def get(self, path, **headers):
        """A header's name with _ for -."""
        return self.ask("GET", path, headers={
            k.replace("_", "-"): v for k, v in headers.items()})

    def submit(self, text, source=None, inputs=None, headers=(), wait=None):
        """Sends a job in YAML; the answer."""
        path = "/v1/projects/default/runs" + (f"?wait={wait}" if wait else "")
        parts = [("job", "job.yaml", text.encode())]
        if inputs is not None:
            parts.append(("request", "request.json",
                          json.dumps({"inputs": inputs}).encode()))
        if source is not None:
            parts.append(("source", "source.tar", source))
        kind, body = multipart(*parts)
        return self.ask("POST", path, body,
                        {"Content-Type": kind, **dict(headers)})

    def run(self, tasks, wait="60s", **more):
        """Runs tasks (or a whole job) to their end; the run."""
        if "nfo: 1" not in tasks:
            tasks = "nfo: 1\nname: test\n" + tasks
        a = self.submit(tasks, wait=wait, **more)
        assert a.status == 201, a
        run = a.json
        assert not wait or run["state"] in FINAL, run
        return run

    def tasks(self, run):
        return {t["name"]: t for t in run["tasks"]}

    def fresh(self, run):
        return self.get(f"/v1/runs/{run['id']}").json

    def log(self, run, task):
        a = self.get(f"/v1/runs/{run['id']}/tasks/{task}/log")
        assert a.status == 200, a
        return a.body

    def events(self, run, last=None):
        """(id, type, data), as they come, to the end of the run."""
        headers = {"Last-Event-ID": str(last)} if last is not None else {}
        c = self.connect()
        c.request("GET", f"/v1/runs/{run['id']}/events", None, headers)
        a = c.getresponse()
        assert a.status == 200, (a.status, a.read())
        yield from sse(a)
        c.close()

    def until_state(self, run, state, task=None):
        """Waits for the event."""
        for _, kind, data in self.events(run):
            if kind == ("task" if task else "run") and \
                    data["state"] == state and \
                    (not task or data["task"] == task):
                return data
        raise AssertionError(f"{task or 'the run'} was never {state}")

    def ended(self, run):
        """The run, once it has ended."""
        for _ in self.events(run):
            pass
        run = self.fresh(run)
        assert run["state"] in FINAL, run
        return run


def sse(lines):
    event = {}
    for line in lines:
        line = line.decode().rstrip("\n")
        if not line:
            if "data" in event:
                yield (int(event.get("id", 0)), event["event"],
                       json.loads(event["data"]))
            event = {}
        elif not line.startswith(":"):
            key, _, value = line.partition(": ")
            event[key] = value
