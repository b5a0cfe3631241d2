# make course    run the nine notebooks and print the results   (DATA=/path/to/MontgomerySet, RECIPE=article)
# make test      run every test, the notebooks included
# make lab       open JupyterLab
# make notebooks make every .ipynb anew from its .py, executed
# make measure   the figures of the README, on real X-rays   (DATA=/path/to/MontgomerySet)
# make report    the README's tables and notebook 9 from these figures
# make assignments   student copies and solutions of the assignments, from their masters
# make grade     mark students' notebooks   (SUBMISSIONS=/path/to/folder, DUE="2026-11-30 23:59+01:00")
# Each sets up an environment of its own in .venv first, if it is not there. PYTHON=python3.12 chooses a Python.

PYTHON ?= python3
RECIPE ?= laptop
VENV   := .venv
RUN    := $(VENV)/bin/python
NBVAL  := --nbval --nbval-current-env --nbval-cell-timeout 1200

.PHONY: setup course test test-colab lab notebooks assignments grade results measure report lint clean

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "This course needs Python 3.11, 3.12 or 3.13 (TensorFlow has no build for others). Say make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check -e ".[notebooks,test]"
	@touch $@

# nbgrader, which only teachers need, and the tests
$(VENV)/.grading: $(VENV)/.installed
	$(RUN) -m pip install --quiet --disable-pip-version-check -e ".[notebooks,test,grading]"
	@touch $@

course: setup
	$(RUN) -m lungseg_utils course --recipe "$(RECIPE)" $(if $(DATA),--data "$(DATA)")

test: setup $(VENV)/.grading lint
	$(RUN) -m pytest tests notebooks notebooks/assignments/*.ipynb $(NBVAL)

lint: setup
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check lungseg_utils tests notebooks/assignments/grading

lab: setup
	$(VENV)/bin/jupyter lab notebooks

notebooks: setup
	$(RUN) notebooks/build.py notebooks

assignments: $(VENV)/.grading
	$(RUN) notebooks/assignments/grading/release.py

grade: $(VENV)/.grading
	@test -n "$(SUBMISSIONS)" || { echo "Say make grade SUBMISSIONS=folder, the folder with the students' notebooks."; exit 1; }
	$(RUN) notebooks/assignments/grading/grade.py "$(SUBMISSIONS)" $(if $(DUE),--due "$(DUE)")

# The README's table: both courses are run and their figures kept in notebooks/results. DATA is the real set.
results: setup
	$(RUN) notebooks/build.py results --data "$(DATA)"

# The figures of the README's other tables. An interrupted run goes on where it was.
measure: setup
	$(RUN) -m lungseg_utils crossval --data "$(DATA)" --recipe best --to lungseg_utils/measured
	$(RUN) -m lungseg_utils crossval --data "$(DATA)" --recipe laptop --to lungseg_utils/measured
	$(RUN) -m lungseg_utils curve --data "$(DATA)" --to lungseg_utils/measured
	$(RUN) -m lungseg_utils choices --data "$(DATA)" --to lungseg_utils/measured
	$(RUN) -m lungseg_utils speed --to lungseg_utils/measured

# The README's tables and the figures of notebook 9, from what `make results` and `make measure` have kept.
report: setup
	$(RUN) notebooks/build.py readme
	$(RUN) notebooks/build.py notebooks 09

# The notebooks on the versions that Colab has, in an environment of their own.
test-colab: .venv-colab/.installed
	.venv-colab/bin/python -m pytest notebooks $(NBVAL)

.venv-colab/.installed: pyproject.toml tests/colab-versions.txt
	$(PYTHON) -m venv .venv-colab
	.venv-colab/bin/python -m pip install --quiet --disable-pip-version-check -e ".[notebooks,test]" -c tests/colab-versions.txt
	@touch $@

clean:
	rm -rf $(VENV) .venv-colab
