#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick, timeout=120
"""The alert rules under promtool; rules and dashboard ask for nothing that the program does not tell."""
import glob
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from scenario import TOP, fact, finish, run

RULES = TOP + '/deploy/prometheus/backstay.rules.yml'
NAME = re.compile(r'\bbackstay_([a-z_]+)')


def names_told():
    """As the sources have them: families in the table, and those that are printed by hand."""
    text = ''
    for name in glob.glob(TOP + '/src/daemon/metrics*.c'):
        with open(name) as f:
            text += f.read()
    return set(re.findall(r'^    \{ "([a-z_]+)", (?:OF_|"gauge"|"counter")', text, re.M)) | set(re.findall(r'exposition_family\(&?to, "([a-z_]+)"', text))


told = names_told()
fact(len(told) > 20, 'the names are found in the source', sorted(told))
run('promtool', 'check', 'rules', RULES, code=0, why='promtool reads the rules')
run('promtool', 'test', 'rules', 'backstay.rules.test.yml', cwd=os.path.dirname(RULES), code=0, why='and each fires when it should, and not before')

with open(RULES) as f:
    asked = {name for line in f if not line.lstrip().startswith('#') for name in NAME.findall(line)}
fact(asked and asked <= told, 'rules ask for what is told', sorted(asked - told))

with open(TOP + '/deploy/grafana/backstay.json') as f:
    board = json.load(f)
queries = [target['expr'] for panel in board['panels'] for target in panel['targets']]
asked = {name for query in queries for name in NAME.findall(query)}
fact(asked and asked <= told, 'the dashboard, too', sorted(asked - told))
places = [(x, y) for panel in board['panels'] for x in range(panel['gridPos']['x'], panel['gridPos']['x'] + panel['gridPos']['w'])
          for y in range(panel['gridPos']['y'], panel['gridPos']['y'] + panel['gridPos']['h'])]
fact(len(places) == len(set(places)) and max(x for x, _ in places) < 24, 'its panels do not overlap')
with open(os.environ.get('WORK', '/tmp') + '/board.rules.yml', 'w') as f:
    rules = [{'record': 'board:panel%d' % i, 'expr': query.replace('$schedule', '.*')} for i, query in enumerate(queries)]
    json.dump({'groups': [{'name': 'board', 'rules': rules}]}, f)
run('promtool', 'check', 'rules', f.name, code=0, why='and every query of it can be read')
finish()
