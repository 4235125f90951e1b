# Seeing Convolutions. `make help` lists what there is; each command sets up what it needs.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
OLD    := $(VENV)/ipywidgets7
SUDO   := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
export CNNLIB_PROFILE ?= short

.DEFAULT_GOAL := help
.PHONY: help data book serve readers lab test check colab notebooks full lint lock clean chromium firefox

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

# A second, small one with the ipywidgets of Colab. Its notebook server and torch are not needed.
$(OLD)/.ready: requirements.txt
	@echo "Setting up $(OLD), a minute the first time ..."
	@$(PYTHON) -m venv $(OLD)
	@sed -En '/^ipywidgets/d; s/^([^ ]+==.*) \\$$/\1/p' requirements.txt > $(OLD)/constraints.txt
	@$(OLD)/bin/pip install --quiet --disable-pip-version-check --constraint $(OLD)/constraints.txt \
	  ipykernel ipython-genutils numpy pillow psygnal pytest scikit-image typing-extensions
	@$(OLD)/bin/pip install --quiet --disable-pip-version-check --constraint $(OLD)/constraints.txt \
	  --no-deps anywidget ipywidgets==7.7.1
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

serve: $(READY) ## show the built book at http://127.0.0.1:8000
	@test -f _build/html/index.html || $(MAKE) book
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html 8000

# From the last build: what it has read, run and numbered is taken as it is.
readers: $(READY) ## write the notebooks for readers, in plain Markdown, from the built book
	@test -d _build/executed || $(MAKE) --no-print-directory book
	@PYTHONPATH=book/_ext OMP_NUM_THREADS=1 $(BIN)/sphinx-build -q -W -n --keep-going -b notebooks \
	  -d _build/.doctrees . _build/notebooks
	@echo "The notebooks for readers are in _build/notebooks; 'make lab' opens them."

lab: readers    ## open the notebooks for readers in JupyterLab
	$(BIN)/jupyter lab _build/notebooks

test: $(READY) chromium firefox ## run every check: about seventeen minutes on two cores
	@$(MAKE) --no-print-directory lint
	$(BIN)/pytest -q -m "not built" -n 2
	@$(MAKE) --no-print-directory colab
	@$(MAKE) --no-print-directory book
	@$(MAKE) --no-print-directory readers
	$(BIN)/pytest -q -m built -n 2

check: $(READY) chromium ## run the quick checks, two minutes: what a change of one file can break
	@$(MAKE) --no-print-directory lint
	$(BIN)/pytest -q -m "not built and not slow and (not browser or quick)" -n 2

colab: $(OLD)/.ready ## run the widgets' Python side under Colab's ipywidgets
	$(OLD)/bin/python -m pytest -q -p no:cacheprovider tests/test_ipywidgets.py

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
