#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=1500
"""When schedules are due in every time zone there is, through twelve years, against an independent model."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from scenario import BACKSTAY, fact, finish

ORACLE = os.path.dirname(os.path.abspath(__file__)) + '/../unit/plan/cron_oracle.py'
DRIVER = os.path.dirname(BACKSTAY) + '/../test/unit/test-plan-cron-driver'


def main():
    done = subprocess.run([sys.executable, ORACLE, DRIVER], capture_output=True, text=True)
    summary = (done.stdout.splitlines() or ['nothing'])[-1]
    fact(done.returncode == 0, 'every time at which a pattern is due: ' + summary, done.stdout[-3000:] + done.stderr[-3000:])
    fact(int(summary.split()[0]) > 500, 'in all zones')
    finish()


main()
