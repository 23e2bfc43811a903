# SPDX-License-Identifier: AGPL-3.0-or-later
"""The settings of a server: a file that is checked, and options over it."""
import json
import re

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
