#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# For the scripts beside it, which read it as /facts.sh in their virtual machine: a command is a fact. They begin with failed=0.

fact() # NAME COMMAND...
{
    name=$1
    shift
    if "$@"; then echo "ok $name"; else
        echo "not ok $name"
        failed=$((failed + 1))
    fi
}
now() { echo "# $(cut -d. -f1 /proc/uptime) s: $1"; }
