"""Start the kernel that runs a submission, with its memory and the size of its files limited.

python kernel.py MEGABYTES FONTS [arguments of ipykernel]
"""

import os
import resource
import shutil
import sys
from pathlib import Path

from ipykernel.kernelapp import launch_new_instance

if __name__ == "__main__":
    limit, fonts = int(sys.argv.pop(1)) << 20, Path(sys.argv.pop(1))
    # Linux counts what a process writes to; macOS knows the limit and ignores it, so `execute` measures as well
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # matplotlib writes beside its list of fonts, so it gets a copy: without it, each kernel would search for seconds
    shutil.copytree(fonts, os.environ["MPLCONFIGDIR"], dirs_exist_ok=True)
    launch_new_instance()
