# make demo: separate the two example recordings, print a table, draw a picture. Base install and matplotlib only.
# make test: everything that is checked: format, lint, types, an environment without torch, tests. From the lock.
# make test-latest: the same with the newest releases of everything; before a release of ours.
# make lock: resolve requirements/dev.txt anew, for every Python and platform at once (uv).
# make bench: install us and our peers (several GB), measure side by side, write docs/bench.md.
# make vendor: the JavaScript of others on the page of `unbraid serve`, at its pinned version (npm).
# make docs: docs/ and an API reference made of the docstrings, as a web site in build/site.
# make pictures: docs/images/*.webp, the pages of unbraid as a browser (Chromium) shows them.
# make fuzz: mutated files through every reader, MINUTES=30 of each. make crash: kill every command at every point.
# make soak: hours of mixed work (MINUTES=480).
# PYTHON picks the interpreter, 3.11 or newer.

PYTHON ?= python3
LOCK := requirements/dev.txt
SUFFIX :=
DEV := .venv$(SUFFIX)
RUN := .venv-run$(SUFFIX)
DEMO := .venv-demo
BENCH := .venv-bench
DOCS := .venv-docs
PACKAGE := pyproject.toml $(shell find src -type f -not -name '*.pyc')
BENCHES := speech music htdemucs models length install

.PHONY: demo test test-latest lint types unit torch-free lock vendor bench docs pictures fuzz crash soak clean

demo: $(DEMO)/installed
	$(DEMO)/bin/python examples/demo.py demo

test: lint types torch-free unit

test-latest:
	rm -rf .venv-latest .venv-run-latest
	$(MAKE) test SUFFIX=-latest

lint: $(DEV)/installed
	$(DEV)/bin/python -m ruff format --check .
	$(DEV)/bin/python -m ruff check .

types: $(DEV)/installed
	$(DEV)/bin/python -m mypy

unit: $(DEV)/installed
	$(DEV)/bin/python -m pytest

torch-free: $(RUN)/installed
	$(RUN)/bin/python -c "import importlib.util as u; assert not u.find_spec('torch') and not u.find_spec('onnx')"
	rm -rf $(RUN)/stems
	$(RUN)/bin/python -m unbraid separate examples/voices.flac examples/song.flac -o $(RUN)/stems
	$(RUN)/bin/python -m unbraid separate examples/song.flac -m music-2 -o $(RUN)/stems/music
	$(RUN)/bin/python -m unbraid doctor

.venv/installed: $(LOCK) pyproject.toml
	@echo "Installing the locked development environment into .venv …"
	$(PYTHON) -m venv --clear .venv
	.venv/bin/python -m pip install --quiet --requirement $(LOCK)
	.venv/bin/python -m pip install --quiet --no-deps --editable .
	touch $@

.venv-latest/installed: pyproject.toml
	@echo "Installing the newest releases of everything into .venv-latest …"
	$(PYTHON) -m venv .venv-latest
	.venv-latest/bin/python -m pip install --quiet --upgrade pip
	.venv-latest/bin/python -m pip install --quiet --editable ".[dev]"
	touch $@

$(RUN)/installed: $(LOCK) $(PACKAGE)
	$(PYTHON) -m venv --clear $(RUN)
	$(RUN)/bin/python -m pip install --quiet $(if $(SUFFIX),,--constraint $(LOCK)) .
	touch $@

$(DEMO)/installed: $(LOCK) $(PACKAGE)
	@echo "Making an environment in $(DEMO) (about 0.4 GB) …"
	$(PYTHON) -m venv --clear $(DEMO)
	$(DEMO)/bin/python -m pip install --quiet --constraint $(LOCK) . matplotlib
	touch $@

lock:
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet uv
	.venv-lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --extra dev pyproject.toml \
	    --constraints requirements/held.txt --custom-compile-command "make lock" --output-file $(LOCK)

vendor:
	$(PYTHON) requirements/vendor.py

bench:
	$(PYTHON) bench/envs.py --peers $(BENCH)
	for job in $(BENCHES); do $(BENCH)/unbraid/bin/python bench/$$job.py --peers $(BENCH) || exit 1; done
	$(PYTHON) bench/report.py

docs: $(DOCS)/installed
	$(DOCS)/bin/python docs/rooms.py
	$(DOCS)/bin/python docs/site.py build/docs
	$(DOCS)/bin/zensical build --clean --strict

pictures: $(DEV)/installed
	$(DEV)/bin/python docs/pictures.py

# The packages of the extra `docs` without ours: the source is read, not imported.
$(DOCS)/installed: pyproject.toml
	$(PYTHON) -m venv --clear $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet $$($(DOCS)/bin/python -c \
	    "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['docs'])")
	touch $@

fuzz: $(DEV)/installed
	$(DEV)/bin/python tests/fuzz/fuzz.py --minutes $(or $(MINUTES),30)

crash: $(DEV)/installed
	$(DEV)/bin/python -m pytest tests/crash/crash.py
	$(DEV)/bin/python tests/crash/batch_kills.py

soak: $(DEV)/installed
	$(DEV)/bin/python tests/soak/soak.py --minutes $(or $(MINUTES),480)

clean:
	rm -rf .venv .venv-run .venv-latest .venv-run-latest .venv-demo .venv-lock .venv-bench .venv-docs build demo
