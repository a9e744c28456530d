# Every target does its own set-up in .venv. Without make: see the plain commands in README.md.
# `make lab CPU=1`, the first time: PyTorch's small build for machines without an accelerator.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# The outputs of the chapters are compared with what they print: on Linux, where they were made.
NBVAL := $(if $(filter Linux,$(shell uname -s)),--nbval,--nbval-lax)

.PHONY: install demo test test-anywhere lint lab notebooks book bench gpu clean distclean

install: $(VENV)/installed

demo: $(VENV)/installed
	$(BIN)/python -m inpaint_lib demo

test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests notebooks $(NBVAL) --nbval-current-env \
		--nbval-cell-timeout=900 --numprocesses auto --dist loadfile \
		--cov=inpaint_lib --cov-report=term-missing:skip-covered --cov-fail-under=95

# As other processors, more threads and a busy machine compute; hours. One file alone:
# make test-anywhere ARGS=tests/core/test_model.py
test-anywhere: $(VENV)/installed-dev
	$(BIN)/python tests/anywhere.py $(ARGS)

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Completing photographs of 128 to 4000 pixels: time, memory. Pictures read a second. SSIM beside piq.
bench: $(VENV)/installed-dev
	$(BIN)/python -m pytest tests/benchmarks/bench_*.py -s

# Walk the whole path on an accelerator, in 12 minutes; QUICK=1: tiny, on the CPU, in half a minute.
gpu: $(VENV)/installed
	$(BIN)/python tests/gpu/run.py --out gpu_records $(if $(QUICK),--quick)

# Execute all chapters and write their outputs back.
notebooks: $(VENV)/installed-dev
	PYTHONPATH=notebooks $(BIN)/python -m nbconvert --to notebook --execute --inplace \
		--ExecutePreprocessor.record_timing=False --ExecutePreprocessor.store_widget_state=False \
		--NotebookExporter.preprocessors=stills.KeepStills notebooks/*.ipynb

# The chapters as a site, as they are committed: build/book/index.html. A warning is an error.
book: $(VENV)/installed-dev
	$(BIN)/python -m sphinx -q -W --keep-going -c docs -b html . build/book

lab: $(VENV)/installed
	$(BIN)/jupyter lab notebooks

# What runs and `prepare` made; photographs and shipped weights stay.
clean:
	rm -rf checkpoints/runs dataset/train dataset/val dataset/test dataset/bricks dataset/many
	rm -rf build .pytest_cache .ruff_cache .mypy_cache .hypothesis .benchmarks .coverage

distclean: clean
	rm -rf $(VENV) *.egg-info

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(VENV)/bin/python pyproject.toml
	@echo "Installing into $(VENV): about 3 GB, minutes on a good connection ..."
	$(if $(CPU),$(PIP) torch torchvision --index-url https://download.pytorch.org/whl/cpu)
	$(PIP) --editable '.[notebooks]'
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(PIP) --editable '.[dev]'
	touch $@
