# make course      run the nine notebooks and print the results   (DATA=/path/to/MontgomerySet, RECIPE=article)
# make lab         open JupyterLab
# make quick       style, types and the fast tests, in two minutes
# make test        run every check and test, the notebooks included
# make test-colab  run the notebooks on the versions that Colab has
# make notebooks   make every .ipynb anew from its .py, executed
# make stale       list the kept figures that are older than their code, data or weights, and what changed
# make measure     these figures anew: up to six hours   (DATA=/path/to/MontgomerySet OTHER=/path/to/OpenIST)
# make report      the tables of README.md and RESULTS.md, and notebook 9, from the kept figures
# make assignments student copies and solutions of the assignments, from their masters
# make grade       mark students' notebooks   (SUBMISSIONS=/path/to/folder, DUE="2026-11-30 23:59+01:00")
# make desk        a page to mark answers in words   (SUBMISSIONS=/path/to/folder, ANONYMOUS=1)
# make constraints the newest versions of all libraries into constraints.txt
# make clean       remove the environments
# Each sets up an environment of its own in .venv first, if it is not there. PYTHON=python3.12 chooses a Python.

PYTHON ?= python3
RECIPE ?= laptop
VENV   := .venv
RUN    := $(VENV)/bin/python
PIP    := -m pip install --quiet --disable-pip-version-check
NBVAL  := --nbval --nbval-current-env --nbval-cell-timeout 1200

.PHONY: setup course lab quick style types test test-colab notebooks stale measure report assignments grade desk constraints clean

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "This course needs Python 3.11, 3.12 or 3.13 (TensorFlow has no build for others). Say make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(RUN) $(PIP) -e ".[notebooks,test,dicom]" -c constraints.txt
	@touch $@

# What only teachers need, and the tests
$(VENV)/.grading: $(VENV)/.installed
	$(RUN) $(PIP) -e ".[notebooks,test,grading]" -c constraints.txt
	@touch $@

course: setup
	$(RUN) -m lungseg_utils course --recipe "$(RECIPE)" $(if $(DATA),--data "$(DATA)")

lab: setup
	$(VENV)/bin/jupyter lab notebooks

quick: style types
	$(RUN) -m pytest tests -m "not slow"

style: setup
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

types: setup
	$(RUN) -m mypy

test: setup $(VENV)/.grading style types
	$(RUN) -m pytest tests notebooks notebooks/assignments/*.ipynb $(NBVAL)

# In an environment of its own.
test-colab: .venv-colab/.installed
	.venv-colab/bin/python -m pytest notebooks $(NBVAL)

.venv-colab/.installed: pyproject.toml tests/colab-versions.txt
	$(PYTHON) -m venv .venv-colab
	.venv-colab/bin/python $(PIP) -e ".[notebooks,test]" -c tests/colab-versions.txt
	@touch $@

notebooks: setup
	$(RUN) notebooks/build.py notebooks

# With DATA, the real X-rays are looked at too; without it, they count as unchanged.
stale: setup
	$(RUN) -m studies stale $(if $(DATA),--data "$(DATA)") $(if $(OTHER),--other "$(OTHER)")

# An interrupted run goes on where it was. STAGES="choices speed" measures these alone.
measure: $(VENV)/.measuring
	@test -d "$(DATA)" -a -d "$(OTHER)" || { \
	  echo "Say make measure DATA=/path/to/MontgomerySet OTHER=/path/to/OpenIST, the folders of the real X-rays."; exit 1; }
	$(RUN) -m studies keys --data "$(DATA)" --other "$(OTHER)"
	PATH="$(abspath $(VENV)/bin):$$PATH" LUNGSEG_MONTGOMERY="$(abspath $(DATA))" LUNGSEG_OPENIST="$(abspath $(OTHER))" \
	  dvc repro --keep-going $(if $(STAGES),--single-item $(STAGES))

$(VENV)/.measuring: $(VENV)/.installed
	$(RUN) $(PIP) -e ".[notebooks,test,measure]" -c constraints.txt
	@touch $@

report: setup
	$(RUN) -m studies tables
	$(RUN) notebooks/build.py notebooks 09

assignments: $(VENV)/.grading
	$(RUN) notebooks/assignments/grading/release.py

grade: $(VENV)/.grading
	@test -n "$(SUBMISSIONS)" || { echo "Say make grade SUBMISSIONS=folder, the folder with the students' notebooks."; exit 1; }
	$(RUN) notebooks/assignments/grading/grade.py "$(SUBMISSIONS)" $(if $(DUE),--due "$(DUE)")

desk: $(VENV)/.grading
	@test -n "$(SUBMISSIONS)" || { echo "Say make desk SUBMISSIONS=folder, after make grade with the same folder."; exit 1; }
	$(RUN) notebooks/assignments/grading/desk.py "$(SUBMISSIONS)" $(if $(ANONYMOUS),--anonymous)

# The versions that every other target installs, for all systems and Pythons at once. Run `make test` before committing.
constraints: setup
	$(RUN) $(PIP) -e ".[contributing]"
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --all-extras --upgrade --no-annotate \
	  --custom-compile-command "make constraints" pyproject.toml --output-file constraints.txt

clean:
	rm -rf $(VENV) .venv-colab
