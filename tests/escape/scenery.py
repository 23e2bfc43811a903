# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a sandbox must not reach, made on the host and removed again."""
import contextlib
import ctypes
import os
import pathlib
import shutil
import socket
import struct

KEY = 0x4E46E5C0
NAME = f"nfo-escape-{os.getpid()}"
SECRET = "7f3c-planted-secret-1d9e"
PLANTED_FDS = (77, 900)  # of the host's root directory, left open on exec

libc = ctypes.CDLL(None, use_errno=True)
IPC_CREAT, IPC_RMID = 0o1000, 0


def checked(value):
    if value < 0:
        raise OSError(ctypes.get_errno(), "scenery")
    return value


@contextlib.contextmanager
def shared_objects():
    """A SysV segment, semaphore and queue, a POSIX queue, a file in shm."""
    shm = checked(libc.shmget(KEY, 4096, IPC_CREAT | 0o666))
    sem = checked(libc.semget(KEY, 1, IPC_CREAT | 0o666))
    msg = checked(libc.msgget(KEY, IPC_CREAT | 0o666))
    queue = libc.mq_open(f"/{NAME}".encode(), os.O_CREAT | os.O_RDWR, 0o666,
                         None)
    file = pathlib.Path("/dev/shm", NAME)
    file.touch(0o666)
    try:
        yield
    finally:
        file.unlink()
        if queue >= 0:
            os.close(queue)
            libc.mq_unlink(f"/{NAME}".encode())
        libc.msgctl(msg, IPC_RMID, None)
        libc.semctl(sem, 0, IPC_RMID)
        libc.shmctl(shm, IPC_RMID, None)


def listen(family, address):
    s = socket.socket(family, socket.SOCK_STREAM)
    s.bind(address)
    s.listen(128)
    return s


def own_address():
    """An address of this host that is not loopback, if it has any."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("192.0.2.1", 9))  # sends nothing
            return s.getsockname()[0]
        except OSError:
            return "127.0.0.1"


@contextlib.contextmanager
def sockets(directory):
    """Listeners: TCP, an abstract name, a path."""
    path = str(directory / "socket")
    with contextlib.ExitStack() as stack:
        tcp = stack.enter_context(listen(socket.AF_INET, ("0.0.0.0", 0)))
        stack.enter_context(listen(socket.AF_UNIX, "\0" + NAME))
        stack.enter_context(listen(socket.AF_UNIX, path))
        os.chmod(path, 0o666)
        yield {"port": str(tcp.getsockname()[1]), "abstract": NAME,
               "socket": path, "address": own_address()}


def open_planted():
    for fd in PLANTED_FDS:
        root = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
        os.dup2(root, fd, inheritable=True)
        os.close(root)


def privileged_copies(tools):
    """Root's: a set-user-id copy of the probe, one with file capabilities."""
    for name in ("setuid", "filecaps"):
        shutil.copy(tools / "probe", tools / name)
    (tools / "filecaps").chmod(0o755)
    (tools / "setuid").chmod(0o4755)
    # VFS_CAP_REVISION_2, effective; all of the first 32 permitted.
    os.setxattr(tools / "filecaps", "security.capability",
                struct.pack("<IIIII", 0x02000001, 0xFFFFFFFF, 0, 0, 0))
