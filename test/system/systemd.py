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
SOCKETS = sorted(glob.glob(TOP + '/deploy/systemd/*.socket'))


def text(file):
    with open(file, encoding='utf-8') as f:
        return f.read()


def commands_exist(name, unit):
    for line in re.findall(r'^Exec\w+=(/usr/local/bin/backstay .*)$', unit, re.M):
        words = [w for w in shlex.split(line)[1:] if w[0] not in '-$']
        listed = run(BACKSTAY, 'help', words[0], code=0).text
        fact(all(re.search(r'\b%s\b' % w, listed) for w in words), name + ' calls a command that there is', line)


def put(file):
    """The program is not installed where the unit has it."""
    there = path(os.path.basename(file))
    with open(there, 'w', encoding='utf-8') as f:
        f.write(text(file).replace('/usr/local/bin/backstay', BACKSTAY))
    return there


def verify(name, there):
    checked = run('systemd-analyze', 'verify', '--man=no', there, code=0, why=name + ' is a unit')
    fact(not checked.all.strip(), 'and nothing in it is unknown', checked.all)


def directories_of_their_own():
    """systemd gives a directory to the user of the unit that was started last, with all that is in it."""
    users = {}
    for file in UNITS:
        user = re.search(r'^User=(\S+)$', text(file), re.M)[1]
        for kind, name in re.findall(r'^(Runtime|State|Cache)Directory=(\S+)$', text(file), re.M):
            users.setdefault((kind, name), set()).add(user)
    fact(users and all(len(u) == 1 for u in users.values()), 'no directory is made for two users', users)


def main():
    fact(UNITS and SOCKETS, 'there are units')
    there = {file: put(file) for file in UNITS + SOCKETS}  # all at once: they need each other
    for file in UNITS:
        name = os.path.basename(file)
        verify(name, there[file])
        scored = run('systemd-analyze', 'security', '--offline=true', there[file], code=0).text
        level = re.search(r'exposure level for \S+ (\d+\.\d+)', scored)
        fact(level and float(level[1]) <= EXPOSURE_MAX, 'it leaves little open', scored[-300:])
        commands_exist(name, text(file))
        fact(not re.search(r'^RestrictSUIDSGID=(?!no)', text(file), re.M),
             'it leaves openat2(2), which RestrictSUIDSGID takes away: no directory would be a repository')
    for file in SOCKETS:
        name = os.path.basename(file)
        verify(name, there[file])
        fact(re.search(r'^SocketMode=0600$', text(file), re.M), 'not everybody may use ' + name)
    directories_of_their_own()
    finish()


main()
