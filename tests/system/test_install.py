# SPDX-License-Identifier: AGPL-3.0-or-later
"""`cmake --install` below a prefix: everything is in it, and works from there
as root, as an ordinary user, and with what the systemd unit takes away."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

import nfo as programs

BUILD = programs.BIN.parent
ROOT = os.geteuid() == 0
USER = 54321  # an ordinary user needs no name; nobody is nobody
UNIT = "lib/systemd/system/nfo.service"



def is_build_directory():
    """One that was configured there: its install script has absolute names."""
    try:
        cache = (BUILD / "CMakeCache.txt").read_text()
    except OSError:
        return False
    return os.access(BUILD, os.W_OK) and \
        f"CMAKE_CACHEFILE_DIR:INTERNAL={BUILD.resolve()}\n" in cache


pytestmark = pytest.mark.skipif(
    not is_build_directory(),
    reason=f"{BUILD} is not a build directory, or moved, or not ours")


def install(prefix, destdir=""):
    # The manifest in the build directory is one for all: not for ours.
    kept = BUILD / "install_manifest.txt"
    before = kept.read_bytes() if kept.exists() else None
    r = subprocess.run(["cmake", "--install", BUILD, "--prefix", prefix],
                       env=os.environ | {"DESTDIR": str(destdir)},
                       capture_output=True, text=True)
    names = kept.read_text().split()
    if before is None:
        kept.unlink()
    else:
        kept.write_bytes(before)
    assert r.returncode == 0, r.stderr
    return names


class Installed(programs.Nfo):
    """The installed programs, as one user or another."""

    def __init__(self, home, prefix, front=()):
        super().__init__(home)
        self.line = [*front, prefix / "bin/nfo"]

    def popen(self, *args, **more):
        for stream in ("stdin", "stdout", "stderr"):
            more.setdefault(stream, subprocess.PIPE)
        return subprocess.Popen([*self.line, *map(str, args)], env=self.env,
                                cwd=self.home, **more)


@pytest.fixture(scope="module")
def prefix():
    with tempfile.TemporaryDirectory(prefix="nfo-", dir="/tmp") as top:
        os.chmod(top, 0o755)
        install(pathlib.Path(top))
        yield pathlib.Path(top)


@pytest.fixture
def started(home, prefix):
    """Starts as a user; whatever runs ends with the test."""
    made = []

    def start(front=(), uid=None):
        if uid:
            os.chown(home, uid, uid)
        made.append(Installed(home, prefix, front))
        return made[-1]
    yield start
    for it in made:
        it.stop()
        assert it.left_behind() == []


def works(it, prefix):
    example = prefix / "share/doc/nfo/examples/hello.toml"
    assert re.match(r"nfo \d+\.\d+\.\d+$", it("version").out.strip())
    assert "ok, 2 tasks" in it("check", example).out
    result = it("run", example, "--input", "name=prefix")
    assert "salut, prefix" in result.out and ": succeeded" in result.out


@pytest.mark.skipif(not ROOT, reason="needs root")
def test_as_root(started, prefix):
    works(started(), prefix)


def test_as_an_ordinary_user(started, prefix):
    front = () if not ROOT else (
        "setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups",
        "--inh-caps=-all", "--")
    it = started(front, USER if ROOT else None)
    works(it, prefix)
    assert os.stat(f"/proc/{it.monitor()}").st_uid in (USER, os.geteuid())


def test_destdir_is_in_front_and_nowhere_else(tmp_path):
    names = install("/opt/some where", tmp_path)
    top = tmp_path / "opt/some where"
    assert [p.name for p in tmp_path.iterdir()] == ["opt"]
    assert os.access(top / "bin/nfo", os.X_OK)
    assert "/opt/some where/bin/nfo" in " ".join(names)
    for path in top.rglob("*"):
        if path.is_file() and path.parent.name not in ("bin", "nfo"):
            assert str(tmp_path).encode() not in path.read_bytes(), path
        assert not path.stat().st_mode & 0o022, path


def test_what_names_the_prefix_names_it(prefix):
    for name in (UNIT, "share/nfo/apparmor/nfo"):
        text = (prefix / name).read_text()
        assert str(prefix) in text and "/usr/local/" not in text
    for program in re.findall(rf"{prefix}/\S+",
                              (prefix / "share/nfo/apparmor/nfo").read_text()):
        assert list(prefix.glob(program.removeprefix(f"{prefix}/"))), program


def test_the_manual_and_the_completion_are_where_they_are_looked_for(prefix):
    if not (BUILD / "share").exists():
        pytest.skip("a build for tests prints none")
    for name in ("man/man1/nfo.1", "man/man1/nfo-run.1",
                 "man/man1/nfo-doctor.1", "man/man5/nfo-job.5",
                 "bash-completion/completions/nfo",
                 "zsh/site-functions/_nfo",
                 "fish/vendor_completions.d/nfo.fish"):
        assert (prefix / "share" / name).stat().st_size > 100, name


# --- the systemd unit

def settings(name, text):
    return re.findall(rf"^{name}=(.*)$", text, re.M)


def test_the_unit_drops_what_the_monitor_drops(prefix):
    text = (prefix / UNIT).read_text()
    drops = " ".join(settings("CapabilityBoundingSet", text))
    source = (programs.TOP / "src/role/confine.c").read_text()
    never = source.split("never[] = {")[1].split("}")[0]
    assert set(re.findall(r"CAP_\w+", drops)) == \
        set(re.findall(r"CAP_\w+", never))
    assert all(line.startswith("~") for line in
               settings("CapabilityBoundingSet", text))
    assert settings("Delegate", text) == ["yes"]


@pytest.mark.skipif(not shutil.which("systemd-analyze"),
                    reason="systemd-analyze is not installed")
def test_systemd_understands_the_unit(prefix):
    r = subprocess.run(["systemd-analyze", "verify", "--man=no",
                        prefix / UNIT], capture_output=True, text=True)
    said = [line for line in r.stderr.splitlines() if "nfo.service" in line]
    assert not said, said


@pytest.mark.skipif(not ROOT, reason="needs root")
def test_a_server_works_with_what_the_unit_takes_away(started, prefix, home):
    """What systemd does for ProtectSystem=strict, ProtectHome, NoNewPrivileges,
    CapabilityBoundingSet and UMask, done by hand."""
    text = (prefix / UNIT).read_text()
    for name, value in (("ProtectSystem", "strict"), ("ProtectHome", "yes"),
                        ("NoNewPrivileges", "yes"), ("UMask", "0077")):
        assert settings(name, text) == [value], name
    caps = re.findall(r"CAP_(\w+)", " ".join(
        settings("CapabilityBoundingSet", text)))
    state = home / "s"
    state.mkdir(mode=0o711)
    script = """
        mount --bind "$1" "$1"
        mount -t tmpfs -o mode=755 home /root
        [ ! -d /home ] || mount -t tmpfs -o mode=755 home /home
        mount -o remount,bind,ro /
        ! mountpoint -q /tmp || mount -o remount,bind,ro /tmp
        ! mkdir /usr/written /tmp/written 2>/dev/null
        umask 0077
        shift
        exec setpriv --no-new-privs --bounding-set "$@"
    """
    front = ("unshare", "-m", "--propagation", "private", "sh", "-euc",
             script, "sh", state, ",".join(f"-{c.lower()}" for c in caps),
             "--")
    it = started(front)
    it.serve("--state", state)
    it.line = [prefix / "bin/nfo"]
    works(it, prefix)
    status = pathlib.Path(f"/proc/{it.monitor()}/status").read_text()
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.M)
