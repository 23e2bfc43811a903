# SPDX-License-Identifier: AGPL-3.0-or-later
"""The settings of a server: a file that is checked, and options over it."""
import json
import os
import re
import signal
import sqlite3

import pytest

import nfo as programs

DOCS = programs.TOP / "docs/operations.md"
BROKEN = """\
log: { format: xml }
base_pth: /nfo
limits:
  connections: 0
listen: [localhost]
"""


def fails(nfo, *args):
    with nfo.popen("serve", "--cgroups", "prefer", *args) as p:
        _, err = p.communicate(timeout=programs.LIMIT)
    return p.returncode, err.decode()


def test_all_mistakes_at_once_each_with_its_place(cold):
    file = cold.write("server.yaml", BROKEN)
    result = cold("config", "check", file, code=2)
    assert re.findall(r"yaml:(\d+):(\d+): error: .*\[(.*)\]", result.err) == [
        ("1", "16", "bad-choice"), ("2", "1", "unknown-key"),
        ("4", "16", "out-of-range"), ("5", "10", "bad-value")]
    assert 'did you mean "base_path"?' in result.err
    errors = json.loads(cold("config", "check", file, "-o", "json",
                             code=2).out)
    assert [e["pointer"] for e in errors][2] == "/limits/connections"


def test_nothing_starts_with_a_wrong_file(cold):
    file = cold.write("server.yaml", BROKEN)
    code, err = fails(cold, "--config", file)
    assert (code, err.count("error:")) == (2, 4), err
    assert not cold.state.exists() or not cold.monitor()


@pytest.mark.parametrize("name", ("server.conf", "missing.yaml"))
def test_a_file_that_cannot_be_read(cold, name):
    cold.write("server.conf", "{}")
    code, err = fails(cold, "--config", cold.home / name)
    assert code == 2 and name in err, err


def test_a_file_that_others_may_write_is_refused(cold):
    file = cold.write("server.yaml", "log: { level: debug }\n")
    file.chmod(0o666)
    code, err = fails(cold, "--config", file)
    assert code == 4 and "others may change it" in err, err


def test_an_option_that_is_none(cold):
    code, err = fails(cold, "--set", "log.level=loud")
    assert code == 2 and "loud" in err, err
    code, err = fails(cold, "--set", "lok.level=info")
    assert code == 2 and "lok.level" in err, err


@pytest.mark.parametrize("name, text", (
    ("c.yaml", "sockets: [{}]\nlog: {{ level: debug }}\n"),
    ("c.json", '{{"sockets": ["{}"], "log": {{"level": "debug"}}}}'),
    ("c.toml", 'sockets = ["{}"]\n[log]\nlevel = "debug"\n')))
def test_it_starts_as_the_file_says(cold, name, text):
    cold.socket = cold.home / "from-file.sock"
    file = cold.write(name, text.format(cold.socket))
    cold.serve("--config", file)
    assert cold.get("/healthz").status == 200


def test_an_option_wins_over_the_file(cold):
    file = cold.write("c.yaml", f"sockets: [{cold.home}/file.sock]\n")
    cold.socket = cold.home / "option.sock"
    cold.serve("--config", file, "--socket", "option.sock")
    assert cold.get("/healthz").status == 200
    assert not (cold.home / "file.sock").exists()


def test_the_state_of_the_file(cold):
    del cold.env["NFO_STATE"]
    cold.serve("--config", cold.write("c.yaml", f"state: {cold.state}\n"))
    assert cold.get("/healthz").status == 200


def test_show_tells_where_each_is_from(cold):
    file = cold.write("c.toml", "base_path = '/nfo/'\n")
    shown = {k["key"]: k for k in
             json.loads(cold("config", "show", file, "-o", "json").out)}
    assert (shown["base_path"]["value"], shown["base_path"]["source"]) == \
        ("/nfo", "file")
    assert shown["timeouts.stop"]["source"] == "default"
    assert re.search(r'base_path +"/nfo" +file',
                     cold("config", "show", file).out)


def test_explain(cold):
    assert "kv, json; default kv" in cold("config", "explain",
                                          "log.format").out
    assert cold("config", "explain").out.count("\n\n") > 10
    cold("config", "explain", "log.colour", code=2)


def test_the_table_in_the_documentation_is_the_program_s(cold):
    keys = json.loads(cold("config", "explain", "-o", "json").out)
    rows = re.findall(
        r"^\| `([a-z_.]+)` \| (.*) \| (.*) \| (yes|no|) \| (.*) \|$",
        DOCS.read_text(), re.M)
    assert rows == [
        (k["key"], k["type"],
         f"`{k['default']}`" if k["default"] else "",
         "" if k["type"] == "map" else "yes" if k["reload"] else "no",
         k["help"]) for k in keys]


# --- reading it anew


@pytest.fixture
def served(cold):
    cold.file = cold.write("c.yaml", "log: { requests: false }\n")
    cold.serve("--config", cold.file, "--set", "log.level=info")
    return cold


def setting(nfo, key):
    a = nfo.get("/v1/system/config")
    assert a.status == 200
    return next(s for s in a.json["settings"] if s["key"] == key)


def said(nfo, word):
    return word in (nfo.home / "serve.err").read_text()


def test_what_is_in_force(served):
    assert served.get("/v1/system/config").json["file"] == str(served.file)
    assert setting(served, "log.requests")["source"] == "file"
    assert setting(served, "log.level")["source"] == "option"
    assert setting(served, "base_path")["source"] == "default"


def test_a_reload_by_the_api(served):
    server, c = served.role("server"), served.connect()
    assert served.ask("GET", "/healthz", connection=c).status == 200
    served.file.write_text("log: { requests: true, level: debug }\n"
                           "base_path: /nfo\nlimits: { connections: 99 }\n")
    a = served.ask("POST", "/v1/system/reload")
    assert (a.status, a.json) == (200, {
        "settings": ["base_path", "log.requests"],
        "needs_restart": ["limits.connections"],
        "policies": False, "certificate": False})
    assert served.ask("GET", "/nfo/healthz", connection=c).status == 200
    assert served.role("server") == server
    limit = setting(served, "limits.connections")
    assert (limit["value"], limit["after_restart"]) == (4096, 99)
    assert setting(served, "log.level")["value"] == "info"  # the option's
    served.until(lambda: said(served, "path=/nfo/healthz"))
    c.close()


def test_a_reload_by_a_signal(served):
    served.file.write_text("log: { requests: true, format: json }\n")
    os.kill(served.monitor(), signal.SIGHUP)
    served.until(lambda: setting(served, "log.requests")["value"] is True)
    served.until(lambda: said(served, '"msg":"request"'))


def test_a_wrong_file_changes_nothing(served):
    served.file.write_text("base_path: /nfo\nlog: { requets: true }\n")
    a = served.ask("POST", "/v1/system/reload")
    assert a.status == 422
    assert [(e["code"], e["line"], e["column"]) for e in a.json["errors"]] \
        == [("unknown-key", 2, 8)]
    assert setting(served, "base_path")["value"] == ""
    assert said(served, 'c.yaml:2:8: error: unknown key')
    served.file.unlink()
    a = served.ask("POST", "/v1/system/reload")
    assert a.status == 422 and "errors" not in a.json
    os.kill(served.monitor(), signal.SIGHUP)
    served.until(lambda: (served.home / "serve.err").read_text().count(
        "it stays as it was") == 3)
    served.file.write_text("base_path: /nfo\n")
    assert served.ask("POST", "/v1/system/reload").status == 200


def test_a_new_server_has_what_was_taken_last(served):
    served.file.write_text("base_path: /nfo\n")
    assert served.ask("POST", "/v1/system/reload").status == 200
    served.file.write_text("broken: [\n")
    assert served.ask("POST", "/v1/system/reload").status == 422
    server = served.role("server")
    os.kill(server, signal.SIGKILL)
    served.until(lambda: served.role("server") not in (0, server))
    assert setting(served, "base_path")["value"] == "/nfo"


def test_policies_are_judged_before_they_are_taken(served):
    policy = served.state / "policies/default.yaml"
    good = policy.read_text()
    policy.write_text("rules: 5\n")
    a = served.ask("POST", "/v1/system/reload")
    assert a.status == 422 and "default.yaml" in a.json["detail"]
    assert served.run("tasks: { a: { run: 'true' } }")["state"] == "succeeded"
    policy.write_text(good + "# other\n")
    server = served.role("server")
    a = served.ask("POST", "/v1/system/reload")
    assert (a.status, a.json["policies"]) == (200, True)
    served.until(lambda: served.role("server") not in (0, server))
    assert served.run("tasks: { a: { run: 'true' } }")["state"] == "succeeded"


def test_a_private_server_reads_its_policies_anew(nfo):
    assert nfo.ask("POST", "/v1/system/reload").status == 200
    assert nfo.get("/v1/system/config").json["file"] is None
    assert "time=" not in (nfo.state / "server.log").read_text()


def test_who_reloaded_is_noted(served):
    served.ask("POST", "/v1/system/reload")
    served.stop()

    db = sqlite3.connect(served.state / "server/nfo.db")
    assert [row for row in db.execute(
        "select * from audit") if "system.reload" in row]


def test_by_the_command_line(served):
    assert re.search(r"log.requests +false +file", served("config",
                                                          "show").out)
    served.file.write_text("log: { requests: true }\nmax_attempts: 9\n")
    result = served("config", "reload")
    assert result.out == "log.requests\n"
    assert "max_attempts: a restart changes it" in result.err
    assert re.search(r"max_attempts +256 +default, other after a restart",
                     served("config", "show").out)
    served.file.write_text("log: 5\n")
    assert "wrong-type" in served("config", "reload", code=2).err


def test_the_doctor_by_the_api(nfo):
    a = nfo.get("/v1/doctor")
    assert a.status == 200
    mine = json.loads(nfo("doctor", "--output", "json", code=None).out)
    assert {s["step"]: s["verdict"] for s in a.json["steps"]} == \
        {s["step"]: s["verdict"] for s in mine["steps"]}
    assert a.json["usable"] == mine["usable"]
