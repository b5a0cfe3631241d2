"""Run a command with no network, no view of the teacher's files, and nothing to write to but its own folders.

A submission is somebody else's code. Where the system offers bubblewrap, or else user namespaces (`unshare`), it sees
Python, the system's libraries, the course's package and an empty home folder in memory: not the other submissions, not
the hidden tests, not the marks. Where it offers neither, `way` says so, and the caller warns.
"""

import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import matplotlib

import lungseg_utils

HOME = "/home/student"  # the folder in which a confined command works; it lies in memory and ends with the command
MEGABYTES = 200  # how much that folder holds
SCRIPT = Path(__file__).with_name("unshare.sh")
SYSTEM = (
    "/usr /bin /sbin /lib /lib32 /lib64 /etc/ld.so.cache /etc/alternatives /etc/fonts /etc/localtime /etc/passwd "
    "/sys/devices/system/cpu"  # TensorFlow counts the cores there
).split()


@cache
def readable() -> list[Path]:
    """What a confined command may read: the system's programs, this Python with its packages, the course's package."""
    own = [sys.prefix, sys.base_prefix, Path(lungseg_utils.__file__).parent, matplotlib.get_cachedir(), SCRIPT.parent]
    paths = [Path(path) for path in SYSTEM] + [Path(path).resolve() for path in own]
    return [path for path in dict.fromkeys(paths) if path.exists()]


def with_bubblewrap(command: list[str], shared: Path) -> list[str]:
    """The command line that confines a command with bubblewrap (https://github.com/containers/bubblewrap)."""
    line = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    line += ["--dev", "/dev", "--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys"]
    for folder in ("/tmp", HOME):
        line += ["--size", str(MEGABYTES << 20), "--tmpfs", folder]
    for path in readable():
        line += ["--ro-bind", str(path), str(path)]
    return [*line, "--bind", str(shared), str(shared), "--remount-ro", "/", "--chdir", HOME, *command]


def with_unshare(command: list[str], shared: Path) -> list[str]:
    """The command line that confines a command with `unshare` and the script beside this file."""
    root = shared.with_name("root")  # only the command sees what is put there
    root.mkdir(exist_ok=True)
    paths = [str(path) for path in readable()]
    new = "unshare --map-root-user --mount --net --ipc --uts --pid --fork --kill-child"
    script = ["sh", str(SCRIPT), str(root), HOME, str(MEGABYTES), str(shared), *paths, "--", *command]
    return [*new.split(), *script]


WAYS = {"bwrap": with_bubblewrap, "unshare": with_unshare}


@cache
def way() -> str | None:
    """The first way of confining a command that works on this machine: `"bwrap"`, `"unshare"`, or `None`."""
    with tempfile.TemporaryDirectory() as folder:
        shared = Path(folder, "shared")
        shared.mkdir()
        for name, line in WAYS.items():
            if shutil.which(name):
                tried = subprocess.run(line(["true"], shared), capture_output=True, timeout=60)
                if tried.returncode == 0:
                    return name
    return None


def confine(command: list[str], shared: Path) -> list[str]:
    """The command line that runs a command confined, as far as this machine can.

    Args:
        command: program and arguments.
        shared: the one folder of this machine that the command may write to; a folder `root` is made beside it.
    """
    return WAYS[way()](command, shared) if way() else command
