# SPDX-License-Identifier: AGPL-3.0-or-later
"""How a task finds names: with the host's network as the host does, without it
nothing tells what the host's are."""
import pathlib


def host(name):
    try:
        return pathlib.Path("/etc", name).read_text(errors="replace")
    except OSError:
        return ""


def look(nfo, sandbox=""):
    run = nfo.run(f"tasks: {{ t: {{ {sandbox}run: "
                  "'cat /etc/hosts; echo --; cat /etc/resolv.conf' } }")
    assert run["state"] == "succeeded", run
    hosts, _, resolv = nfo.log(run, "t").decode(
        errors="replace").partition("--\n")
    return hosts, resolv


def test_with_and_without_the_network(nfo):
    hosts, resolv = look(nfo)
    assert hosts == "127.0.0.1 localhost\n::1 localhost\n" and resolv == ""
    nfo.stop()
    path = nfo.state / "policies/default.yaml"
    path.write_text(path.read_text().replace("networks: [none]",
                                             "networks: [none, host]"))
    nfo("runs")
    hosts, resolv = look(nfo, "sandbox: { profile: net, network: host }, ")
    assert (hosts, resolv) == (host("hosts"), host("resolv.conf"))
    hosts, resolv = look(nfo)
    assert hosts == "127.0.0.1 localhost\n::1 localhost\n" and resolv == ""


def test_what_is_there_is_read_only(nfo):
    nfo.stop()
    path = nfo.state / "policies/default.yaml"
    path.write_text(path.read_text().replace("networks: [none]",
                                             "networks: [none, host]"))
    nfo("runs")
    run = nfo.run("tasks: { t: { sandbox: { profile: net, network: host }, "
                  "run: 'echo x 2>&1 >> /etc/hosts || echo refused' } }")
    assert "refused" in nfo.log(run, "t").decode()
