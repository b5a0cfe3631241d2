"""Run a command with no network, no view of the teacher's files, and nothing to write to but a small folder in memory.

A submission is somebody else's code. Where the system offers bubblewrap, or else user namespaces (`unshare`), it sees
Python, the system's libraries, the course's package and an empty home folder in memory: not the other submissions, not
the tests, not the marks. Where it offers neither, `way` says so, and the caller warns. Where it offers control groups
to users (`systemd-run --user`), memory and processes are counted by the kernel; elsewhere `execute` measures them.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import matplotlib

import lungseg_utils

HOME = "/home/student"  # the folder in which a confined command works; it lies in memory and ends with the command
MEGABYTES = 100  # how much that folder holds, and each of the two others that can be written to
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


def with_bubblewrap(command: list[str], root: Path) -> list[str]:
    """The command line that confines a command with bubblewrap (https://github.com/containers/bubblewrap)."""
    line = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    line += ["--dev", "/dev", "--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys"]
    for folder in ("/tmp", "/dev/shm", HOME):
        line += ["--size", str(MEGABYTES << 20), "--tmpfs", folder]
    for path in readable():
        line += ["--ro-bind", str(path), str(path)]
    return [*line, "--remount-ro", "/", "--chdir", HOME, *command]


def with_unshare(command: list[str], root: Path) -> list[str]:
    """The command line that confines a command with `unshare` and the script beside this file."""
    new = "unshare --map-root-user --mount --net --ipc --uts --pid --fork --kill-child"
    script = ["sh", str(SCRIPT), str(root), HOME, str(MEGABYTES), *map(str, readable()), "--", *command]
    return [*new.split(), *script]


WAYS = {"bwrap": with_bubblewrap, "unshare": with_unshare}


def works(line: list[str]) -> bool:
    """Whether a command line can be run here."""
    return bool(shutil.which(line[0])) and subprocess.run(line, capture_output=True, timeout=60).returncode == 0


@cache
def way() -> str | None:
    """The first way of confining a command that works on this machine: `"bwrap"`, `"unshare"`, or `None`."""
    with tempfile.TemporaryDirectory() as root:
        return next((name for name, line in WAYS.items() if works(line(["true"], Path(root)))), None)


def counted(megabytes: int, processes: int) -> list[str]:
    """What to put before a command so that the kernel counts its memory, swap and processes; where offered."""
    line = ["systemd-run", "--user", "--scope", "--quiet", "--collect", "-p", f"MemoryMax={megabytes}M"]
    line += ["-p", "MemorySwapMax=0", "-p", f"TasksMax={processes}"]
    return line if can_count() else []


@cache
def can_count() -> bool:
    """Whether this system offers control groups to users."""
    return works(["systemd-run", "--user", "--scope", "--quiet", "true"])


def confine(command: list[str], root: Path) -> list[str]:
    """The command line that runs a command confined, as far as this machine can.

    Args:
        command: program and arguments.
        root: any empty folder; only the command sees what is put there.
    """
    return WAYS[way()](command, root) if way() else command


def environment(home: str) -> dict[str, str]:
    """The environment of a marked process: nothing of the teacher's, and one core, so that several run side by side."""
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": home,
        "LANG": "C.UTF-8",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MPLCONFIGDIR": f"{home}/matplotlib",
        "IPYTHONDIR": f"{home}/ipython",
        "KERAS_HOME": f"{home}/keras",
        "LUNGSEG_HOME": f"{home}/data",
        "PYTHONPATH": f"{SCRIPT.parent}{os.pathsep}{Path(lungseg_utils.__file__).parents[1]}",
        "PYTHONHASHSEED": "0",
        "CUDA_VISIBLE_DEVICES": "-1",
        "PYTHONDONTWRITEBYTECODE": "1",
        **dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1"),
    }
