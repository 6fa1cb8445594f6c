# SPDX-License-Identifier: Apache-2.0
"""A virtual machine with Debian's kernel, for what this one's may lack (the device mapper): an initramfs with busybox,
some modules, some programs with their libraries, and a script that states facts on the console.

It is emulated (TCG), so every instruction counts: seconds to boot, and no processor but one.
"""
import atexit
import fcntl
import glob
import os
import re
import shutil
import subprocess
import sys
import threading
import time

from scenario import TOP, WORK, fact, say

INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/usr/sbin:/bin HOME=/tmp
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mount -t tmpfs -o size=75% tmp /tmp; mount -t tmpfs run /run
while read -r module options; do insmod /modules/$module.ko $options; done </modules/order
sh /script
echo "# the end: $?"
poweroff -f
"""


def package():
    """The kernel for virtual machines that Debian has at the moment."""
    for command in ['true'], ['apt-get', 'update', '-qq']:
        subprocess.run(command, check=True)
        shown = subprocess.run(['apt-cache', 'depends', 'linux-image-cloud-amd64'], stdout=subprocess.PIPE, check=False, text=True).stdout
        found = re.search(r'Depends: (linux-image-\S+)', shown)
        if found:
            return found[1]
    sys.exit('guest: apt knows no linux-image-cloud-amd64')


def fetch(place):
    fetched = os.path.join(WORK, 'deb')
    os.mkdir(fetched)
    subprocess.run(['apt-get', 'download', '-q', package()], cwd=fetched, stdout=subprocess.DEVNULL, check=True)
    for name in os.listdir(fetched):
        shutil.move(os.path.join(fetched, name), os.path.join(place, name))


def kernel():
    """That kernel, kept for the next time, unpacked but not installed."""
    place = os.path.join(TOP, 'build-check', 'guest')
    os.makedirs(place, exist_ok=True)
    with open(place + '/lock', 'w', encoding='utf-8') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another scenario may want it, too
        if not glob.glob(place + '/*.deb'):
            fetch(place)
    unpacked = os.path.join(WORK, 'kernel')
    subprocess.run(['dpkg', '-x', sorted(glob.glob(place + '/*.deb'))[-1], unpacked], check=True)
    return unpacked


def copy_program(source, target, root):
    os.makedirs(os.path.dirname(root + target), exist_ok=True)
    shutil.copy(source, root + target)
    listed = subprocess.run(['ldd', source], stdout=subprocess.PIPE, check=True, text=True).stdout
    for library in re.findall(r'/\S+\.so\S*', listed):
        if not os.path.exists(root + library):
            os.makedirs(os.path.dirname(root + library), exist_ok=True)
            shutil.copy(library, root + library)


def initramfs(unpacked, programs, links, files, trees, modules, script):
    root = os.path.join(WORK, 'root')
    for directory in 'bin dev etc mnt modules proc run sys tmp usr/sbin var/tmp'.split():
        os.makedirs(os.path.join(root, directory))
    shutil.copy(shutil.which('busybox'), root + '/bin/busybox')
    for source, target in programs.items():
        copy_program(source, target, root)
    for name, target in links.items():
        os.symlink(target, root + name)
    for source, target in trees.items():
        shutil.copytree(source, root + target)
    for module in modules:
        found = glob.glob('%s/lib/modules/*/kernel/**/%s.ko' % (unpacked, module.split()[0]), recursive=True)
        shutil.copy(found[0], root + '/modules/')
    shutil.copy(script, root + '/script')
    shutil.copy(os.path.dirname(script) + '/facts.sh', root)
    for name, text in {'/init': INIT, '/modules/order': '\n'.join(modules) + '\n', '/etc/passwd': 'root:x:0:0::/tmp:/bin/sh\n', **files}.items():
        os.makedirs(os.path.dirname(root + name), exist_ok=True)
        with open(root + name, 'w', encoding='utf-8') as f:
            f.write(text)
    os.chmod(root + '/init', 0o755)
    image = os.path.join(WORK, 'initramfs')
    with open(image, 'wb') as f:
        # unpacking it is emulated, too
        subprocess.run('find . | busybox cpio -o -H newc', shell=True, cwd=root, stdout=f, stderr=subprocess.DEVNULL, check=True)
    return image


def run(programs, links, files, trees, modules, script, memory, timeout, options=''):
    """Boots it and shows its console. Facts of the guest are facts of the scenario. options: more of the kernel's command line.
    Another /init among the files is one of those who end by '# the end: STATUS'."""
    unpacked = kernel()
    image = initramfs(unpacked, programs, links, files, trees, modules, script)
    started = time.monotonic()
    guest = subprocess.Popen(['qemu-system-x86_64', '-accel', 'tcg', '-cpu', 'max', '-m', str(memory), '-nographic',
                              '-no-reboot', '-nic', 'none', '-kernel', glob.glob(unpacked + '/boot/vmlinuz-*')[0], '-initrd', image,
                              '-append', 'console=ttyS0 loglevel=1 panic=-1 no_timer_check ' + options],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    atexit.register(guest.kill)
    limit = threading.Timer(timeout, guest.kill)
    limit.daemon = True
    limit.start()
    ended = False
    for line in guest.stdout:
        text = line.decode(errors='replace').strip()
        ended = ended or text == '# the end: 0'
        stated = re.fullmatch(r'(not )?ok (.*)', text)
        if stated:
            fact(not stated[1], stated[2])
        else:
            sys.stdout.write('    ' + text + '\n')
    guest.wait()
    say('%.0f s' % (time.monotonic() - started))
    fact(ended, 'the guest came to its end')
