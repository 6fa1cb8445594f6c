#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick
"""What the pages say and a program can compare: links, folders, finding codes, exit statuses, commands."""
import glob
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from scenario import BACKSTAY, TOP, equal, fact, finish, run

PAGES = [os.path.join(TOP, name) for name in ('README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md')]
PAGES += sorted(glob.glob(os.path.join(TOP, 'doc/**/*.md'), recursive=True))


def text(*names):
    with open(os.path.join(TOP, *names), encoding='utf-8') as f:
        return f.read()


def prose(page):
    return re.sub(r'^```.*?^```', '', text(page), flags=re.M | re.S)


def anchors(page):
    titles = re.findall(r'^#+ (.*)$', prose(page), re.M)
    return {re.sub(r'[^a-z0-9 -]', '', title.lower()).replace(' ', '-') for title in titles}


def links():
    broken = []
    for page in PAGES:
        for target in re.findall(r'\]\(([^)]+)\)', prose(page)):
            file, _, anchor = target.partition('#')
            if '://' in target:
                continue
            there = os.path.normpath(os.path.join(os.path.dirname(page), file)) if file else page
            if not os.path.exists(there) or (anchor and anchor not in anchors(there)):
                broken.append('%s: %s' % (os.path.relpath(page, TOP), target))
    equal(broken, [], 'every link leads somewhere')


def index():
    missing = [p for p in glob.glob(os.path.join(TOP, 'doc/guide/*.md'))
               if 'guide/%s)' % os.path.basename(p) not in text('doc/README.md')]
    equal(missing, [], 'doc/README.md names every page of the guide')


def folders():
    arrows = re.findall(r"^  '(\w+)': \[(.*)\],$", text('src/meson.build').split('parts = {')[0], re.M)
    rows = dict(re.findall(r'^\| `(\w+)` \|[^|]*\|([^|]*)\|$', text('ARCHITECTURE.md'), re.M))
    equal(sorted(rows), sorted(name for name, _ in arrows), 'ARCHITECTURE.md has every folder of src/meson.build')
    for name, uses in arrows:
        wanted = set(re.findall(r'\w+', uses)) - {'base'}
        told = set(re.findall(r'\w+', rows.get(name, '')))
        if told != {'all', 'above'}:
            equal(told, wanted, 'and what %s may use' % name)


def codes():
    source = ''.join(text(p) for p in glob.glob(os.path.join(TOP, 'src/repo/check*.c')))
    known = set(re.findall(r'"((?:pack|blob|index|snapshot|tree|key|lock|foreign)-[a-z-]+)"', source))
    told = set(re.findall(r'`([a-z]+-[a-z-]+)`', text('doc/guide/check-and-repair.md')))
    fact(len(known) > 15, 'check has codes', known)
    equal(sorted(known - told), [], 'check-and-repair.md explains every code of check')


def statuses():
    table = re.search(r'statuses\[\] = \{(.*?)\};', text('src/base/error.c'), re.S)[1]
    known = set(re.findall(r'\] = (\d+)', table)) | {'0', '1'}
    page = text('doc/guide/exit-codes.md')
    told = set(re.findall(r'^\| (\d+) ', page, re.M)) | set(re.findall(r'(\d+) \w+', page.split('Reserved')[1].split('.')[0]))
    equal(told, known, 'exit-codes.md has every status of base/error.c')


def commands():
    names = re.findall(r'^  (\w[\w-]*) ', run(BACKSTAY, 'help', code=0).text.split('commands:')[1], re.M)
    page = text('doc/guide/json.md')
    missing = [n for n in names if not re.search(r'^\| .*`%s\b' % n, page, re.M)]
    equal(missing, [], 'json.md has every command')
    everything = ''.join(text(p) for p in PAGES)
    unknown = set(re.findall(r'^(?:[$#] )?backstay ([a-z]+)\b', everything, re.M)) - set(names) - {'help'}
    equal(sorted(unknown), [], 'no page uses a command that does not exist')
    packages = set(re.search(r'\[build\]="(.*?)"', text('scripts/install-deps'), re.S)[1].split())
    told = set(re.search(r'apt install (gcc (?:.*\\\n)*.*)', text('README.md'))[1].replace('\\\n', ' ').split())
    equal(told, packages, 'README.md names the packages that a build needs')


links()
index()
folders()
codes()
statuses()
commands()
finish()
