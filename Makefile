# The two commands: `make demo` trains a generator from nothing, `make test` runs the whole fast suite.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test clean

demo: $(VENV)/installed
	$(BIN)/evenodds train gan-digits --dir demo

test: $(VENV)/installed
	EVENODDS_DATA="$(EVENODDS_DATA)" $(BIN)/python -m pytest -q

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "evenodds needs Python 3.11 or newer: make PYTHON=python3.12 demo")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e ".[test]"
	touch $@

clean:
	rm -rf $(VENV)
