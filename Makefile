# Everything that a newcomer, a contributor and CI do here. `make help` lists it.

SHELL := /bin/sh
.DEFAULT_GOAL := help

# Processes are short and many: without kept bytecode every one of them compiles its libraries again.
unexport PYTHONDONTWRITEBYTECODE

UV := $(shell command -v uv || echo .tools/bin/uv)
BIN := .venv/bin
SYNC := sync --locked --extra all --compile-bytecode --quiet
PYTEST := pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder
OTHER_PYTHONS := 3.12 3.13
RUN_ARGUMENTS ?=
PARTS ?= on_a_cluster by_git

.PHONY: help
help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: .venv/.synced ## Run the whole loop on the demo shop and show what came of it.
	@$(BIN)/rankloop run $(RUN_ARGUMENTS)

.PHONY: test
test: .venv/.synced ## Check the code and run all tests.
	@nice -n 19 $(BIN)/python -m tests.kubernetes.programs & building=$$!; \
	trap 'kill $$building 2>/dev/null' EXIT; trap 'exit 1' INT TERM; \
	$(MAKE) --no-print-directory --jobs 2 check-rest servers && \
	$(MAKE) --no-print-directory --jobs 2 check-types suite

# The types are checked beside the tests, which wait for servers and browsers a part of their time.
.PHONY: suite
suite: .venv/.synced
	$(BIN)/$(PYTEST)

.PHONY: unit
unit: .venv/.synced ## Run the quick tests, which need no server.
	$(BIN)/$(PYTEST) -m "not slow"

.PHONY: acceptance
acceptance: .venv/.synced ## Run everything once on a real cluster; make acceptance KUBECONFIG=FILE … (docs/kubernetes.md).
	$(BIN)/pytest --exitfirst --capture no --tb short $(foreach part,$(PARTS),tests/acceptance/$(part).py)

.PHONY: test-all
test-all: test ## Run all tests on the other Pythons too.
	@for version in $(OTHER_PYTHONS); do \
	  echo "Python $$version"; \
	  found=$$(ls -d $${PYENV_ROOT:-$$HOME/.pyenv}/versions/$$version.*/bin/python 2>/dev/null | tail -n 1); \
	  export UV_PROJECT_ENVIRONMENT=.venvs/$$version; \
	  $(UV) $(SYNC) --python $${found:-$$version} && .venvs/$$version/bin/$(PYTEST) || exit 1; \
	done

.PHONY: check
check: check-types check-rest check-rendered ## Check style, types, layers, compiled pipelines and rendered manifests.

.PHONY: check-types
check-types: .venv/.synced
	$(BIN)/mypy

.PHONY: check-rest
check-rest: check-compiled
	$(BIN)/ruff check
	$(BIN)/ruff format --check --quiet
	$(BIN)/lint-imports --no-logo

.PHONY: check-compiled
check-compiled: .venv/.synced ## Compare the compiled pipelines with their code.
	env -u RANKLOOP_IMAGES $(BIN)/rankloop compile --check

.PHONY: check-rendered
check-rendered: .venv/.synced ## Compare manifests/rendered with what the overlays come to.
	@$(BIN)/rankloop render --check --kubectl "$${KUBECTL:-$$($(BIN)/python -m tests.kubernetes.programs kubectl)}"

.PHONY: policy
policy: .venv/.synced ## Scan the manifests for what a policy would refuse.
	@$(BIN)/python -m tests.manifests.scan

.PHONY: format
format: .venv/.synced ## Format the code and fix what can be fixed.
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: bench
bench: .venv/.synced servers ## Measure against peers in the same run (minutes).
	@for benchmark in $(wildcard tests/benchmarks/[a-z]*.py); do echo "== $$benchmark"; PYTHONPATH=. $(BIN)/python $$benchmark || exit 1; done

.PHONY: compile
compile: .venv/.synced ## Write the pipelines as Kubernetes resources into manifests/.
	@$(BIN)/rankloop compile

.PHONY: render
render: .venv/.synced ## Write the manifests of each environment into manifests/rendered/.
	@$(BIN)/rankloop render --kubectl "$${KUBECTL:-$$($(BIN)/python -m tests.kubernetes.programs kubectl)}"

.PHONY: images
images: $(if $(RANKLOOP_SIGNING_KEY),.venv/.synced) ## Build the images; make images REGISTRY=HOST/PREFIX pushes them, writes their digests, and signs them.
	@.ci/images

.PHONY: verify-images
verify-images: .venv/.synced ## Verify the images that the manifests name: signature, provenance, packages.
	@$(BIN)/rankloop verify-images

.PHONY: deployment
deployment: .venv/.synced ## Build and push the images, and open the pull request that deploys them (docs/gitops.md).
	@test -n "$$REGISTRY" || { echo "deployment: found no REGISTRY, expected REGISTRY=HOST/PREFIX"; exit 1; }
	@unset RANKLOOP_IMAGES; .ci/images && $(BIN)/rankloop compile && $(MAKE) --no-print-directory render && $(BIN)/rankloop propose

.PHONY: cluster
cluster: .venv/.synced ## Make a cluster on this machine that shows the whole of it (docs/laptop.md).
	@.ci/cluster

.PHONY: cluster-down
cluster-down: ## Delete that cluster.
	@.ci/cluster down

.PHONY: setup
setup: .venv/.synced ## Make the environment in .venv.

.PHONY: clean
clean: ## Remove environments, caches and the demo home.
	rm -rf .venv .venvs .tools .rankloop .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.synced: pyproject.toml uv.lock | $(UV)
	@echo "Setting up .venv (a minute or two the first time)"
	@$(UV) $(SYNC)
	@touch $@

# Only on a machine without uv; a folder of our own leaves the system's Python as it is.
.tools/bin/uv:
	@echo "Installing uv into .tools"
	@python3 -m pip install --quiet --target .tools uv || { \
	  echo "uv is needed and pip could not install it: see https://docs.astral.sh/uv/getting-started/installation/"; exit 1; }

.PHONY: servers
servers: # The servers that tests talk to, and a browser, from the distribution's packages.
	@missing=""; \
	command -v redis-server >/dev/null || missing="$$missing redis-server"; \
	command -v prometheus >/dev/null || missing="$$missing prometheus"; \
	command -v docker-registry >/dev/null || missing="$$missing docker-registry"; \
	ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || command -v postgres >/dev/null || missing="$$missing postgresql"; \
	{ command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null || missing="$$missing chromium"; \
	docker info >/dev/null 2>&1 || PATH=$$PATH:/usr/sbin command -v dockerd >/dev/null || missing="$$missing docker.io"; \
	test -z "$$missing" && exit 0; \
	as_root=""; if [ "$$(id -u)" != 0 ]; then if [ -n "$$CI" ]; then as_root="sudo -n"; else as_root=false; fi; fi; \
	if command -v apt-get >/dev/null && $$as_root true 2>/dev/null; then \
	  echo "Installing$$missing"; \
	  $$as_root apt-get -o DPkg::Lock::Timeout=180 update -qq && \
	  $$as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=180 install -y -qq --no-install-recommends $$missing >/dev/null; \
	else \
	  echo "The tests talk to real servers and a browser; install:$$missing"; exit 1; \
	fi
