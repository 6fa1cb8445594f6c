#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: timeout=600
"""Logical volumes under load, in a virtual machine: thick and thin ones are read from a snapshot of one moment, several of the same;
one that overflows is no backup, what a killed run left goes, and without room it is said so. What is tried: test/machine/lvm.sh."""
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import guest
from scenario import BACKSTAY, PASSWORD, TOP, Repo, finish

LVM = '/usr/sbin/lvm'
PROGRAMS = {BACKSTAY: '/bin/backstay', LVM: LVM, **{shutil.which(x): '/usr/sbin/' + x for x in ('mke2fs', 'e2fsck', 'debugfs', 'dumpe2fs')}}
LINKS = {'/usr/sbin/' + x: 'lvm' for x in ('lvcreate', 'lvremove', 'lvs', 'vgcreate', 'lvrename')}
# nobody is there who would tell of devices, nor tools that look at pools
CONFIG = """activation { udev_sync=0 udev_rules=0 monitoring=0 }
devices { obtain_device_list_from_udev=0 }
global { thin_check_executable="" }
"""
MODULES = ['dm-mod', 'dm-bufio', 'dm-snapshot', 'libcrc32c', 'dm-persistent-data', 'dm-bio-prison', 'dm-thin-pool', 'loop', 'brd rd_nr=1 rd_size=131072']

repo = Repo.named('repo')
repo.init()
guest.run(PROGRAMS, LINKS, {'/etc/lvm/lvm.conf': CONFIG, '/password': PASSWORD}, {repo.path: '/repo'}, MODULES, TOP + '/test/machine/lvm.sh',
          memory=768, timeout=500)
finish()
