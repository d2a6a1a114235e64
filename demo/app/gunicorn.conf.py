# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the sample service is served: one process, so that its metrics are one set; threads for its requests."""

bind = "0.0.0.0:8080"
worker_class = "gthread"
workers = 1
threads = 16
# Longer than a balancer keeps an idle connection: else a request can meet a connection that is just being closed.
keepalive = 75
graceful_timeout = 10
worker_tmp_dir = "/dev/shm"
