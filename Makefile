# make setup && make test; PYTHON chooses the interpreter that makes .venv

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.PHONY: setup check test demo

setup: $(BIN)/hundredfold

$(BIN)/hundredfold: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

check: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

test: setup
	$(BIN)/pytest -n 2 --dist worksteal

demo: setup
	$(BIN)/hundredfold study quickstart --jobs 2
