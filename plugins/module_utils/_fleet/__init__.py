# Copyright (c) sluice.bluegreen contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do next, decided from what every balancer of a service says. Pure.

An operation either gets a plan or a StateError that says who or what is in the way and which command leads out.
"""
