"""What builds, installs and checks the project says the same everywhere."""

import json
import re
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from shared import REPOSITORY

with open(REPOSITORY / "pyproject.toml", "rb") as file:
    PROJECT = tomllib.load(file)["project"]


def requirements(name: str) -> list[Requirement]:
    lines = (REPOSITORY / name).read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if not line.startswith("#")]


CONSTRAINTS = requirements("constraints.txt")
WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))


def workflow(name: str) -> dict:
    return yaml.safe_load((REPOSITORY / ".github" / "workflows" / f"{name}.yml").read_text(encoding="utf-8"))


def test_constraints_fit_what_pyproject_asks_for():
    """Also where a library has one version for older and one for newer Pythons."""
    assert all(re.fullmatch(r"==[\w.]+", str(one.specifier)) for one in CONSTRAINTS)
    asked = [Requirement(text) for text in PROJECT["dependencies"]]
    asked += [Requirement(text) for extra in PROJECT["optional-dependencies"].values() for text in extra]
    for one in asked:
        exact = [next(iter(each.specifier)).version for each in CONSTRAINTS if each.name == canonicalize_name(one.name)]
        assert exact and all(map(one.specifier.contains, exact)), f"{one} and constraints.txt: run `make constraints`"


def test_colab_has_what_the_package_needs():
    """Else installing the package would move what Colab has."""
    colab = {one.name: one for one in requirements("tests/colab-versions.txt")}
    for one in map(Requirement, PROJECT["dependencies"]):
        if one.name in colab:
            assert one.specifier.contains(next(iter(colab[one.name].specifier)).version), one


def test_one_version_everywhere():
    cited = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    changes = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)$", changes, re.MULTILINE)
    assert released[0] == (PROJECT["version"], cited["date-released"])
    assert cited["version"] == PROJECT["version"]


def test_hooks_check_with_the_ruff_that_is_installed():
    hooks = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    [ruff] = [one for one in CONSTRAINTS if one.name == "ruff"]
    assert hooks["repos"][0]["rev"] == f"v{next(iter(ruff.specifier)).version}"


def test_every_system_and_python_is_checked():
    job = workflow("checks")["jobs"]["quick"]
    matrix = job["strategy"]["matrix"]
    assert {name.split("-")[0] for name in matrix["system"]} == {"ubuntu", "macos", "windows"}
    low, high = re.findall(r"3\.(\d+)", PROJECT["requires-python"])
    assert matrix["python"] == [f"3.{minor}" for minor in range(int(low), int(high))]


def test_checks_are_those_of_make_quick():
    """Windows has no make, so the workflow spells them out."""
    makefile = (REPOSITORY / "Makefile").read_text()
    recipe = dict(re.findall(r"^(quick|style|types):.*\n((?:\t.*\n)+)", makefile, re.MULTILINE))
    made = re.findall(r"-m (.+)", recipe["style"] + recipe["types"] + recipe["quick"])
    runs = [step["run"] for step in workflow("checks")["jobs"]["quick"]["steps"] if "run" in step]
    assert [run.removeprefix("python -m ") for run in runs if "pip install" not in run] == made


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_only_read_and_end(path):
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert content["permissions"] == {"contents": "read"}
    assert all(job["timeout-minutes"] <= 120 for job in content["jobs"].values())


def test_dvc_is_in_an_extra_of_its_own():
    assert any(line.startswith("dvc") for line in PROJECT["optional-dependencies"]["measure"])


def test_conda_and_containers_install_the_same():
    conda = yaml.safe_load((REPOSITORY / "environment.yml").read_text())["dependencies"]
    assert {"pip": ["-c constraints.txt", "-e .[notebooks,test]"]} in conda
    container = json.loads((REPOSITORY / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    assert container["postCreateCommand"] == "make setup"
