# make demo, make test: each does all its own set-up, in a virtual environment of its own.
VENV ?= .venv
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet
OUT ?= demo
# two workers share two cores
export OMP_NUM_THREADS ?= 1

.PHONY: demo test test-slow mutants lint bench docs ibm-loopback fault-matrix clean

$(VENV)/.core: pyproject.toml constraints.txt tools/venv.sh
	sh tools/venv.sh "$(PYTHON)" "$(VENV)"
	$(PIP) --constraint constraints.txt --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.core
	$(PIP) --constraint constraints.txt --editable '.[dev]'
	touch $@

# Six neurons on the noise of a real device, two ways: one qubit each and the parity sector.
demo: $(VENV)/.core
	rm -rf $(OUT)
	$(BIN)/qbrain run lmg --neurons 6 --gamma 1.0 --g0 1.0 --tau-r 1 --time 40 --steps 80 \
	    --backend fake_fez --evolution fast-forward --shots 4000 --seed 7 --out $(OUT)/qubits
	$(BIN)/qbrain run lmg --neurons 6 --gamma 0.8 --g0 1.0 --tau-r 1 --time 40 --steps 80 \
	    --encoding dicke --backend fake_fez --shots 4000 --seed 7 --out $(OUT)/sector
	$(BIN)/qbrain compare $(OUT)/qubits $(OUT)/sector
	@echo "Open $(OUT)/qubits/report.html and $(OUT)/sector/report.html"

test: lint
	$(BIN)/python -m pytest -n 2 --dist loadscope -q

test-slow: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist loadscope -q -m slow

# Faults put into the code one at a time, each of which the fast tests must notice (half an hour or more).
mutants: $(VENV)/.dev
	$(BIN)/python tools/mutants.py --out mutants.json

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p qbrain

bench: $(VENV)/.dev
	for b in benchmarks/[a-z]*.py; do $(BIN)/python $$b || exit 1; done

$(VENV)/.docs: $(VENV)/.core
	$(PIP) --constraint constraints.txt --editable '.[docs]'
	touch $@

# The pages as HTML under site/, the gallery made anew by the product's own commands.
docs: $(VENV)/.docs
	$(BIN)/qbrain figures lmg --out docs/gallery/lmg
	$(BIN)/qbrain figures lmg-beyond --out docs/gallery/lmg-beyond
	$(BIN)/qbrain figures hodgkin-huxley --out docs/gallery/hodgkin-huxley
	$(BIN)/qbrain figures open-system --out docs/gallery/open-system
	$(BIN)/qbrain figures qlif --out docs/gallery/qlif
	$(BIN)/mkdocs build --strict --quiet
	@echo "Open site/index.html"

# A stand-in for IBM Quantum on this machine; prints the environment that leads to it.
ibm-loopback: $(VENV)/.dev
	$(BIN)/python tests/ibm_loopback/serve.py

# Runs against that stand-in at fault, one line each; all of them take hours.
PART ?= 1/50
fault-matrix: $(VENV)/.dev
	$(BIN)/python -m tests.ibm_faults.matrix --part $(PART)

clean:
	rm -rf $(VENV) $(OUT) mutants.json build site docs/gallery/*/ *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
