# Seeing Convolutions. `make help` lists what there is; each command sets up what it needs.

PYTHON ?= python3
OLDER  ?= $(PYTHON)
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
COLAB  := $(VENV)/colab
LOWEST := $(VENV)/lowest
NBVAL  := grep -oE '^(nbval|pytest)(==[^ ;]+|$$)' requirements.txt
SUDO   := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
export CNNLIB_PROFILE ?= short

.DEFAULT_GOAL := help
.PHONY: help data book serve readers lab pdf test check colab lowest notebooks full lint lock clean \
  chromium firefox built-checks colab-checks

help:           ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The environment, set up once and again whenever its description changes.
$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name one by: make PYTHON=python3.12 ..."; exit 1; }
	@echo "Setting up $(VENV), a few minutes the first time ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

# A second one with Colab's versions, and for `make lowest` a third, with those that pyproject.toml
# begins with; in each also what runs notebooks. pip is a new one: an old one knows no git+file.
$(COLAB)/requirements.txt: tests/colab/requirements.txt requirements.txt
	@$(OLDER) -m venv $(COLAB)
	@{ cat $<; $(NBVAL); } > $@

$(LOWEST)/requirements.txt: pyproject.toml requirements.txt
	@$(OLDER) -m venv $(LOWEST)
	@{ sed -nE 's/^    "([A-Za-z0-9._-]+)>=([0-9.]+)",$$/\1==\2/p' $<; echo ipykernel; $(NBVAL); } > $@

$(VENV)/%/.ready: $(VENV)/%/requirements.txt
	@echo "Setting up $(@D), some minutes the first time ..."
	@$(@D)/bin/pip install --quiet --disable-pip-version-check --upgrade pip
	@$(@D)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

data: $(READY)  ## fetch CIFAR-10, or fail where it cannot be had
	$(BIN)/python -c "from cnnlib import data; print(data.cifar10(fallback=False)[0])"

# As `jupyter-book build .`, which has no option to run several notebooks side by side.
book: $(READY)  ## run every notebook and build the book
	@rm -rf _build
	@$(BIN)/jupyter-book config sphinx . > /dev/null
	@PYTHONPATH=book/_ext OMP_NUM_THREADS=1 $(BIN)/sphinx-build -q -j auto -W -n --keep-going \
	  -d _build/.doctrees . _build/html
	@echo "The book is in _build/html/index.html; 'make serve' opens it on localhost."

serve: readers  ## show the built book, and what it gives to download, at http://127.0.0.1:8000
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html 8000

# From the last build: what it has read, run and numbered is taken as it is.
readers: $(READY) ## write the notebooks for readers, in plain Markdown, from the built book
	@test -d _build/executed || $(MAKE) --no-print-directory book
	@PYTHONPATH=book/_ext OMP_NUM_THREADS=1 $(BIN)/sphinx-build -q -W -n --keep-going -b notebooks \
	  -d _build/.doctrees . _build/notebooks
	@echo "The notebooks for readers are in _build/notebooks; 'make lab' opens them."

lab: readers    ## open the notebooks for readers in JupyterLab
	$(BIN)/jupyter lab _build/notebooks

pdf: $(READY) chromium ## print the built book as one PDF, _build/seeing-convolutions.pdf
	@test -f _build/html/index.html || $(MAKE) --no-print-directory book
	@$(BIN)/python tools/pdf.py

# The browsers of the last checks wait more than they compute: Colab's notebooks run beside them.
test: $(READY) $(COLAB)/.ready chromium firefox ## run every check: about twenty minutes on two cores
	@$(MAKE) --no-print-directory lint
	$(BIN)/pytest -q -m "not built" -n 2
	@$(MAKE) --no-print-directory book
	@$(MAKE) --no-print-directory readers
	@$(MAKE) --no-print-directory -j 2 --output-sync=target built-checks colab-checks

built-checks:
	@$(MAKE) --no-print-directory pdf
	$(BIN)/pytest -q -m built -n 2

colab-checks:
	$(COLAB)/bin/python -m pytest -q -p no:cacheprovider tests/test_ipywidgets.py
	OMP_NUM_THREADS=1 nice $(BIN)/python -m benchmarks.colab --check --workers 2

check: $(READY) chromium ## run the quick checks, two minutes: what a change of one file can break
	@$(MAKE) --no-print-directory lint
	$(BIN)/pytest -q -m "not built and not slow and (not browser or quick)" -n 2

colab: $(COLAB)/.ready readers ## run the notebooks for readers as in Colab, in its versions
	@$(MAKE) --no-print-directory colab-checks

lowest: $(LOWEST)/.ready readers ## run them in the oldest versions that pyproject.toml allows
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.colab --check --workers 2 --environment $(LOWEST)

notebooks: $(READY) ## run every notebook and refresh its committed text outputs
	$(BIN)/python tools/notebooks.py book/*.ipynb

full: $(READY)  ## run the long experiments that results/ lacks: days; it goes on where it was
	$(BIN)/python -m experiments plan --profile full --minutes inf

lint: $(READY)  ## check style and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

# What is pinned stays as it is, unless UPGRADE=1 asks for the newest of everything.
lock: $(READY)  ## compile requirements.in to requirements.txt, with hashes
	@$(BIN)/pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	  --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade) requirements.in -o requirements.txt

# A browser for the page tests: Debian's headless shell, which draws no window and takes two thirds
# of the time; elsewhere one that is there, or Playwright's own.
chromium: $(READY)
	@command -v chromium-headless-shell >/dev/null && exit; \
	if grep -q '^ID=debian' /etc/os-release 2>/dev/null && { [ -z "$(SUDO)" ] || command -v sudo >/dev/null; }; \
	then $(SUDO) apt-get update -qq && $(SUDO) apt-get install -qq -y chromium-headless-shell; \
	else for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null && exit; done; \
	$(BIN)/playwright install chromium; fi

# Firefox, in which every control is moved once. It needs no driver beside it.
firefox:
	@for name in $(FIREFOX) firefox-esr firefox; do command -v $$name >/dev/null && exit; done; \
	if grep -q '^ID=debian' /etc/os-release 2>/dev/null && { [ -z "$(SUDO)" ] || command -v sudo >/dev/null; }; \
	then $(SUDO) apt-get update -qq && $(SUDO) apt-get install -qq -y firefox-esr; \
	else echo "No Firefox was found: install it, or name one by make FIREFOX=/path/to/firefox test"; exit 1; fi

clean:          ## remove what was built; the environment stays
	rm -rf _build conf.py .pytest_cache .ruff_cache .hypothesis
