# Everything one does with a checkout. `./bootstrap TARGET` installs the Debian packages first.

PYTHON ?= python3
# One process more than two cores, since many tests wait for a terminal or an agent; another
# choice: make test PYTEST_FLAGS=-x
PYTEST_FLAGS ?= -n 3

.PHONY: rehearse test lint offline-kit man shots pictures bench fuzz fault-test vm-test lock clean
.DELETE_ON_ERROR:

# The app needs a terminal; where there is none, the same job runs by itself.
rehearse: .venv-run/stamp
	@if [ -t 0 ] && [ -t 1 ]; then headless=; else headless=--headless; fi; \
	exec .venv-run/bin/pai-signer rehearse $$headless

test: lint
	.venv/bin/pytest $(PYTEST_FLAGS)

lint: .venv/stamp
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports

# One archive from which a laptop without a network installs; from one commit, the same bytes.
offline-kit: .venv/stamp
	.venv/bin/python -m offline_kit

# pai-signer(1), from the commands themselves; read it with `man -l build/pai-signer.1`.
man: .venv-run/stamp
	@mkdir -p build
	.venv-run/bin/pai-signer help --man >build/pai-signer.1

# Every screen at 80x24 from the running app, in true colour, on a Linux console, under NO_COLOR and
# on a monochrome terminal: look at build/shots/index.html. One mode: make shots MODES=console
MODES := truecolor console no-color vt220
shots: .venv/stamp
	.venv/bin/python -m tests.shots build/shots $(MODES:%=--mode %)

# The few of them that the README shows.
pictures: .venv/stamp
	.venv/bin/python -m tests.shots pictures --pictures

# Measured ratios against stock tools, and time to first paint.
bench: .venv/stamp
	.venv/bin/python -m tests.bench

# kill -9 in every job that writes something lasting, at over a thousand system calls; every error
# of a medium over open, write, fsync, rename and close of signing and export, each known to have
# struck; a million spoilt registries, a thousand flipped bytes on a backup medium, every guard of
# a trap taken out (samples of all stand in `make test`); a full pass over 8.5 GB; every ceremony
# traced for internet sockets.
fault-test: .venv/stamp
	PAI_FAULTS=all .venv/bin/pytest tests/faults tests/adapters/test_large_files.py \
		tests/cli/test_no_network.py tests/cli/test_memory.py -s

# Ten million spoilt inputs over all parsers; a run that was stopped goes on. Fewer, or some
# parsers only: make fuzz PAI_FUZZ=100000 TARGETS="tag journal" (a sample is in `make test`).
export PAI_FUZZ PAI_FUZZ_SEED
fuzz: .venv/stamp
	.venv/bin/python -m tests.fuzzing $(TARGETS)

# A virtual machine with real USB sticks of FAT32, exFAT and ext4: power cuts, pulled sticks, sticks
# that lie. Other numbers: make vm-test PAI_POWER_CUTS=1000 PAI_KILLS=10 PAI_PULLS=90
export PAI_POWER_CUTS PAI_KILLS PAI_PULLS
vm-test: .venv/stamp
	.venv/bin/pytest tests/vm -rP

# Two environments from two locks: what runs on the workstation, and that plus the test tools.
# Wheels only, each by its hash; `pip check` proves that no requirement is missing from the lock.
define environment
$(PYTHON) -m venv --clear $(@D)
$(@D)/bin/pip install --quiet --require-hashes --no-deps --only-binary :all: -r $<
$(@D)/bin/pip install --quiet --no-deps --no-build-isolation --editable .
$(@D)/bin/pip check
touch $@
endef

.venv-run/stamp: requirements.lock
	$(environment)

.venv/stamp: requirements-dev.lock
	$(environment)

# Renew both locks (needs uv and a network); the same releases serve Python 3.11 to 3.13.
compile := uv pip compile --quiet --upgrade --generate-hashes --only-binary :all: \
	--python-platform linux --python-version 3.11 --custom-compile-command "make lock"
lock:
	$(compile) pyproject.toml --group build -o requirements.lock
	$(compile) pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock

clean:
	rm -rf .venv .venv-run build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache \
		.hypothesis .import_linter_cache
