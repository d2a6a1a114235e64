#!/usr/bin/python
# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: health_gate
short_description: Wait until endpoints answer healthily
version_added: 0.1.0
description:
  - Probes many endpoints at once over HTTP or TCP until each of them, or as many as O(quorum) says, has answered well
    several times in a row, and fails, naming each that has not and why, when the time is over.
  - Where asked to, it also looks at what Docker calls the container of an endpoint, and at what HAProxy calls its
    server, at each probe; an endpoint is healthy only when all of them say so.
  - An endpoint is probed on while others are waited for, so all of them are healthy at the moment of success. One that
    never answers delays no other.
  - Redirects are not followed and proxies are not used. Without O(health.version_header) or O(health.version_json) a
    healthy answer of another version is a healthy answer.
extends_documentation_fragment:
  - sluice.bluegreen.attributes.info_module
  - sluice.bluegreen.engine.socket
attributes:
  check_mode:
    details:
      - Probes each endpoint one time, waits for no more, and never fails.
options:
  endpoints:
    description: What to probe; at least one.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name in results and messages, such as the inventory name; it must be there once only.
        type: str
        required: true
      address:
        description: Name or IP address, of either family.
        type: str
        required: true
      port:
        description: TCP port; needed unless O(health.port) is given.
        type: int
      container:
        description: Container on this host that Docker must call healthy, with O(health.docker).
        type: str
      color:
        description: Not used; accepted so that the servers of a service can be given as they are.
        type: str
      capacity:
        description: Not used; accepted so that the servers of a service can be given as they are.
        type: float
  health:
    description: How to probe, with the keys of C(health) on the service's page.
    type: dict
    default: {}
    suboptions:
      tcp:
        description: Whether it is enough that the port takes a connection; what concerns HTTP is not looked at then.
        type: bool
        default: false
      path:
        description: Path, with a query if need be, that is asked for with C(GET).
        type: str
        default: /
      status:
        description: HTTP status or statuses of a healthy answer.
        type: list
        elements: int
        default: [200]
      response_headers:
        description: Headers of the response and the values that they must have, exactly.
        type: dict
        default: {}
      version_header:
        description: Response header that must have the value of O(version), if that is given.
        type: str
      version_json:
        description:
          - Place of the version in the body's JSON, such as V(app.version); it must have the value of O(version), if
            that is given. Not together with O(health.version_header).
        type: str
      contains:
        description: Text that must be in the first MiB of the body.
        type: str
      matches:
        description: Regular expression (Python's) that must be found in the first MiB of the body.
        type: str
      json:
        description:
          - Values that the body's JSON must have, by their places, such as C(checks.db[0].status). A text is not a
            number, and V(true) is not V(1).
        type: dict
        default: {}
      host_header:
        description: C(Host) to ask for, instead of address and port.
        type: str
      request_headers:
        description: Further headers to ask with, such as the one that shows a preview.
        type: dict
        default: {}
      tls:
        description: Whether to ask over TLS. Whose certificate it is is not looked at.
        type: bool
        default: false
      port:
        description: Port to probe, instead of the one of each endpoint.
        type: int
      docker:
        description:
          - Whether Docker must call the container of each endpoint healthy; its image then needs a C(HEALTHCHECK).
            Endpoints without O(endpoints[].container) are not asked for.
        type: bool
        default: false
      consecutive:
        description: How many answers in a row must be good.
        type: int
        default: 3
      stable_for:
        description: How long they must have been good without a break, in seconds or as a duration.
        type: str
        default: "0"
      interval:
        description:
          - Time from a good answer to the next probe, in seconds or as a duration such as V(2s).
          - After a failure the next probe comes sooner, after a quarter of a second at first, then later and later.
        type: str
        default: "2"
      backoff:
        description:
          - Longest pause after a failure, in seconds or as a duration; the pause doubles from failure to failure up to
            this. Without it O(health.interval).
        type: str
      probe_timeout:
        description: Time limit of one probe, in seconds or as a duration.
        type: str
        default: "5"
      timeout:
        description: Time limit of the gate, in seconds or as a duration such as V(60s) or V(2m).
        type: str
        default: "60"
  version:
    description: Version that must answer, where O(health.version_header) or O(health.version_json) is given.
    type: str
  quorum:
    description:
      - How many of the endpoints must be healthy at the same time, as a number or in per cent, rounded up.
      - With less than all of them the gate ends as soon as that many are healthy, and says what the others lack.
    type: str
    default: 100%
  docker_socket:
    description: Unix socket of the Docker Engine that O(health.docker) asks.
  haproxy:
    description:
      - With it, HAProxy on this host must call the server of each endpoint up too; servers are called like endpoints.
    type: dict
    suboptions:
      service:
        description: The service, which is the backend with all of its servers.
        type: str
        required: true
      socket:
        description: HAProxy's admin socket.
        type: path
        default: /run/haproxy/admin.sock
author:
  - The sluice.bluegreen maintainers (@sluice-bluegreen)
"""

EXAMPLES = r"""
- name: Wait for the new version on the candidate VMs, seen from a balancer
  sluice.bluegreen.health_gate:
    endpoints: "{{ service.servers | selectattr('color', 'equalto', 'green') }}"
    health: "{{ service.health }}"
    version: "{{ version }}"

- name: Wait for two endpoints
  sluice.bluegreen.health_gate:
    endpoints:
      - {name: green1, address: 198.18.0.31, port: 8080}
      - {name: green2, address: 198.18.0.32, port: 8080}
    health:
      path: /healthz
      status: [200, 204]
      response_headers: {X-App-Version: v2}
      timeout: 2m

- name: Wait until four of five are healthy by their own word for ten seconds, and HAProxy has seen it
  sluice.bluegreen.health_gate:
    endpoints: "{{ service.servers | selectattr('color', 'equalto', 'green') }}"
    health:
      path: /healthz
      json: {status: ok, "checks.db": up}
      version_json: app.version
      stable_for: 10s
    version: 2.1.0
    quorum: 80%
    haproxy: {service: shop}

- name: Wait until Docker calls the container healthy, on its VM
  sluice.bluegreen.health_gate:
    endpoints:
      - {name: green1, address: 127.0.0.1, port: 8080, container: shop-green-2.1.0}
    health: {path: /healthz, docker: true}

- name: Wait until a database takes connections
  sluice.bluegreen.health_gate:
    endpoints:
      - {name: db1, address: 198.18.0.41, port: 5432}
    health: {tcp: true, consecutive: 2, interval: 1s}
"""

RETURN = r"""
healthy:
  description: Whether every endpoint, or as many as O(quorum) says, is healthy.
  type: bool
  returned: always
endpoints:
  description: What was found, by the name of the endpoint.
  type: dict
  returned: always
  contains:
    healthy:
      description: Whether its last answers, as many as wanted, were good.
      type: bool
    attempts:
      description: Probes begun.
      type: int
    successes:
      description: Good answers in a row at the end.
      type: int
    stable_for:
      description: Seconds from the first of these to the last.
      type: float
    last:
      description: HTTP status of the last answer; none over TCP, and where nothing answered.
      type: int
    reason:
      description: Why it is not healthy; empty where it is.
      type: str
    latency_ms:
      description: Milliseconds that the last answer took.
      type: float
    version:
      description: The version that answered, where it is known where to look.
      type: str
    docker:
      description: What Docker called the container (C(healthy), C(unhealthy), C(starting), C(exited) ...), if asked.
      type: str
    haproxy:
      description: What HAProxy called the server (C(UP), C(DOWN) ...), if asked.
      type: str
  sample:
    green2:
      healthy: false
      attempts: 12
      successes: 0
      last: 503
      stable_for: 0
      reason: status 503, expected 200
      latency_ms: 1.8
      version: null
      docker: unhealthy
      haproxy: DOWN
unhealthy:
  description: Names of the endpoints that are not healthy.
  type: list
  elements: str
  returned: always
needed:
  description: How many endpoints had to be healthy.
  type: int
  returned: always
elapsed:
  description: Seconds that the gate took.
  type: float
  returned: always
msg:
  description: The same in a sentence.
  type: str
  returned: always
  sample: >-
    1 of 2 not healthy within 30 s: green2 http://198.18.0.31:8080/healthz: status 503, expected 200
    (12 attempts in 30 s)
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.sluice.bluegreen.plugins.module_utils._balancer_args import SOCKET
from ansible_collections.sluice.bluegreen.plugins.module_utils._engine_args import ENGINE
from ansible_collections.sluice.bluegreen.plugins.module_utils._errors import SluiceError
from ansible_collections.sluice.bluegreen.plugins.module_utils._health_args import HEALTH
from ansible_collections.sluice.bluegreen.plugins.module_utils._health_gate import run

ENDPOINT = {
    "name": {"type": "str", "required": True},
    "address": {"type": "str", "required": True},
    "port": {"type": "int"},
    "container": {"type": "str"},
    "color": {"type": "str"},
    "capacity": {"type": "float"},
}
HAPROXY = {
    "service": {"type": "str", "required": True},
    "socket": {"type": "path", "default": SOCKET},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "endpoints": {"type": "list", "elements": "dict", "required": True, "options": ENDPOINT},
            "health": {"type": "dict", "default": {}, "options": HEALTH, "apply_defaults": True},
            "version": {"type": "str"},
            "quorum": {"type": "str", "default": "100%"},
            "docker_socket": ENGINE,
            "haproxy": {"type": "dict", "options": HAPROXY},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module.params, once=module.check_mode)
    except SluiceError as error:
        module.fail_json(msg=str(error), **error.details)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
