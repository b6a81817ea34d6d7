# Every verb sets up what it needs and can be run again at no cost.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .stamps
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
export PATH := $(abspath $(BIN)):$(PATH)

PACKAGES := g++ make python3-dev python3-venv liburing-dev liblz4-dev doctest-dev libsimdjson-dev libroaring-dev \
  libutf8proc-dev libstemmer-dev
FUZZ_PACKAGES := clang libclang-rt-dev
FUZZ := store log gridstore encoder manifest operation payload
NATIVE := $(shell find native -name '*.cc' -o -name '*.h' -o -name CMakeLists.txt)
CPP := $(shell find native tests/native bench/native -name '*.cc' -o -name '*.h')


.PHONY: help demo test lint tidy format build environments native-unit native-test tsan power fuzz crash api-fuzz soak
.PHONY: model wheel clients bench-native bench-gridstore bench bench-compare bench-likeness clean
.DEFAULT_GOAL := help

help: ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

demo: build ## import a sample of real embeddings, search it both ways, show what was found
	$(BIN)/asyncstore demo $(if $(DATA),--data $(DATA))

test: build native-unit environments ## the tests of both sides, in JOBS=2 processes; the summary comes last
	ASYNCSTORE_NATIVE_TESTS_BUILT=1 $(BIN)/python -m pytest -n $(or $(JOBS),2) --dist worksteal

lint: $(STAMPS)/python ## ruff, mypy, clang-format, clang-tidy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run --Werror $(CPP)
	$(call tidy,-clang-analyzer-*)

tidy: $(STAMPS)/python ## clang-tidy with its slow analyzer
	$(call tidy,)

format: $(STAMPS)/python ## bring all sources into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CPP)

build: $(STAMPS)/native
	@true

# The system's packages: asked for only where something is missing.
$(STAMPS)/system:
	@mkdir -p $(STAMPS)
	@if command -v dpkg >/dev/null && ! dpkg -s $(PACKAGES) >/dev/null 2>&1; then \
	  echo "Installing $(PACKAGES)"; \
	  $(SUDO) apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq $(PACKAGES) >/dev/null; \
	fi
	@touch $@

$(STAMPS)/venv: $(STAMPS)/system
	$(PYTHON) -m venv $(VENV)
	@touch $@

# Tools, run-time packages and asyncstore itself; this builds the native core a first time.
$(STAMPS)/python: pyproject.toml $(STAMPS)/venv
	$(BIN)/python -m pip install -q "setuptools>=77" "nanobind>=2.4" "cmake>=3.21" ninja
	$(BIN)/python -m pip install -q --no-build-isolation -e ".[dev]"
	@touch $@

$(STAMPS)/native: $(STAMPS)/python $(NATIVE) setup.py
	$(BIN)/python setup.py -q build_ext --inplace
	@touch $@

define tidy
	$(call configure,tests,)
	printf '%s\n' $(filter-out native/python/%,$(filter native/%.cc,$(CPP))) | \
	  xargs -P2 -n4 $(BIN)/clang-tidy -p build/tests --quiet --checks='$(1)' 2>/dev/null
endef

# --- native tests: plain, and under the sanitizers ---

define configure
	$(BIN)/cmake -S native -B build/$(1) -G Ninja -DASYNCSTORE_PYTHON=OFF -DASYNCSTORE_TESTS=ON \
	  -DASYNCSTORE_SANITIZE=$(2) >/dev/null
endef

define native_build
	$(call configure,$(1),$(2))
	$(BIN)/cmake --build build/$(1)
endef

native-unit: $(STAMPS)/python
	$(call native_build,tests,)
	build/tests/native_tests

native-test: $(STAMPS)/python ## the native tests under AddressSanitizer and UBSan
	$(call native_build,asan,address$(comma)undefined)
	build/asan/native_tests

tsan: $(STAMPS)/python ## the native tests under ThreadSanitizer
	$(call native_build,tsan,thread)
	build/tsan/native_tests

power: $(STAMPS)/python ## cut the power in other scripts: SEEDS=100 (FROM=1000)
	$(call native_build,tests,)
	ASYNCSTORE_POWER_SEEDS=$(or $(SEEDS),100) ASYNCSTORE_POWER_FROM=$(or $(FROM),1000) \
	  build/tests/native_tests -tc="*random calls of other scripts"

# What was found stays in build/fuzz/found; `build/fuzz/TARGET FILE` repeats it. The corpus stays too.
fuzz: $(STAMPS)/python ## fuzz files, log, operations and payloads under ASan and UBSan: MINUTES=1 each
	@if command -v dpkg >/dev/null && ! dpkg -s $(FUZZ_PACKAGES) >/dev/null 2>&1; then \
	  $(SUDO) apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq $(FUZZ_PACKAGES) >/dev/null; \
	fi
	$(BIN)/cmake -S native -B build/fuzz -G Ninja -DASYNCSTORE_PYTHON=OFF -DASYNCSTORE_FUZZ=ON \
	  -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ >/dev/null
	$(BIN)/cmake --build build/fuzz
	build/fuzz/fuzz_seeds build/fuzz/seeds
	@for target in $(FUZZ); do \
	  mkdir -p build/fuzz/corpus/$$target build/fuzz/found && \
	  echo "$$target: $(or $(MINUTES),1) min" && \
	  build/fuzz/$${target}_fuzz -max_total_time=$$((60 * $(or $(MINUTES),1))) -timeout=20 \
	    -rss_limit_mb=2048 -malloc_limit_mb=1024 -max_len=4096 -verbosity=0 \
	    -print_final_stats=1 -artifact_prefix=build/fuzz/found/$$target- \
	    build/fuzz/corpus/$$target build/fuzz/seeds/$$target || \
	  { echo "repeat with: build/fuzz/$${target}_fuzz $$(ls -t build/fuzz/found/$$target-* | head -1)"; \
	    exit 1; }; \
	done

crash: build ## kill a writing process 200 times and compare every value (ARGS: --minutes N --seed S)
	$(BIN)/python tests/crash/crasher.py $(ARGS)

api-fuzz: build ## ask a server what its description allows, and what not: REQUESTS=20000 (ARGS: --seed S)
	PYTHONPATH=tests $(BIN)/python tests/server/api_fuzzer.py --requests $(or $(REQUESTS),20000) $(ARGS)

soak: build ## a server under load: its memory, then kills: MINUTES=10 (ARGS: --connections N --kills N --seed S)
	PYTHONPATH=tests $(BIN)/python tests/server/soak.py --minutes $(or $(MINUTES),10) $(ARGS)

# Clients run in Pythons of their own. Where one cannot be installed, its tests are skipped and say so.
CLIENTS := old-client clients

clients: build ## what others have made for Qdrant, against a server: old clients, integrations
	@$(MAKE) --no-print-directory -j2 $(CLIENTS:%=$(STAMPS)/%)
	$(BIN)/python -m pytest tests/clients

environments: $(STAMPS)/python
	@-$(MAKE) --no-print-directory -k -j2 $(CLIENTS:%=$(STAMPS)/%)

# Most of what is installed is never imported.
$(CLIENTS:%=$(STAMPS)/%): export PIP_NO_COMPILE := 1
$(CLIENTS:%=$(STAMPS)/%): $(STAMPS)/%: pyproject.toml $(STAMPS)/python
	$(PYTHON) -m venv .venv-$*
	$(call install_extra,$*,.venv-$*)
	@touch $@

model: build ## any number of random operations against the models: OPERATIONS=1000000
	$(call native_build,tests,)
	ASYNCSTORE_NATIVE_TESTS_BUILT=1 ASYNCSTORE_MODEL_OPERATIONS=$(or $(OPERATIONS),1000000) \
	  $(BIN)/python -m pytest -s tests/model

comma := ,

wheel: $(STAMPS)/python ## a self-contained wheel in wheelhouse/
	rm -rf build/wheel wheelhouse
	$(BIN)/python -m build --wheel --no-isolation --outdir build/wheel .
	$(BIN)/auditwheel repair --strip --wheel-dir wheelhouse build/wheel/*.whl

bench-native: $(STAMPS)/python ## kernels against memory, readers against the disk
	$(BIN)/cmake -S bench/native -B build/bench -G Ninja >/dev/null
	$(BIN)/cmake --build build/bench
	build/bench/kernels_bench
	build/bench/readers_bench

bench-gridstore: $(STAMPS)/python ## Gridstore against RocksDB and LMDB: mixes, space, size (ARGS: --rounds N)
	dpkg -s librocksdb-dev liblmdb-dev >/dev/null 2>&1 || \
	  DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq librocksdb-dev liblmdb-dev
	$(BIN)/cmake -S bench/native -B build/bench -G Ninja >/dev/null
	$(BIN)/cmake --build build/bench
	mkdir -p bench/results && rm -f bench/results/gridstore.jsonl
	build/bench/gridstore_bench mixes --json bench/results/gridstore.jsonl $(ARGS)
	$(BIN)/python bench/plot_gridstore.py bench/results/gridstore.jsonl
	build/bench/gridstore_bench space
	build/bench/gridstore_bench flat

bench: build ## answer the questions of bench/questions (takes minutes)
	$(BIN)/python bench/run.py $(ARGS)

# The peers run in Pythons of their own. One that cannot be installed is told as such in the report.
define install_extra
	$(BIN)/python -c 'import tomllib; \
	  print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["$(1)"], sep="\n")' \
	  > $(2)/requirements.txt
	$(2)/bin/python -m pip install -q -r $(2)/requirements.txt
endef

$(STAMPS)/peers: pyproject.toml $(STAMPS)/python
	$(PYTHON) -m venv .venv-peers
	$(call install_extra,peers,.venv-peers)
	@touch $@

$(STAMPS)/diskann: pyproject.toml $(STAMPS)/python
	$(PYTHON) -m venv .venv-diskann
	-$(call install_extra,peers-diskann,.venv-diskann)
	@touch $@

bench-compare: build $(STAMPS)/peers $(STAMPS)/diskann ## beside peers: DATA=DIR ROWS=N DIM=N CAP="MIB …" ROUNDS=N ENGINES="…"
	$(BIN)/python -m bench.compare.run $(if $(DATA),--data $(DATA)) $(if $(ROWS),--rows $(ROWS)) \
	  $(if $(DIM),--dim $(DIM)) $(if $(CAP),--cap $(CAP)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
	  $(if $(ENGINES),--engines $(ENGINES)) $(ARGS)

bench-likeness: $(STAMPS)/peers ## do generated rows behave as real ones? DATA=DIR
	.venv-peers/bin/python -m bench.compare.likeness --data $(DATA) $(ARGS)

clean: ## remove what was built
	rm -rf build dist wheelhouse $(VENV) .venv-peers .venv-diskann .venv-old-client .venv-clients $(STAMPS) asyncstore/*.so *.egg-info
