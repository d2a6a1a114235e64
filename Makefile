# Whatever is made lands in .venv/ and build/, and in a Docker Engine under the label `sluice.bluegreen.lab`.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
COLLECTION := build/collections/ansible_collections/sluice/bluegreen
PLAYBOOK := $(BIN)/ansible-playbook -i inventories/lab

export PATH := $(CURDIR)/$(BIN):$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/build/collections
export ANSIBLE_LOCALHOST_WARNING := false
export ANSIBLE_INVENTORY_UNPARSED_WARNING := false
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help venv venv-test clean
.PHONY: lab lab-down lab-molecule demo
.PHONY: test test-on-lab test-long test-quick lint-ansible lint-python test-unit test-integration test-molecule
.PHONY: chaos chaos-full chaos-rollback chaos-steps chaos-down
.PHONY: prove-gates ee
.PHONY: test-vm test-haproxy-versions
.PHONY: bench bench-judge bench-tick bench-deploy bench-scale

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' Makefile

demo: venv  ## the whole story on the lab, under load
	$(BIN)/python demo/story.py

lab: venv  ## six stand-ins for VMs, the sample service's images, Prometheus
	$(PLAYBOOK) molecule/shared/create.yml molecule/shared/images.yml molecule/shared/prometheus.yml
	@echo "The lab is up: $(BIN)/ansible -i inventories/lab lab -m ping, or docker exec -it sluice-demo-lb1 bash."

lab-down: venv  ## remove the lab; images and engine stay
	$(PLAYBOOK) molecule/shared/destroy.yml

CHAOS = $(if $(ONLY),--only '$(ONLY)') $(if $(LEASE),--lease $(LEASE))
chaos: venv  ## a release on a lab of its own, killed and disturbed in ten minutes' worth of ways; MINUTES=n for more
	$(BIN)/python -m chaos --minutes $(or $(MINUTES),9.5) $(CHAOS)

chaos-full: venv  ## the same at every task boundary, with every fault at every moment; hours, in parts if need be
	$(BIN)/python -m chaos --resume $(if $(MINUTES),--minutes $(MINUTES)) $(CHAOS)

chaos-rollback: venv  ## on the same lab: how long a rollback takes, by the balancers' counters; into build/rollback.json
	$(BIN)/python -m chaos.rollback $(if $(LEASE),--lease $(LEASE))

chaos-steps: venv-test  ## the protocol on two HAProxy processes: every cut of a release, and every cut of the command after it
	EVERY_CUT=1 $(BIN)/pytest --numprocesses 2 tests/integration/step/test_cut_off.py

chaos-down: venv  ## remove the lab of chaos
	$(BIN)/ansible-playbook -i chaos/inventory molecule/shared/destroy.yml

prove-gates: venv  ## releases on the lab, good, bad and in trouble, each with the verdict that it must have; a quarter of an hour
	$(BIN)/python -m gates

QUICK_TESTS := lint-ansible lint-python test-unit

# The lab is made beside the quick tests: it waits for packages, they for a core. What ansible-lint finds nothing waits for.
test: venv-test  ## everything, on the lab's hosts too
	@$(MAKE) --no-print-directory --jobs=3 --output-sync=target \
		lab-molecule .venv-2.17/test.stamp lint-python test-unit lint-ansible test-on-lab

test-on-lab: lab-molecule .venv-2.17/test.stamp lint-python test-unit
	@$(MAKE) --no-print-directory --output-sync=none test-integration
	@$(MAKE) --no-print-directory --output-sync=none test-molecule

# Side by side, because ansible-lint alone would fill the time of one core.
test-quick: venv-test  ## lint and unit tests
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target $(QUICK_TESTS)

lint-ansible: venv-test
	nice -n 19 $(BIN)/ansible-lint --offline --profile production
	$(BIN)/yamllint --strict .

lint-python: venv-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy plugins/ chaos/ gates/

test-unit: venv-test
	$(BIN)/pytest --numprocesses 2 tests/unit

test-integration: venv-test .venv-2.17/test.stamp  ## against a real HAProxy and real sockets
	$(BIN)/ansible-playbook tests/lab/programs.yml
	$(BIN)/pytest --numprocesses 4 --dist worksteal --durations 30 tests/integration

lab-molecule: venv-test
	$(BIN)/ansible-playbook -i molecule/inventory/hosts.yml molecule/shared/create.yml molecule/shared/images.yml

test-molecule: venv-test  ## the scenarios of molecule/ on system containers; SCENARIO=name for one, KEEP=1 keeps the lab
	$(BIN)/pytest tests/molecule $(if $(SCENARIO),-m "not vms" -k $(SCENARIO))

test-long: venv-test .venv/long.stamp .venv-2.17/test.stamp  ## what takes minutes each: hooks, clouds, a fleet, a database; half an hour
	$(BIN)/ansible-playbook tests/lab/programs.yml tests/lab/libvirt.yml molecule/shared/engine.yml
	$(BIN)/pytest --numprocesses 4 --dist worksteal -m long tests/integration
	$(BIN)/pytest -m long tests/molecule

# Emulated, and long, where the machine has no hardware virtualisation.
test-vm: venv-test  ## site, release and rollback on four real VMs, one of which loses its power; KEEP=1 keeps them where it fails
	$(BIN)/pytest tests/molecule --vms

# The hosts of the lab are Debian 12; these have Python 3.9 and HAProxy 2.2, and Python 3.13 and HAProxy 3.0. The lab
# of the first stays, so that the second is made over one of another release.
test-haproxy-versions: venv-test  ## the scenarios on hosts with Debian 11 and 13; SCENARIO=name for one
	LAB_RELEASE=bullseye KEEP=1 $(BIN)/pytest tests/molecule $(if $(SCENARIO),-m "not vms" -k $(SCENARIO))
	LAB_RELEASE=trixie $(BIN)/pytest tests/molecule $(if $(SCENARIO),-m "not vms" -k $(SCENARIO))

bench: venv  ## how long a shift takes, what the histogram costs, requests lost; into build/bench.json
	$(BIN)/ansible-playbook bench/programs.yml
	$(BIN)/python -m bench.traffic

bench-judge: .venv/bench.stamp  ## simulated rollouts, good and bad, by this judge and by the rules of others; QUICK=1 for a tenth
	$(BIN)/python -m bench.judge $(if $(QUICK),--quick)

bench-tick: .venv/bench.stamp  ## one tick of a gate for 200 servers: reading two HAProxy processes, and judging
	$(BIN)/python -m bench.tick

# From the collection as released, not from this checkout.
ee: venv-test  ## the image of the execution environment, bluegreen-ee; needs an engine, the base image and Galaxy
	$(BIN)/ansible-builder build --container-runtime docker --context build/ee --tag bluegreen-ee --verbosity 2

bench-deploy: venv  ## a change of one layer on 2 and 8 VMs, against a playbook by hand; VMS="2 8 32" for others; on a lab of its own
	$(BIN)/python -m bench.deploy $(VMS)

bench-scale: venv  ## what every playbook costs the controller for 100 and 300 simulated VMs, by bare pings; VMS="100 1000 10000" for others
	$(BIN)/python -m bench.scale $(VMS)

clean:  ## leave nothing behind: lab, images, the engine if it was started here, build/, .venv
	@if [ -d .venv ] || [ -d build ]; then $(MAKE) --no-print-directory venv && $(BIN)/ansible-playbook molecule/shared/clean.yml; fi
	rm -rf build .venv .venv-* .cache .ansible .hypothesis .*_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

venv: .venv/run.stamp $(COLLECTION)  ## what the demo needs, in .venv
venv-test: .venv/test.stamp $(COLLECTION)  ## what the tests need, in .venv

.venv/bin/python:
	$(PYTHON) -m venv .venv || { rm -rf .venv; echo "No virtual environment: on Debian, apt-get install python3-venv."; exit 1; }

.venv/run.stamp: requirements.txt | .venv/bin/python
	$(BIN)/pip install --quiet --no-compile -r requirements.txt
	touch $@

.venv/test.stamp: tests/requirements.txt requirements.txt bench/requirements.txt | .venv/bin/python
	$(BIN)/pip install --quiet --no-compile -r tests/requirements.txt
	touch $@ .venv/run.stamp .venv/bench.stamp

.venv/long.stamp: tests/requirements-long.txt .venv/test.stamp
	$(BIN)/pip install --quiet --no-compile -r tests/requirements-long.txt
	touch $@

.venv-2.17/test.stamp: tests/requirements-2.17.txt
	$(PYTHON) -m venv .venv-2.17
	.venv-2.17/bin/pip install --quiet --no-compile -r tests/requirements-2.17.txt
	touch $@

.venv/bench.stamp: bench/requirements.txt | .venv/bin/python
	$(BIN)/pip install --quiet --no-compile -r bench/requirements.txt
	touch $@

$(COLLECTION):
	mkdir -p $(@D)
	ln -sfn ../../../.. $@
