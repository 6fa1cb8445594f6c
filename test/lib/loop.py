# SPDX-License-Identifier: Apache-2.0
"""Loop devices and mounts of a scenario, gone when it ends."""
import atexit
import os
import subprocess

from scenario import path


class Loops:
    def __init__(self):
        self.devices, self.mounts = [], []
        atexit.register(self.close)

    def attach(self, image, *options):
        done = subprocess.run(['losetup', '--find', '--show', *options, image], check=True, stdout=subprocess.PIPE)
        device = done.stdout.decode().strip()
        self.devices.append(device)
        return device

    def mount(self, device, name, *options):
        where = path(name)
        os.makedirs(where, exist_ok=True)
        subprocess.run(['mount', *options, device, where], check=True)
        self.mounts.append(where)
        return where

    def unmount(self, where):
        subprocess.run(['umount', where], check=True)
        self.mounts.remove(where)

    def detach(self, device):
        subprocess.run(['losetup', '--detach', device], check=True)
        self.devices.remove(device)

    def close(self):
        for where in reversed(self.mounts):
            subprocess.run(['fsfreeze', '--unfreeze', where], check=False, stderr=subprocess.DEVNULL)
            subprocess.run(['umount', '-l', where], check=False)
        for device in self.devices:
            subprocess.run(['losetup', '--detach', device], check=False)
        self.mounts, self.devices = [], []
