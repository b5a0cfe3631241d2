"""The main job on real input: the nine notebooks, as committed, on the real X-rays."""

import json

import pytest
from shared import run_python

from lungseg_utils.command.run import find_notebooks

pytestmark = pytest.mark.slow

# Hard, per image, mean over the 20 test images. Those differ much, so the mean depends on who is among them: splits
# with three other seeds gave 0.967 to 0.974. This bound catches a course that is broken, not one that is unlucky.
LEAST_DICE = 0.955


def test_nine_notebooks_on_real_xrays(montgomery, tmp_path):
    done = run_python("-m", "lungseg_utils", "course", "--data", montgomery, LUNGSEG_HOME=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
    [path] = tmp_path.glob("runs/2*/summary.json")
    summary = json.loads(path.read_text())
    assert sum(summary["images"].values()) == 138
    assert list(summary["seconds"]) == [path.stem for path in find_notebooks()]
    assert summary["scores"]["both"]["dice"]["mean"] >= LEAST_DICE
    assert summary["peak_memory_gb"] <= 4
