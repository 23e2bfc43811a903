# SPDX-License-Identifier: AGPL-3.0-or-later
"""Repositories behind git's own http-backend, with or without a login."""
import base64
import http.server
import os
import pathlib
import subprocess
import threading

BACKEND = pathlib.Path("/usr/lib/git-core/git-http-backend")
ENV = {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": "/nonexistent",
       "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null",
       "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com",
       "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com",
       "GIT_ALLOW_PROTOCOL": "file:http"}


def git(where, *args, stdin=None):
    done = subprocess.run(["git", "-C", where, *args], env=ENV, input=stdin,
                          check=True, stdout=subprocess.PIPE)
    return done.stdout.decode().strip()


class Repo:
    """A bare repository that is served, and a tree to make commits in."""

    def __init__(self, server, name):
        self.bare = server.root / f"{name}.git"
        self.tree = server.root / f"{name}.tree"
        self.url = f"{server.url}/{name}.git"
        git(server.root, "init", "-q", "--bare", "-b", "main", self.bare)
        git(server.root, "init", "-q", "-b", "main", self.tree)
        git(self.tree, "remote", "add", "origin", self.bare)

    def commit(self, files, branch="main", tag=None):
        """Contents by name; the commit's id."""
        for name, text in files.items():
            path = self.tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        git(self.tree, "add", "-A")
        return self.push(branch, tag)

    def push(self, branch="main", tag=None):
        git(self.tree, "commit", "-q", "--allow-empty", "-m", "x")
        git(self.tree, "push", "-qf", "origin", f"HEAD:refs/heads/{branch}")
        if tag:
            git(self.tree, "tag", "-fam", "t", tag)
            git(self.tree, "push", "-qf", "origin", f"refs/tags/{tag}")
        return git(self.tree, "rev-parse", "HEAD")


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        self.answer()

    do_POST = do_GET

    def answer(self):
        it = self.server.owner
        it.seen.append((self.command, self.path,
                        self.headers.get("Authorization")))
        it.asked.set()
        it.gate.wait(60)
        path, _, query = self.path.partition("?")
        if it.redirect:
            self.send_response(302)
            self.send_header("Location", it.redirect + self.path)
            self.end_headers()
            return
        if it.login and self.headers.get("Authorization") != it.login:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        length = int(self.headers.get("Content-Length") or 0)
        body = (self.rfile.read(length) if length or "chunked" not in
                self.headers.get("Transfer-Encoding", "") else self.chunks())
        self.cgi(path, query, body)

    def chunks(self):
        body = b""
        while True:
            n = int(self.rfile.readline().split(b";")[0], 16)
            body += self.rfile.read(n)
            self.rfile.readline()
            if not n:
                return body

    def cgi(self, path, query, body):
        env = {**ENV, "GIT_PROJECT_ROOT": str(self.server.owner.root),
               "GIT_HTTP_EXPORT_ALL": "1", "REQUEST_METHOD": self.command,
               "PATH_INFO": path, "QUERY_STRING": query,
               "CONTENT_TYPE": self.headers.get("Content-Type", ""),
               "CONTENT_LENGTH": str(len(body)),
               "HTTP_CONTENT_ENCODING":
                   self.headers.get("Content-Encoding", ""),
               "GIT_PROTOCOL": self.headers.get("Git-Protocol", "")}
        done = subprocess.run([BACKEND], env=env, input=body,
                              stdout=subprocess.PIPE, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = [h.split(": ", 1) for h in head.decode().split("\r\n") if h]
        status = [v for k, v in headers if k == "Status"]
        self.send_response(int(status[0][:3]) if status else 200)
        for key, value in headers:
            if key != "Status":
                self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class Server:
    """Requests pass while `gate` is set; `asked` is set by each."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.root.mkdir(exist_ok=True)
        self.login = self.redirect = None
        self.seen = []
        self.gate, self.asked = threading.Event(), threading.Event()
        self.gate.set()
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.owner = self
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever)
        self.thread.start()

    def wants(self, user, password):
        self.login = "Basic " + base64.b64encode(
            f"{user}:{password}".encode()).decode()

    def repo(self, name):
        return Repo(self, name)

    def close(self):
        self.gate.set()
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()
