#!/usr/bin/python
# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: the action plugin of the same name does the work, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_info
short_description: Read a service's page, checked and complete
version_added: 0.1.0
description:
  - Reads the page of a service, checks it against itself and against the inventory, and gives it back with every
    default filled in, its stages planned and its servers listed. All roles of this collection take this form.
  - Everything that is wrong is told at once, each with its key, what was given, and the way out. An unknown key is
    refused wherever it is, since a setting that is silently ignored is a promise that is silently broken.
  - Runs on the controller without any connection. It reads variables only of the hosts in the two color groups.
  - The address of a server is its variable C(bluegreen_address) if it is set, else C(ansible_host), else its name.
extends_documentation_fragment:
  - sluice.bluegreen.attributes.info_module
options:
  service:
    description:
      - Name of the service. An empty string is refused as one that was not named.
      - Without this option all services are read, and checked for ports that two of them would take on one host.
    type: raw
  version:
    description:
      - Version to release, the tag of the image. An empty string is a version that was not given.
      - A number is refused, because it may be another version than was meant (C(1.10) becomes C(1.1)). This is seen
        also where it comes from a variable C(version) and templating has already made a text of it.
      - A pair of quotes around it is taken away. In AWX with ansible-core 2.19 they are what keeps an answer such as
        C("1.10") a text.
    type: raw
  require_version:
    description: Whether to fail where no version was given.
    type: bool
    default: false
  strategy:
    description:
      - Strategy to use instead of the page's, in any of its forms. An empty string is none.
    type: raw
  services:
    description: Pages by the names of services; the variable C(bluegreen_services) if not given.
    type: raw
  needs:
    description:
      - Hosts of the service that this run must have before it, all of them. Fails where a limit leaves one out, and in
        a slice of an AWX job. Needs O(service).
    type: list
    elements: str
    choices: [balancers, vms]
    default: []
  hook_files:
    description:
      - Whether the task files of the service's hooks must be there and be readable, as before a release.
      - A way back does not depend on them.
    type: bool
    default: false
  partial:
    description: Whether the inventory may have some hosts of every group only, as it may in any slice of an AWX job.
    type: bool
    default: false
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Read the page of the service to release
  sluice.bluegreen.service_info:
    service: "{{ service | default('') }}"
    version: "{{ version | default('') }}"
    require_version: true
    strategy: "{{ strategy | default(omit) }}"
  register: page

- name: Read all services
  sluice.bluegreen.service_info:
  register: pages

- name: Check a page that is not in the inventory
  sluice.bluegreen.service_info:
    service: shop
    services:
      shop:
        image: registry.example.com/shop
        hosts: {blue: shop_blue, green: shop_green}
        container: {port: 8080}
        health: {path: /healthz}
        listen: {bind: "*:80"}
"""

RETURN = r"""
service:
  description: The service, complete. Durations are in seconds, percentages in per cent, margins in percentage points.
  returned: when a service is named
  type: dict
  contains:
    name: {description: Its name., type: str}
    version: {description: "Version that was given, or none.", type: str}
    digest: {description: "Digest that was given with the version, behind an @, or none.", type: str}
    image: {description: Its image without a tag., type: str}
    loadbalancers: {description: Group of its balancers., type: str}
    topology: {description: "C(paired), or C(colocated) where both colors share their VMs.", type: str}
    hosts: {description: Group of the VMs of each color., type: dict, sample: {blue: shop_blue, green: shop_green}}
    servers:
      description:
        - Its servers, blue before green, each in the order of its group.
        - With C(colocated) a VM is two of them, C(VM-blue) and C(VM-green).
      type: list
      elements: dict
      sample:
        - {name: blue1, color: blue, address: 198.18.0.21, port: 8080}
    container:
      description:
        - C(port) in the container, C(publish) on the VM by color, C(env) as texts, and what else the page has, as
          M(community.docker.docker_container) takes it. In the place of each of the C(secrets) stands a seal.
      type: dict
    health:
      description: How it is probed, as M(sluice.bluegreen.health_gate) takes it.
      type: dict
    listen:
      description: C(bind), its C(address) and C(port), C(tls) with its C(certificates) or none, and C(http2).
      type: dict
    mode: {description: C(http) or C(tcp)., type: str}
    split: {description: "How traffic is split, C(by) what, and the C(cookie) or C(header) of a user.", type: dict}
    pins: {description: "Rules that go before the split, the first that fits.", type: list, elements: dict}
    preview: {description: "C(header), networks C(from) which, and C(bind), or none.", type: dict}
    affinity: {description: "C(cookie) that keeps a session on its server, or none.", type: dict}
    limits: {description: "C(connections) of all, and C(address), the limits of one address.", type: dict}
    balance: {description: Algorithm of the backend., type: str}
    hash_type: {description: "C(consistent) for a balance that hashes, else none.", type: str}
    stages:
      description: Plan of a rollout.
      type: list
      elements: dict
      sample:
        - {split: 5.0, dwell: 60, timeout: 900, on_timeout: pause}
        - {split: 100.0, dwell: 60, timeout: 900, on_timeout: pause}
    second_look: {description: Whether doubts at 100 % are settled in the stage before first., type: bool}
    gates:
      description:
        - C(thresholds), C(errors) unless it is switched off, C(latency) and C(baseline) where the page has them.
        - In the place of each C(token), each of the C(headers) and each value of C(env) stands a seal.
          M(sluice.bluegreen.metrics_gate) takes the secrets themselves from the variable C(bluegreen_services).
      type: dict
    hooks:
      description:
        - The hooks of every phase, each with C(name), C(kind), C(timeout), C(when_failed) and what its kind needs.
        - In the place of each secret of a webhook, its C(url) included, and of each value of C(env) stands a seal.
          M(sluice.bluegreen.release_hook) takes the secrets themselves from the variable C(bluegreen_services).
      type: dict
    tick: {description: Seconds between two looks of a gate., type: float}
    lease: {description: Seconds of a lease., type: float}
    deploy:
      description:
        - C(source), V(registry) or V(archive); the path C(archive), empty for the registry, and its C(sha256); the
          C(login) with a seal for its password; C(verify) with its C(command), C(on) and C(timeout); C(serial),
          C(max_failures) and C(keep_images).
      type: dict
    build: {description: "How the image is built: C(context), C(dockerfile) and so on, or none.", type: dict}
    drain: {description: "C(timeout), seconds that sessions may last once their color has no traffic.", type: dict}
    capacity:
      description: "C(max_load), how much more than stable's servers those of the candidate may get, or none."
      type: dict
    retire:
      description: >-
        C(keep_warm), seconds that the old color keeps running, C(keep), how many of its VMs go on then, and
        C(reversible), whether its version can still serve after it was retired.
      type: dict
    labels: {description: Labels of the container., type: dict}
services:
  description: All services, complete, in the order of their pages.
  returned: when no service is named
  type: list
  elements: dict
slice:
  description:
    - Name of the job template that this job is a slice of, or none. The inventory of a slice has only some of the
      hosts, so there the pages are checked by themselves only, and have no servers.
  returned: when no service is named
  type: str
problems:
  description: What is wrong with the page, by key.
  returned: failure, where it is the page that is wrong
  type: list
  elements: dict
  sample:
    - {key: container.prot, problem: "unknown key; did you mean 'port'? Known keys: port, publish, env, …"}
"""
