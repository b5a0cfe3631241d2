"""The main job on real input: the nine notebooks, as committed, on the real X-rays."""

import json
import os
import subprocess
import sys

LEAST_DICE = 0.965  # hard, per image, mean over the test split


def test_nine_notebooks_on_real_xrays(montgomery, tmp_path):
    environment = {**os.environ, "LUNGSEG_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "lungseg_utils", "course", "--data", str(montgomery)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
    [path] = tmp_path.glob("runs/*/summary.json")
    summary = json.loads(path.read_text())
    assert sum(summary["images"].values()) == 138 and len(summary["seconds"]) == 9
    assert summary["scores"]["both"]["dice"]["mean"] >= LEAST_DICE
    assert summary["peak_memory_gb"] <= 4
