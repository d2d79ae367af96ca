# pawl: a web crawler that never slips back. `make` alone lists what there is.
#
# Needed: Go (the version in go.mod, or any that can fetch it) and make.

GO       ?= go
BIN      := ./pawl
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  := -s -w -X pawl/cli.version=$(VERSION)
PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

# How to crawl: make crawl URL=https://example.com DB=example.pawl FLAGS="--max-pages 100"
URL   ?=
DB    ?= crawl.pawl
OUT   ?= pages.csv
FLAGS ?=

export CGO_ENABLED ?= 0

.DEFAULT_GOAL := help
.PHONY: help build crawl demo test race crash power faults idle live polite soak soak-hostile fuzz bench generate fmt vet cross clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  make crawl URL=https://example.com   crawls politely, goes on where it was stopped, writes $(OUT)"

build: ## build the binary, ./pawl
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) .

crawl: build ## crawl URL=... (without: a generated site on loopback) and write pages.csv
ifeq ($(URL),)
	@$(MAKE) --no-print-directory demo
else
	@code=0; $(BIN) crawl $(URL) --db $(DB) $(FLAGS) || code=$$?; \
	if [ $$code -eq 0 ] || [ $$code -eq 4 ]; then \
		$(BIN) export pages --db $(DB) -o $(OUT) && echo "wrote $(OUT)" >&2; \
	fi; exit $$code
endif

demo: build
	@$(GO) build -o .bin/serve ./internal/fakeweb/serve
	@rm -f .bin/demo.address; .bin/serve -pages 300 -addr-file .bin/demo.address >/dev/null & \
	trap 'kill $$! 2>/dev/null' EXIT; \
	n=0; until [ -s .bin/demo.address ]; do n=$$((n+1)); [ $$n -lt 100 ] || { echo "the demo site did not start" >&2; exit 1; }; sleep 0.1; done; \
	rm -f .bin/demo.pawl; \
	echo "no URL given: crawling a generated site of 300 pages on $$(head -n 1 .bin/demo.address)" >&2; \
	code=0; $(BIN) crawl "$$(head -n 1 .bin/demo.address)" --db .bin/demo.pawl --delay 20ms $(FLAGS) || code=$$?; \
	if [ $$code -eq 0 ] || [ $$code -eq 4 ]; then \
		$(BIN) export pages --db .bin/demo.pawl -o $(OUT) && echo "wrote $(OUT)" >&2; \
	fi; exit $$code

test: ## run all tests, a short crash loop among them
	$(GO) test -timeout 10m ./...

race: ## run all tests under the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race -timeout 20m ./...

KILLS ?= 100
crash: ## kill the real binary 100 times in one crawl of 5,000 pages, in others that write rows and WARC, and a process that writes checkpoints, and check that nothing is lost or doubled
	$(GO) test -count=1 -timeout 30m -run TestKill -v . -crash.kills $(KILLS) -crash.pages 5000
	$(GO) test -count=1 -timeout 30m -run "TestAppStore|TestWARC" -v . -store.kills 50
	$(GO) test -count=1 -timeout 30m -run TestKill -v ./frontier -kill.times $(KILLS)
	$(GO) test -count=1 -timeout 30m -run TestPoison -v . -poison.all -poison.pages 1000

CUTS ?= 0
power: ## cut the power at every point of recorded runs of the real binary, and open, verify and go on with what is left (a quarter of an hour)
	$(GO) test -count=1 -timeout 60m -run TestPower -v . -power.cuts $(CUTS) -power.runs 20 -power.pages 300 -power.seed 0

faults: ## have every operation of the disk fail in turn, under every command that writes: about 2,000 runs
	$(GO) test -count=1 -timeout 30m -run 'TestDiskFaults|TestSmallDisk' . -fault.all

idle: ## measure what a crawl that waits takes of the processor
	$(GO) test -count=1 -timeout 30m -run TestIdle -v . -idle.all -idle.for 20s -idle.hosts 1,1000,100000

live: ## crawl 20,000 pages while four clients hammer the crawl with every command and an export follows; then again, with kills
	$(GO) test -count=1 -timeout 30m -run TestLive -v . -live.pages 20000 -live.kills 10

polite: ## crawl 50 hosts with stops and kills, and report the gaps that their servers saw
	$(GO) test -count=1 -run TestPolite -v . -polite

SOAK ?= -soak.pages 1000000 -soak.hosts 1000 -soak.for 30m -soak.events 120
soak: ## crawl a million pages on 1,000 hosts for an hour while everything goes wrong: kills, cuts, full disks, hostile servers
	$(GO) test -count=1 -timeout 4h -run TestSoak -v . $(SOAK)

ROUNDS ?= 20
soak-hostile: ## crawl all misbehaving servers and a normal site at once, again and again: all of its pages, flat memory
	$(GO) test -count=1 -timeout 30m -run TestHostileWeb -v ./crawl -hostile.rounds $(ROUNDS)

FUZZTIME ?= 60s
fuzz: ## run each fuzz target for a minute
	@set -e; for pkg in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "$$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x $$pkg; \
		done; \
	done

PKG       ?= ./...
BENCH     ?= .
BENCHTIME ?= 100ms
GOBENCH    = $(GO) test -short -run '^$$' -bench '$(BENCH)' -benchmem -benchtime $(BENCHTIME) -timeout 10m
bench: ## run the Go benchmarks, briefly: two minutes (PKG=./page BENCH=Parse BENCHTIME=2s)
	$(GOBENCH) $(PKG)

.PHONY: bench-scale bench-compare
# SCALE="-quick" for half a minute; go run ./internal/scale -h tells the rest.
SCALE ?=
bench-scale: ## grow crawls of 1, 1,000 and 100,000 hosts to ten million URLs, and print what they cost
	@$(GO) run ./internal/scale $(SCALE)

BENCHSTAT := $(GO) run golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
BASE      ?=
COUNT     ?= 6
bench-compare: ## compare the benchmarks with those of the commit BASE=... (PKG= and BENCH= select, COUNT=6 times in turns)
	@[ -n "$(BASE)" ] || { echo "which commit? make bench-compare BASE=HEAD~3 PKG=./page BENCH=Parse" >&2; exit 2; }
	@set -e; dir=$$(mktemp -d); \
	trap 'git worktree remove --force "$$dir/base" 2>/dev/null || :; rm -rf "$$dir"' EXIT; trap 'exit 130' INT TERM; \
	git worktree add -q --detach "$$dir/base" "$(BASE)"; \
	run() { (cd "$$1" && $(GOBENCH) $(PKG)) >"$$dir/out" || { cat "$$dir/out" >&2; exit 1; }; cat "$$dir/out" >>"$$dir/$$2.txt"; }; \
	n=0; while [ $$n -lt $(COUNT) ]; do n=$$((n+1)); echo "round $$n of $(COUNT)" >&2; \
		if [ $$((n%2)) = 1 ]; then run "$$dir/base" base; run . tree; else run . tree; run "$$dir/base" base; fi; \
	done; \
	$(BENCHSTAT) "$(BASE)=$$dir/base.txt" "working tree=$$dir/tree.txt"

generate: ## make generated code anew
	$(GO) generate ./...

GOFUMPT     := $(GO) run mvdan.cc/gofumpt@v0.12.0
STATICCHECK := $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2

fmt: ## format the code
	$(GOFUMPT) -w $$(git ls-files '*.go' | grep -v _gen.go)

vet: ## formatting, vet and staticcheck
	@out=$$($(GOFUMPT) -l $$(git ls-files '*.go' | grep -v _gen.go)); [ -z "$$out" ] || { echo "not formatted (make fmt):"; echo "$$out"; exit 1; }
	$(GO) vet ./...
	$(STATICCHECK) ./...

cross: ## build for all platforms into dist/
	@set -e; for p in $(PLATFORMS); do \
		os=$${p%/*}; arch=$${p#*/}; ext=; [ $$os = windows ] && ext=.exe; \
		echo "dist/pawl-$$os-$$arch$$ext"; \
		CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o dist/pawl-$$os-$$arch$$ext .; \
		if [ $$arch = amd64 ]; then GOOS=$$os GOARCH=$$arch $(GO) vet ./storage ./cli ./cli/control .; fi; \
	done

clean: ## remove what make made
	rm -rf $(BIN) $(BIN).exe dist .bin
