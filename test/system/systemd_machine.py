#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=600
"""The daemon and its runs as units of a real systemd, in a virtual machine. What is tried: test/machine/systemd.sh."""
import glob
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import guest
from scenario import BACKSTAY, PASSWORD, TOP, Repo, finish

UNITS = '/lib/systemd/system/'
# of Debian's, what ours name, and the journal
DEBIANS = ['%s.target' % x for x in ('sysinit', 'basic', 'sockets', 'shutdown', 'umount', 'final', 'local-fs', 'network-online', 'network', 'time-sync',
                                     'multi-user')] + ['systemd-journald.service', 'systemd-journald.socket', 'systemd-journald-dev-log.socket']
SYSTEMD = ['/lib/systemd/systemd', '/lib/systemd/systemd-journald']
PROGRAMS = {BACKSTAY: '/usr/local/bin/backstay', **{x: x for x in SYSTEMD}, **{shutil.which(x): '/usr/bin/' + x for x in ('systemctl', 'journalctl', 'perl')}}
INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
exec /lib/systemd/systemd
"""
PROOF = """[Unit]
After=sockets.target systemd-journald.service
Wants=sockets.target systemd-journald.service
[Service]
Type=oneshot
TimeoutStartSec=infinity
Environment=PATH=/usr/local/bin:/usr/sbin:/usr/bin:/bin HOME=/tmp
ExecStart=/bin/sh -c 'sh /script >/dev/console 2>&1; echo "# the end: $?" >/dev/console; poweroff -f'
"""
CONFIG = """
repositories:
  main: {location: /repo, password: "cred://repo-password"}
sources:
  small: {paths: [/etc/backstay/small]}
schedules:
  slow: {sources: [small], repository: main, cron: "0 3 1 1 *", hooks: {
    before: ["touch $STATE_DIRECTORY/began; while test ! -e /srv/go; do sleep 0.2; done"],
    after: ["echo $BACKSTAY_STATE >$STATE_DIRECTORY/became"]}}
  still: {sources: [small], repository: main, cron: "0 3 1 1 *", consistency: group, pause_limit: 10m, hooks: {
    before: ["sleep 1000 & echo $! >$STATE_DIRECTORY/left"],
    pause: ["touch $STATE_DIRECTORY/paused; sleep 1000"],
    resume: ["sleep 1; rm $STATE_DIRECTORY/paused"]}}
"""
# as the guide says: what the sources need
DROP_IN = """[Service]
LoadCredential=repo-password:/etc/backstay/repo-password
"""


def text(file):
    with open(file, encoding='utf-8') as f:
        return f.read()


def main():
    repo = Repo.named('repo')
    repo.init()
    files = {UNITS + x: text(UNITS + x) for x in DEBIANS}
    files.update({'/etc/systemd/system/' + os.path.basename(x): text(x) for x in glob.glob(TOP + '/deploy/systemd/backstay*')})
    files.update({
        '/init': INIT, '/etc/systemd/system/proof.service': PROOF, '/etc/machine-id': '%032x\n' % 1, '/etc/os-release': 'ID=debian\n',
        '/etc/passwd': 'root:x:0:0::/root:/bin/sh\nbackstay:x:990:990::/nonexistent:/bin/false\n', '/etc/group': 'root:x:0:\nbackstay:x:990:\n',
        '/etc/backstay/backstay.yaml': CONFIG, '/etc/backstay/small': 'content\n' * 1000, '/etc/backstay/repo-password': PASSWORD,
        '/etc/systemd/system/backstay.service.d/local.conf': DROP_IN,
        '/etc/systemd/system/backstay-run@.service.d/local.conf': DROP_IN + 'ReadWritePaths=/repo\n'})
    guest.run(PROGRAMS, {}, files, {repo.path: '/repo', '/usr/share/zoneinfo/Etc': '/usr/share/zoneinfo/Etc'}, [], TOP + '/test/machine/systemd.sh', memory=1024, timeout=500,
              options='systemd.unit=proof.service systemd.show_status=no quiet')
    finish()


main()
