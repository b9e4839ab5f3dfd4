# ucf: `make quickstart` shows the main job, `make test` runs the tests, `make help` lists the rest.
SHELL := /bin/bash
GO ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X github.com/unified-connector/ucf/internal/cli.version=$(VERSION)
TESTFLAGS ?=
FUZZTIME ?= 10s

.DEFAULT_GOAL := help
.PHONY: help build quickstart test race lint generate check-generated fuzz storm clients bench clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## Build bin/ucf
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ucf ./cmd/ucf

quickstart: build ## Connect, probe, list and read a system, for real
	@docs/quickstart.sh bin/ucf

test: ## Run the tests; those that need a server say which variable is missing
	@$(GO) test $(TESTFLAGS) ./...
	@test -n "$$UCF_TEST_POSTGRES_URL" || echo "note: tests against a real PostgreSQL ran only where UCF_TEST_POSTGRES_URL is set"
	@test -n "$$UCF_TEST_MONGODB_URL" || echo "note: tests against a real MongoDB ran only where UCF_TEST_MONGODB_URL and UCF_TEST_MONGODB_SCRAM_URL are set"
	@test -n "$$UCF_TEST_CLIENTS" || echo "note: jira.js, confluence.js and jsforce ran only where UCF_TEST_CLIENTS is set; make clients runs them"

race: ## Run the tests with the race detector (needs a C compiler)
	@$(GO) test -race $(TESTFLAGS) ./...

lint: ## Run the linters (golangci-lint v2)
	@golangci-lint run ./...
	@$(GO) vet ./...

generate: ## Write the reference pages, completions and .env.example
	@$(GO) run ./cmd/ucf-gen

check-generated: generate ## Fail when what is generated differs from what is committed
	@git diff --exit-code -- docs completions .env.example
	@test -z "$$(git status --porcelain -- docs completions .env.example)"

# Go ends a timed fuzz run with "context deadline exceeded" now and then, though nothing failed: that alone is tried again.
fuzz: ## Run every fuzz target for FUZZTIME
	@set -e; log=$$(mktemp); trap 'rm -f $$log' EXIT; for pkg in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "fuzz $$pkg $$f"; \
	    for try in 1 2 3; do \
	      if $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$pkg >$$log 2>&1; then tail -n 2 $$log; break; fi; \
	      if [ $$try = 3 ] || grep -q 'Failing input' $$log || ! grep -q '^    context deadline exceeded$$' $$log; then cat $$log; exit 1; fi; \
	    done; \
	  done; done

storm: ## Run 1,000 callers in 3 processes on one rotating grant for a minute, and again with kill -9
	@UCF_STORM=60s $(GO) test -count=1 -run '^TestStorm$$' -v ./internal/app

clients: ## Run the clients of others from npm against the sandbox (needs node)
	@cd internal/sandbox/clients && npm ci --no-audit --no-fund --loglevel=error
	@UCF_TEST_CLIENTS=$(CURDIR)/internal/sandbox/clients $(GO) test -count=1 -run '^(TestThirdPartyClients|TestJSForce)$$' -v ./internal/sandbox

bench: build ## Measure against baselines in the same run
	@$(GO) run ./internal/bench -ucf bin/ucf

clean: ## Remove what was built
	@rm -rf bin dist bench-raw
