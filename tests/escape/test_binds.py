# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where a bind lands.  An earlier payload may have filled the workspace, so a
link in it must not lead a mount elsewhere (list, attack classes: mount and
symlink races); and no name may lead above the sandbox's root."""
import pathlib
import tempfile

import pytest

import jail as jails


@pytest.fixture
def workspace(home):
    """As an earlier payload could have left it."""
    path = pathlib.Path(tempfile.mkdtemp(dir=home))
    path.chmod(0o1777)
    (path / "plain").mkdir()
    (path / "up").symlink_to("../etc")
    (path / "absolute").symlink_to("/etc")
    return path


def show(jail, who, workspace, to, where):
    """Bind the tools at to, and list where."""
    return jail.run(who, [jail.nfo, "sandbox", "--timeout", "10s",
                          "--bind", f"{workspace}:/work",
                          "--bind-ro", f"{jail.tools}:{to}", "--",
                          "ls", where])


def test_bind_in_the_workspace(jail, who, workspace):
    result = show(jail, who, workspace, "/work/plain", "/work/plain")
    assert result.code == 0 and "probe" in result.out, result


@pytest.mark.parametrize("to", ("/work/up", "/work/absolute", "/work/up/ssl",
                                "/work/absolute/ssl"))
def test_bind_through_a_link(jail, who, workspace, to):
    result = show(jail, who, workspace, to, "/etc/ssl")
    assert result.code == 125, result
    assert "nfo sandbox: " in result.err


@pytest.mark.parametrize("to", ("/../roots", "/work/../../roots", "/..", "/",
                                "relative"))
def test_bind_above_the_root(jail, who, workspace, to):
    result = show(jail, who, workspace, to, "/")
    assert result.code == 125, result
    assert "nfo sandbox: " in result.err


def test_bind_is_read_only(jail, who, workspace):
    """Not by the mode of the file: the mount itself refuses."""
    (jail.tools / "open").write_text("as it was")
    (jail.tools / "open").chmod(0o666)
    result = jail.run(who, [*jail.sandbox("default"), "sh", "-c",
                            f"echo x >>{jails.TOOLS}/open"])
    assert result.code != 0
    assert (jail.tools / "open").read_text() == "as it was"


def test_missing_source(jail, who, home):
    result = jail.run(who, [jail.nfo, "sandbox", "--bind-ro",
                            f"{home}/nowhere:/work", "--", "true"])
    assert result.code == 125 and "nowhere" in result.err, result


def test_missing_place(jail, who):
    result = jail.run(who, [jail.nfo, "sandbox", "--bind-ro",
                            f"{jail.tools}:/mnt/nowhere", "--", "true"])
    assert result.code == 125 and "/mnt/nowhere" in result.err, result


@pytest.mark.parametrize("to", ("/proc", "/dev/shm", "/run", "/run/nfo"))
def test_bind_over_the_sandbox_itself(jail, who, to):
    result = jail.run(who, [jail.nfo, "sandbox", "--bind-ro",
                            f"{jail.tools}:{to}", "--", "true"])
    assert result.code == 125 and to in result.err, result


def test_writable_file(jail, who, home):
    """One file of the host, and nothing beside it."""
    file = pathlib.Path(tempfile.mkdtemp(dir=home), "file")
    file.parent.chmod(0o755)
    file.write_text("a")
    file.chmod(0o666)
    result = jail.run(who, [jail.nfo, "sandbox", "--bind",
                            f"{file}:/etc/hosts", "--", "sh", "-c",
                            "echo b >>/etc/hosts; echo c >/etc/services"])
    assert result.code not in (0, 125), result
    assert file.read_text() == "ab\n"
