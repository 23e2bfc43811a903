# SPDX-License-Identifier: AGPL-3.0-or-later
"""A machine with Debian 12's own kernel: its parts, its start and its end.

Everything is under build/full; the kernel's package is kept there."""
import os
import pathlib
import re
import shutil
import subprocess
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).parent
WORK = TOP / "build/full"
SHARE = WORK / "share"
OUT = SHARE / "out"
MODULES = """netfs fscache 9pnet 9p virtio_ring virtio 9pnet_virtio
virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci""".split()
SECONDS = int(os.environ.get("NFO_FULL_SECONDS", 5400))  # everything
SECONDS_UP = 60    # a kvm that does not come up by then does not work


class Missing(Exception):
    """A package that cannot be had here."""


def fetch_kernel():
    """The kernel's package, from apt's mirrors or from an earlier run."""
    found = sorted(WORK.glob("linux-image-6.1*_amd64.deb"))
    if found:
        return found[-1]
    depends = subprocess.run(["apt-cache", "depends", "linux-image-amd64"],
                             capture_output=True, text=True).stdout
    name = re.search(r"Depends: (linux-image-6\.1\S*)", depends)
    if not name:
        raise Missing("apt-cache knows no linux-image-amd64 of 6.1")
    got = subprocess.run(["apt-get", "download", name[1]], cwd=WORK,
                         capture_output=True, text=True, timeout=600)
    found = sorted(WORK.glob("linux-image-6.1*_amd64.deb"))
    if got.returncode or not found:
        raise Missing(f"apt-get download {name[1]}: {got.stderr[-300:]}")
    return found[-1]


def unpack_kernel():
    """Returns the kernel; the initial RAM disk is beside it."""
    root = WORK / "kernel"
    shutil.rmtree(root, ignore_errors=True)
    (root / "deb").mkdir(parents=True)
    wanted = ["./boot/vmlinuz-*"] + [f"*/{m}.ko" for m in MODULES]
    subprocess.run(
        f"dpkg-deb --fsys-tarfile '{fetch_kernel()}' | tar x -C '{root}/deb'"
        " --no-same-owner --wildcards " + " ".join(f"'{w}'" for w in wanted),
        shell=True, check=True)
    disk = root / "disk"
    for name in "bin modules proc sys dev usr etc new".split():
        (disk / name).mkdir(parents=True)
    for module in (root / "deb").rglob("*.ko"):
        shutil.copy(module, disk / "modules")
    (disk / "modules/list").write_text("".join(m + ".ko\n" for m in MODULES))
    shutil.copy(shutil.which("busybox", path="/bin:/usr/bin"), disk / "bin")
    shutil.copy(HERE / "init.sh", disk / "init")
    (disk / "init").chmod(0o755)
    subprocess.run("find . | cpio -o -H newc -R 0:0 --quiet >../disk.cpio",
                   shell=True, cwd=disk, check=True)
    return next((root / "deb/boot").glob("vmlinuz-*"))


def fill_share(binaries):
    """What the machine is given: the programs and the sources."""
    shutil.rmtree(SHARE, ignore_errors=True)
    OUT.mkdir(parents=True)
    (SHARE / "bin").mkdir()
    for program in (*binaries.glob("nfo*"), binaries / "escape_probe"):
        shutil.copy(program, SHARE / "bin")
    shutil.copytree(TOP, SHARE / "tree", symlinks=True,
                    ignore=shutil.ignore_patterns(
                        "build", ".git", "__pycache__", ".nfo"))
    shutil.copy(HERE / "guest.sh", SHARE)


def command(kernel, accel):
    # It ends with the test, whatever ends the test.
    line = ["setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64", *accel,
            "-m", "3072", "-smp", "2", "-nodefaults", "-display", "none",
            "-monitor", "none", "-serial", "stdio", "-no-reboot",
            "-kernel", kernel, "-initrd", WORK / "kernel/disk.cpio", "-append",
            "console=ttyS0 quiet panic=-1 mitigations=off"]
    for tag, path, mode in (("usr", "/usr", ",readonly=on"),
                            ("etc", "/etc", ",readonly=on"),
                            ("share", SHARE, "")):
        line += ["-virtfs", f"local,path={path},mount_tag={tag},"
                 f"security_model=none,multidevs=remap{mode}"]
    return line


def wait(qemu, console, seconds, word=None):
    """True when the word was printed; without a word, when qemu ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            qemu.wait(1)
        except subprocess.TimeoutExpired:
            pass
        if word and word in console.read_text(errors="replace"):
            return True
        if qemu.returncode is not None:
            return word is None
    return False


def boot(kernel, name, accel, up):
    """True when the machine came up; it has ended when this returns."""
    console = WORK / f"console-{name}"
    begun = time.monotonic()
    with console.open("wb") as out:
        qemu = subprocess.Popen(command(kernel, accel), stdout=out,
                                stderr=subprocess.STDOUT,
                                stdin=subprocess.DEVNULL)
        try:
            if not wait(qemu, console, up, "nfo-guest: up"):
                return False
            wait(qemu, console, SECONDS)
        finally:
            qemu.kill()
            qemu.wait()
            print(f"{name}: {time.monotonic() - begun:.0f} s")
    return True


def run(binaries):
    """Boots, runs everything, switches off; returns the accelerator."""
    WORK.mkdir(parents=True, exist_ok=True)
    for program in ("qemu-system-x86_64", "cpio", "busybox", "dpkg-deb"):
        if not shutil.which(program):
            raise Missing(f"{program} is not installed")
    kernel = unpack_kernel()
    fill_share(binaries)
    if os.access("/dev/kvm", os.R_OK | os.W_OK) and boot(
            kernel, "kvm", ("-accel", "kvm", "-cpu", "host"), SECONDS_UP):
        return "kvm"
    slow = ("-accel", "tcg,thread=multi", "-cpu", "max")
    if boot(kernel, "tcg", slow, 300):
        return "tcg"
    log = (WORK / "console-tcg").read_text(errors="replace")
    raise RuntimeError("the machine did not come up:\n" + log[-3000:])
