# SPDX-License-Identifier: AGPL-3.0-or-later
"""A file includes only its own layer and those below that CMake names, and a
third-party header only in its home folder."""
import re

import tree

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)

# header prefix -> folders that are its home
HOMES = {
    "microhttpd": {"src/api"},
    "gnutls/": {"src/api"},
    "sqlite3": {"src/store", "secrets", "tests/unit"},
    "curl/": {"src/notify", "src/cli", "src/fetch", "src/vault"},
    "libssh/": {"src/runner"},
    "seccomp": {"sandbox"},
    "sys/capability": {"sandbox"},
    "yaml": {"src/doc", "sandbox"},
    "jansson": {"src/vault"},
    "toml++/": {"src/doc"},
    "openssl/": {"secrets", "base", "src/oidc", "tests/unit"},
    "zlib": {"src/api", "src/cli", "src/unpack", "tests/unit"},
    "zstd": {"src/api", "src/cli"},
    "cmocka": {"tests/unit"},
}


def sources():
    return tree.tracked("*.c", "*.h", "*.cc")


def test_the_table_is_there():
    table = tree.layers()
    assert {"base", "sandbox", "secrets", "doc", "job", "policy", "engine",
            "api", "runner", "cli"} <= set(table)
    for name, (_, allowed) in table.items():
        assert set(allowed) <= set(table), name


def test_no_cycle():
    table = tree.layers()
    for name, (_, allowed) in table.items():
        for below in allowed:
            assert name not in tree.closure(table, below), (name, below)


def test_includes_follow_the_layers():
    table = tree.layers()
    folders = {path: name for name, (path, _) in table.items()}
    bad = []
    for file in sources():
        own = folders.get(file.parent)
        if own is None or own == "role":
            continue
        may = tree.closure(table, own)
        for kind, what in INCLUDE.findall(file.read_text()):
            target = tree.folder_of(what, table) if kind == '"' else None
            if target and target not in may:
                bad.append(f"{file.relative_to(tree.TOP)}: {what}")
    assert not bad, "\n".join(bad)


def test_libraries_stay_at_home():
    bad = []
    for file in sources():
        where = str(file.parent.relative_to(tree.TOP))
        if where.startswith("bench"):
            continue
        for kind, what in INCLUDE.findall(file.read_text()):
            if kind != "<":
                continue
            for prefix, homes in HOMES.items():
                if what.startswith(prefix) and where not in homes:
                    bad.append(f"{file.relative_to(tree.TOP)}: {what}")
    assert not bad, "\n".join(bad)


def test_headers_compile_alone(tmp_path):
    import subprocess
    headers = tree.tracked("*.h")
    unit = "".join(
        f'#include "{h}"\n#include "{h}"\n' for h in headers)
    assert headers
    bad = []
    probe = tmp_path / "all.c"
    probe.write_text(unit)
    flags = ["-std=gnu17", "-D_GNU_SOURCE", f"-I{tree.TOP}",
             f"-I{tree.TOP}/src", "-fsyntax-only", "-w"]
    for h in headers:
        probe.write_text(f'#include "{h}"\n#include "{h}"\n')
        r = subprocess.run(["gcc", *flags, str(probe)], capture_output=True,
                           text=True)
        if r.returncode:
            bad.append(f"{h.relative_to(tree.TOP)}: {r.stderr.splitlines()[0]}")
    assert not bad, "\n".join(bad)
