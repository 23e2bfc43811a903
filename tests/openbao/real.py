# SPDX-License-Identifier: AGPL-3.0-or-later
"""Processes of the real server: one with -dev, and clusters of three."""
import json
import os
import pathlib
import select
import socket
import subprocess
import time

import pytest

from api import LIMIT, Api

HERE = pathlib.Path(__file__).resolve().parent
HOW = os.environ.get("NFO_OPENBAO", "find")  # or build


def program():
    """Its path; skips the test that asks, with the reason, if there is none."""
    done = subprocess.run([HERE / "server", HOW], capture_output=True,
                          text=True)
    if done.returncode == 77:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def free_ports(n):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def until(condition, limit=LIMIT):
    """For what another process does, and has no event for."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        try:
            it = condition()
        except OSError:
            it = None
        if it:
            return it
        select.select([], [], [], 0.02)
    raise AssertionError("it did not come to pass")


class Process:
    """One server process; its output is in LOG."""

    def __init__(self, argv, log, **env):
        self.argv, self.log = argv, log
        self.env = {"PATH": os.environ["PATH"], "HOME": str(log.parent),
                    "GOMAXPROCS": "2", **env}
        self.start()

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.argv, env=self.env,
                                            stdout=log, stderr=log)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def kill(self):
        self.process.kill()
        self.process.wait()


class Dev:
    """The server with -dev: in memory, unsealed, with the token "root"."""
    root_token = "root"

    def __init__(self, where):
        (port,) = free_ports(1)
        self.address = f"http://127.0.0.1:{port}"
        self.process = Process(
            [program(), "server", "-dev", "-dev-no-store-token",
             "-dev-root-token-id=root",
             f"-dev-listen-address=127.0.0.1:{port}"], where / "dev.log")
        api = Api(self.address, "root")
        until(lambda: api("GET", "sys/health").status == 200)
        until(lambda: api("GET", "sys/mounts/secret").status == 200)

    def stop(self):
        self.process.stop()


class Node:
    """One of a cluster: its directory, its process, its API as root."""

    def __init__(self, cluster, n, port, peer_port):
        self.cluster, self.name = cluster, f"n{n}"
        self.address = f"http://127.0.0.1:{port}"
        self.where = cluster.where / self.name
        (self.where / "data").mkdir(parents=True)
        config = {
            "disable_mlock": True, "ui": False, "api_addr": self.address,
            "cluster_addr": f"https://127.0.0.1:{peer_port}",
            "listener": {"tcp": {
                "address": f"127.0.0.1:{port}", "tls_disable": True,
                "cluster_address": f"127.0.0.1:{peer_port}"}},
            "audit": [{"type": "file", "path": "trail", "options": {
                "file_path": str(cluster.audit)}}],
            "storage": {"raft": {"path": str(self.where / "data"),
                                 "node_id": self.name,
                                 "performance_multiplier": 1,
                                 "autopilot_reconcile_interval": "200ms",
                                 "autopilot_update_interval": "200ms"}}}
        path = self.where / "config.json"
        path.write_text(json.dumps(config))
        self.process = Process([program(), "server", f"-config={path}"],
                               self.where / "log")
        self.api = Api(self.address)

    def health(self):
        return self.api("GET", "sys/health").status

    def unseal(self):
        """Whether it is; a node that has just joined takes a moment."""
        said = self.api("PUT", "sys/unseal", {"key": self.cluster.key})
        return said.status == 200 and not said.json["sealed"]


class Cluster:
    """Three nodes with raft, one key, and one file for the audit device."""

    def __init__(self, where):
        self.where, self.audit = where, where / "audit.log"
        ports = free_ports(6)
        self.nodes = []
        self.root_token = self.key = None
        self.nodes.append(Node(self, 1, *ports[:2]))
        first = self.nodes[0]
        until(lambda: first.api("GET", "sys/init").status == 200)
        made = first.api.must("PUT", "sys/init", {
            "secret_shares": 1, "secret_threshold": 1}).json
        self.root_token, self.key = made["root_token"], made["keys"][0]
        first.unseal()
        until(lambda: first.health() == 200)
        first.api.token = self.root_token
        first.api.must("POST", "sys/storage/raft/autopilot/configuration",
                       {"server_stabilization_time": "100ms"})
        for n in (2, 3):
            node = Node(self, n, *ports[2 * n - 2:2 * n])
            self.nodes.append(node)
            until(lambda: node.api("GET", "sys/init").status == 200)
            node.api.must("POST", "sys/storage/raft/join",
                          {"leader_api_addr": first.address})
            until(lambda: self.joined(node))
        for node in self.nodes:
            node.api.token = self.root_token
        until(lambda: self.voters() == 3)

    def voters(self):
        said = self.leader().api.must("GET", "sys/storage/raft/configuration")
        return sum(s["voter"] for s in said.data["config"]["servers"])

    @staticmethod
    def joined(node):
        return node.unseal() and node.health() in (200, 429)

    def leader(self):
        return until(lambda: next((n for n in self.nodes if self.alive(n)
                                   and n.health() == 200), None))

    def standbys(self):
        leader = self.leader()
        return [n for n in self.nodes if n is not leader and self.alive(n)]

    @staticmethod
    def alive(node):
        return node.process.process.poll() is None

    def seal(self):
        """All of them, by starting them again: a standby cannot be sealed."""
        for node in self.nodes:
            node.process.stop()
        for node in self.nodes:
            node.process.start()
        for node in self.nodes:
            until(lambda: node.health() == 503)

    def unseal(self):
        for node in self.nodes:
            until(node.unseal)
        self.leader()

    def step_down(self):
        """Another one leads when it returns.  Once in a cluster's life: who
        leads after that queues the next one (2.4.0) and goes on."""
        old = self.leader()
        old.api.must("PUT", "sys/step-down")
        until(lambda: self.leader() is not old)
        return self.leader()

    def kill_leader(self):
        """Another one leads when it returns; the old one, to start again."""
        old = self.leader()
        old.process.kill()
        self.leader()
        return old

    def revive(self, node):
        node.process.start()
        until(lambda: node.api("GET", "sys/init").status == 200)
        until(lambda: self.joined(node))

    def audited(self, kind="request"):
        """What was asked (or, "response", answered), by the audit device."""
        records = map(json.loads, self.audit.read_text().splitlines())
        return [r for r in records if r["type"] == kind]

    def stop(self):
        for node in self.nodes:
            node.process.stop()
