# Everything that is done with this repository, by people and by CI alike.
# It needs Go, git, make and bash; scripts/ finds or installs what else a target
# takes (PostgreSQL, Chromium and axe-core for the tests) or says how to.

SHELL := bash
.DEFAULT_GOAL := help

BIN := bin/ridecopilot

# The linters, pinned in tools/go.mod and built at first use.
TOOLS = tools="$$(scripts/tools)"

.PHONY: help run build test lint fmt unit race test-clients test-container test-deploy vuln bench benchmarks fuzz schema verify clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## build and start the server, with demo data if ./data is new
	@exec scripts/run

build: ## build bin/ridecopilot
	@CGO_ENABLED=0 go build -trimpath -o $(BIN) ./cmd/ridecopilot

test: ## all that CI runs: lint, tests on both engines, race detector
	@scripts/step "lint: formatting, imports and other rules" $(MAKE) --no-print-directory lint
	@scripts/step "known holes in the modules we use" $(MAKE) --no-print-directory vuln
	@scripts/step "tests, on SQLite and PostgreSQL, local disk and S3, with a browser" $(MAKE) --no-print-directory unit
	@scripts/step "race detector" $(MAKE) --no-print-directory race
	@scripts/step "clients made of the API's description" $(MAKE) --no-print-directory test-clients
	@scripts/step "the container's steps, without a container" $(MAKE) --no-print-directory test-container
	@scripts/step "deployment on AWS, without an account" $(MAKE) --no-print-directory test-deploy

lint: ## check formatting, linters and module files
	@$(TOOLS) && bad="$$("$$tools/gofumpt" -l .)" && \
	if [ -n "$$bad" ]; then printf 'not formatted (make fmt does it):\n%s\n' "$$bad"; exit 1; fi && \
	go vet ./... && \
	"$$tools/golangci-lint" run ./... && \
	cd bench && go vet ./... && "$$tools/golangci-lint" run ./...
	@cd tools && go tool -modfile=release.mod actionlint ../.github/workflows/*.yml
	@go mod tidy -diff
	@cd tools && go mod tidy -diff
	@cd bench && go mod tidy -diff

fmt: ## format the code
	@$(TOOLS) && "$$tools/gofumpt" -l -w .

# A test that needs PostgreSQL, an S3 server or a browser fails here where it
# would skip itself in a bare `go test ./...`.
unit: ## all tests, on SQLite and PostgreSQL, local disk and S3
	@CHROMIUM="$$(scripts/need-chromium)" && export CHROMIUM && \
	REQUIRE_POSTGRES=1 REQUIRE_S3=1 scripts/with-s3 scripts/with-postgres bash -c 'go test -timeout 20m ./... && cd bench && go test ./...'

# The race detector makes the embedded SQLite, which is C turned into Go, some
# 24 times slower. So all packages run on PostgreSQL, and of SQLite the tests
# that are about concurrency. The tests in a browser are about pages: they are left out.
race: ## the tests under the race detector
	@scripts/need-cc
	@CHROMIUM="$$(scripts/need-chromium)" && export CHROMIUM && REQUIRE_POSTGRES=1 REQUIRE_S3=1 TEST_ENGINES=postgres \
	scripts/with-s3 scripts/with-postgres go test -race -timeout 20m $$(go list ./... | grep -v '/inbrowser$$')
	@TEST_ENGINES=sqlite go test -race -run Race ./internal/store/...

test-clients: ## a TypeScript and a Go client, made of docs/openapi.yaml, compiled and run
	@scripts/check-clients

test-container: ## what the Dockerfile does, as plain commands, and a run of it
	@scripts/check-container

# It talks to the registry of npm, and to nobody else: CDK's own reports are off.
test-deploy: ## check deploy/aws: types, synthesis, assertions (needs Node.js 20 or later)
	@if scripts/need-node; then \
		cd deploy/aws && npm ci --no-fund --no-audit --prefer-offline && npm run --silent check && npm run --silent synth && npm run --silent test; \
	else \
		echo "SKIPPED: the deployment on AWS was not checked, because Node.js is missing"; \
	fi

vuln: ## govulncheck, with VULN=1: its database is on the network
	@if [ "$(VULN)" = 1 ]; then \
		$(TOOLS) && "$$tools/govulncheck" ./...; \
	else \
		echo "SKIPPED: govulncheck reads a database on the network; VULN=1 runs it, as the hosted CI does"; \
	fi

# It measures for minutes, and needs the machine for itself; scripts/bench lists
# what can be set, such as SIZE=large ENGINE=sqlite SCENARIOS=page-1 OUT=bench.json.
bench: ## load on the server and on its ceiling, in turns (SIZE=small)
	@SECONDS_EACH="$(SECONDS)" SIZE="$(SIZE)" ENGINE="$(ENGINE)" SCENARIOS="$(SCENARIOS)" CONNS="$(CONNS)" ROUNDS="$(ROUNDS)" \
	OUT="$(OUT)" PROFILES="$(PROFILES)" PLANS="$(PLANS)" REFERENCE="$(REFERENCE)" FSYNC="$(FSYNC)" BENCH_DATA="$(BENCH_DATA)" scripts/bench

benchmarks: ## Go benchmarks, on SQLite and PostgreSQL
	@scripts/with-s3 scripts/with-postgres go test -run '^$$' -bench . -benchmem ./...

fuzz: ## a short round of every fuzz test (FUZZTIME=10s)
	@scripts/fuzz

# What is generated from the code and kept beside it, so that a change of it
# shows in review: the whole schema of either engine, the API's description, settings and commands.
GENERATED := internal/store/schema docs/openapi.yaml docs/configuration.md

schema: ## write the golden schemas, docs/openapi.yaml and docs/configuration.md anew
	@scripts/with-postgres go test -count=1 -run 'Schema|OpenAPI|Configuration_Page' ./internal/store ./internal/httpapi ./cmd/ridecopilot -update

verify: schema ## fail if anything generated differs from what is committed
	@changed="$$(git status --porcelain -- $(GENERATED))" && \
	if [ -n "$$changed" ]; then \
		git --no-pager diff -- $(GENERATED); \
		printf 'generated files have changed, commit them:\n%s\n' "$$changed"; exit 1; \
	fi

clean: ## remove what make has built
	@rm -rf bin dist
	@rm -f *.out *.prof *.test
