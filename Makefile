# make demo: separate the two example recordings, print a table, draw a picture. Base install and matplotlib only.
# make test: everything that is checked: format, lint, types, tests, and a second environment without torch.
# PYTHON picks the interpreter (3.11 or newer); TORCH the build of PyTorch, e.g. TORCH="torch==2.13.0".

PYTHON ?= python3
TORCH ?= torch
DEV := .venv/bin/python
RUN := .venv-run/bin/python
DEMO := .venv-demo/bin/python

.PHONY: demo test lint types unit torch-free clean

demo: .venv-demo/installed
	$(DEMO) examples/demo.py demo

test: lint types unit torch-free

lint: .venv/installed
	$(DEV) -m ruff format --check .
	$(DEV) -m ruff check .

types: .venv/installed
	$(DEV) -m mypy

unit: .venv/installed
	$(DEV) -m pytest

torch-free: .venv-run/installed
	$(RUN) -c "import importlib.util as u; assert not u.find_spec('torch') and not u.find_spec('onnx')"
	rm -rf .venv-run/stems
	$(RUN) -m unbraid separate examples/voices.flac examples/song.flac -o .venv-run/stems
	$(RUN) -m unbraid separate examples/song.flac -m music-2 -o .venv-run/stems/music
	$(RUN) -m unbraid doctor

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(DEV) -m pip install --quiet --upgrade pip
	$(DEV) -m pip install --quiet "$(TORCH)"
	$(DEV) -m pip install --quiet --editable ".[dev]"
	touch $@

.venv-run/installed: pyproject.toml $(shell find src -type f -not -name '*.pyc')
	$(PYTHON) -m venv --clear .venv-run
	$(RUN) -m pip install --quiet --upgrade pip
	$(RUN) -m pip install --quiet .
	touch $@

.venv-demo/installed: pyproject.toml $(shell find src -type f -not -name '*.pyc')
	@echo "Making an environment in .venv-demo (about 0.4 GB) …"
	$(PYTHON) -m venv --clear .venv-demo
	$(DEMO) -m pip install --quiet --upgrade pip
	$(DEMO) -m pip install --quiet . matplotlib
	touch $@

clean:
	rm -rf .venv .venv-run .venv-demo demo
