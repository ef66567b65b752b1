# make setup && make test; PYTHON chooses the interpreter that makes .venv; make fuzz SECONDS=60

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
SECONDS ?= 600

.PHONY: setup check test docs notebooks faults hostile fuzz demo

setup: $(BIN)/hundredfold

$(BIN)/hundredfold: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev,docs]'
	touch $@

check: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

test: setup
	$(BIN)/pytest -n 2 --dist worksteal

docs: setup
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/docs
	@echo build/docs/index.html

notebooks: setup
	cd examples && for book in *.ipynb; do \
		../$(BIN)/jupyter execute --inplace --timeout 3600 $$book || exit 1; done

faults: setup
	rm -f build/faults.jsonl && mkdir -p build
	HUNDREDFOLD_FAULTS=all HUNDREDFOLD_FAULTS_LOG=$(CURDIR)/build/faults.jsonl \
		$(BIN)/pytest tests/faults
	$(BIN)/python tests/faults/table.py build/faults.jsonl
	$(BIN)/python tests/data/mutants.py

hostile: setup
	rm -f build/hostile.jsonl && mkdir -p build
	PYTHONPATH=tests $(BIN)/python -m hostile --log build/hostile.jsonl

fuzz: setup
	PYTHONPATH=tests $(BIN)/python -m hostile.fuzz --seconds $(SECONDS)

demo: setup
	$(BIN)/hundredfold study quickstart --jobs 2
