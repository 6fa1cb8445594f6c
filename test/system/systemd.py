#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick
"""The units below deploy/systemd: systemd understands every line, and what they leave open is little."""
import glob
import os
import re
import shlex
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from scenario import BACKSTAY, TOP, fact, finish, path, run

EXPOSURE_MAX = 2.0
UNITS = sorted(glob.glob(TOP + '/deploy/systemd/*.service'))


def text(file):
    with open(file, encoding='utf-8') as f:
        return f.read()


def commands_exist(name, unit):
    for line in re.findall(r'^Exec\w+=(/usr/local/bin/backstay .*)$', unit, re.M):
        words = [w for w in shlex.split(line)[1:] if w[0] not in '-$']
        listed = run(BACKSTAY, 'help', words[0], code=0).text
        fact(all(re.search(r'\b%s\b' % w, listed) for w in words), name + ' calls a command that there is', line)


def main():
    fact(UNITS, 'there are units')
    for file in UNITS:
        name, unit = os.path.basename(file), text(file)
        # the program is not installed where the unit has it
        there = path(name)
        with open(there, 'w', encoding='utf-8') as f:
            f.write(unit.replace('/usr/local/bin/backstay', BACKSTAY))
        checked = run('systemd-analyze', 'verify', '--man=no', there, code=0, why=name + ' is a unit')
        fact(not checked.all.strip(), 'and nothing in it is unknown', checked.all)
        scored = run('systemd-analyze', 'security', '--offline=true', there, code=0).text
        level = re.search(r'exposure level for \S+ (\d+\.\d+)', scored)
        fact(level and float(level[1]) <= EXPOSURE_MAX, 'it leaves little open', scored[-300:])
        commands_exist(name, unit)
    finish()


main()
