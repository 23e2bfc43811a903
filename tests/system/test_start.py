# SPDX-License-Identifier: AGPL-3.0-or-later
"""Starting: who may, on what, and what is said when it cannot be."""
import os
import socket
import subprocess
import sys

import pytest

import nfo as programs

HELLO = "nfo: 1\nname: hello\ntasks: { hello: { run: echo hi } }\n"


def fails_to_start(nfo, *words):
    """By the private server's way and by `nfo serve`; both say why."""
    result = nfo("runs", code=4)
    nfo.stop()  # the one that did not start is perhaps still leaving
    with nfo.popen("serve", "--cgroups", "prefer") as p:
        _, err = p.communicate(timeout=programs.LIMIT)
    assert p.returncode in (2, 4), err  # 2: a mistake in what it was given
    for word in words:
        assert word in result.err, result.err
        assert word in err.decode(), err
    assert not nfo.socket.exists() or not answers(nfo.socket)


def stays_sealed(nfo, *words):
    """The server serves without what the store holds, and says why."""
    nfo("runs")
    status = nfo.get("/v1/seal-status").json
    assert status["sealed"] and status["reason"] == "no-key"
    for word in words:
        assert word in status["text"], status
    assert nfo.get("/readyz").json["sealed"] is True
    assert nfo.get("/v1/projects/default/secrets").status == 503


def answers(path):
    with socket.socket(socket.AF_UNIX) as s:
        try:
            s.connect(str(path))
            return True
        except OSError:
            return False


def test_a_second_server_is_refused_with_the_pid(nfo):
    with nfo.popen("serve", "--cgroups", "prefer", "--socket",
                   nfo.home / "other.sock") as p:
        _, err = p.communicate(timeout=programs.LIMIT)
    assert p.returncode == 4
    assert f"pid {nfo.monitor()}" in err.decode()
    assert nfo.get("/healthz").status == 200


def test_many_first_commands_start_one_server(cold):
    running = [cold.popen("runs") for _ in range(6)]
    for p in running:
        _, err = p.communicate(timeout=programs.LIMIT)
        assert p.returncode == 0, err
    cold.note_monitor()
    assert (cold.state / "server.log").read_text().count("ready") == 1


def test_key_file_with_a_wrong_mode(nfo):
    nfo.stop()
    (nfo.state / "keeper/key").chmod(0o644)
    stays_sealed(nfo, "key", "mode")


def test_key_file_of_a_wrong_size(nfo):
    nfo("secret", "put", "a", stdin=b"something of value")
    nfo.stop()
    key = nfo.state / "keeper/key"
    key.write_bytes(key.read_bytes()[:-5])
    stays_sealed(nfo, "key")


def test_another_key_file_opens_nothing(nfo):
    nfo("secret", "put", "a", stdin=b"something of value")
    nfo.stop()
    key = nfo.state / "keeper/key"
    content = bytearray(key.read_bytes())
    content[5] = ord("A") if content[5] != ord("A") else ord("B")
    key.write_bytes(content)
    stays_sealed(nfo, "key")


def database(nfo):
    (path,) = [p for p in (nfo.state / "server").iterdir() if p.is_file()
               and p.read_bytes()[:15] == b"SQLite format 3"]
    return path


@pytest.mark.parametrize("how", ("header", "middle", "cut"))
def test_a_corrupt_database_is_said_and_not_used(nfo, how):
    for _ in range(3):
        nfo.run(HELLO)
    nfo.stop()
    path = database(nfo)
    for rest in path.parent.glob(path.name + "-*"):
        rest.unlink()
    data = bytearray(path.read_bytes())
    if how == "header":
        data[:64] = b"x" * 64
    elif how == "middle":
        data[4096:] = b"\xa5" * (len(data) - 4096)
    else:
        del data[len(data) // 2:]
    path.write_bytes(data)
    fails_to_start(nfo, path.name)
    assert path.read_bytes() == bytes(data)


def test_a_policy_with_a_mistake_is_said_with_its_place(nfo):
    nfo.stop()
    path = nfo.state / "policies/default.yaml"
    path.write_text(path.read_text().replace("rules:", "ruless:"))
    fails_to_start(nfo, "default.yaml", "ruless")


def test_a_policy_that_others_may_write_is_refused(nfo):
    nfo.stop()
    (nfo.state / "policies/default.yaml").chmod(0o666)
    fails_to_start(nfo, "default.yaml")


def test_a_state_that_others_may_write_is_refused(cold):
    cold.state.mkdir()
    cold.state.chmod(0o777)
    result = cold("runs", code=4)
    assert str(cold.state) in result.err and "chmod" in result.err


def test_a_taken_port_is_said(cold):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = "127.0.0.1:%d" % taken.getsockname()[1]
        with cold.popen("serve", "--cgroups", "prefer", "--listen",
                        where) as p:
            _, err = p.communicate(timeout=programs.LIMIT)
        with socket.create_connection(taken.getsockname()[:2]):
            taken.accept()[0].close()  # it is still theirs
    assert p.returncode == 4 and where in err.decode(), err


def test_only_loopback_without_tls(cold):
    with cold.popen("serve", "--cgroups", "prefer", "--listen",
                    "0.0.0.0:0") as p:
        _, err = p.communicate(timeout=programs.LIMIT)
    assert p.returncode == 4 and "loopback" in err.decode()


def test_a_stale_socket_is_replaced(nfo):
    nfo.stop()
    with socket.socket(socket.AF_UNIX) as s:
        nfo.socket.unlink(missing_ok=True)
        s.bind(str(nfo.socket))
    assert nfo("runs")


def serve_at(cold, path):
    """What `nfo serve` says when it cannot have the socket."""
    with cold.popen("serve", "--cgroups", "prefer", "--socket", path) as p:
        _, err = p.communicate(timeout=programs.LIMIT)
    assert p.returncode == 4 and str(path) in err.decode(), err
    return err.decode()


@pytest.mark.parametrize("kind, backlog", ((socket.SOCK_STREAM, 5),
                                           (socket.SOCK_STREAM, 0),
                                           (socket.SOCK_DGRAM, None)),
                         ids=("stream", "busy", "datagram"))
def test_a_foreign_listener_keeps_its_socket(cold, kind, backlog):
    path = cold.home / "theirs.sock"
    with socket.socket(socket.AF_UNIX, kind) as s, \
            socket.socket(socket.AF_UNIX, kind) as client:
        s.bind(str(path))
        if backlog is not None:
            s.listen(backlog)
        if backlog == 0:
            client.connect(str(path))  # and nobody takes it
        before = path.stat()
        assert "somebody serves there" in serve_at(cold, path)
        assert path.stat().st_ino == before.st_ino


def test_a_file_at_the_sockets_place_is_not_removed(cold):
    path = cold.write("notes", "of value")
    assert "no socket" in serve_at(cold, path)
    assert path.read_text() == "of value"
    link = cold.home / "link"
    link.symlink_to(path)
    assert "no socket" in serve_at(cold, link)
    assert path.read_text() == "of value" and link.is_symlink()


def test_sigterm_ends_it_and_its_tasks(nfo):
    run = nfo.run("tasks: { t: { run: sleep 300 } }", wait=None)
    nfo.until_state(run, "running", "t")
    nfo.stop()
    assert nfo.left_behind() == []
    nfo("runs")
    assert nfo.ended(run)["state"] == "failed"
    assert nfo.tasks(nfo.fresh(run))["t"]["kind"] == "lost"


def test_runs_survive_a_restart(nfo):
    run = nfo.run(HELLO)
    nfo.stop()
    nfo("runs")
    assert nfo.fresh(run) == run
    assert nfo.log(run, "hello") == b"hi\n"


def test_idle_private_server_is_one_process_tree(nfo):
    """Each role's command line reads `nfo: ROLE`."""
    names = set()
    for pid in nfo.processes()[1:]:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            names.add(f.read().rstrip(b"\0").decode())
    assert {"nfo: server", "nfo: keeper", "nfo: spawner"} <= names
    assert all(n.startswith("nfo: ") for n in names), names
    with open(f"/proc/{nfo.monitor()}/comm", encoding="ascii") as f:
        assert f.read() == "nfo-monitor\n"  # exe is root's to read


@pytest.mark.skipif(os.geteuid() != 0, reason="it takes another namespace")
def test_a_peer_of_another_pid_namespace_is_refused(cold):
    """By its uid it would be the owner."""
    cold.serve()
    ask = [sys.executable, "-c", "import socket, sys\n"
           "s = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
           "s.sendall(b'GET /v1/whoami HTTP/1.1\\r\\nHost: localhost\\r\\n'\n"
           "          b'Connection: close\\r\\n\\r\\n')\n"
           "data = b''\n"
           "while b := s.recv(4096): data += b\n"
           "print(data.decode())", str(cold.socket)]

    def say(*front):
        return subprocess.run([*front, *ask], capture_output=True, text=True,
                              check=True).stdout
    assert '"name":"uid:0"' in say()
    refused = say("unshare", "-p", "-f")
    assert " 403 " in refused and "foreign-namespace" in refused
    assert '"name":"uid:0"' in say()
