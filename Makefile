# Two commands: `make demo` (set-up and the whole road on real input) and `make test`.
PYTHON ?= python3
VENV   ?= .venv
OUT    ?= out/demo
INPUT  ?=
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready-$(shell cat requirements.lock pyproject.toml | sha256sum | cut -c1-12)

.PHONY: demo demo-full test test-long lint peers bench lock clean setup

setup: $(READY)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v < (3, 13) else f"corpusmill needs Python 3.11 or 3.12, {sys.executable} is {v.major}.{v.minor}; try: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m filters.models  # the language model, pinned by sha256
	@rm -f $(VENV)/.ready-*; touch $@

demo: setup
	@$(BIN)/python -m pipelines.demo --out $(OUT) $(if $(INPUT),--input $(INPUT))

# the same with all media of the packages: 1,033 pictures, six hours of sound
demo-full: setup
	@$(BIN)/python -m pipelines.demo --all-media --out $(OUT)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/pytest -m "not long" -n 2 --dist loadfile

test-long: setup
	$(BIN)/pytest -m long

# exports read back by the real clients, in environments of their own (6 GB, in the cache)
peers: setup
	$(BIN)/python -m benchmarks.read_back
	$(BIN)/python -m benchmarks.conversations

bench: setup
	$(BIN)/python -m benchmarks.run

# requirements.lock: every package with its hashes, and no index address
lock:
	uv pip compile pyproject.toml --extra dev --extra s3 --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-annotate --no-header --quiet -o requirements.lock

clean:
	rm -rf $(VENV) out
