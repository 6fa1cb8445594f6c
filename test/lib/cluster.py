# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL cluster of any release that a test makes, promotes and copies: what scripts/throwaway-postgres does not
do. The release's own directory needs initdb, pg_ctl and postgres only; psql is Debian's."""
import os
import pwd
import shutil
import socket
import struct
import subprocess

PASSED_DOWN = ('PATH', 'LD_LIBRARY_PATH', 'LANG')


def debian_bin():
    """The newest release that is installed."""
    top = '/usr/lib/postgresql'
    return '%s/%s/bin' % (top, max(os.listdir(top), key=float))


def as_postgres():
    """PostgreSQL does not run as root."""
    return ['setpriv', '--reuid=postgres', '--regid=postgres', '--init-groups', '--'] if os.geteuid() == 0 else []


def hand_over(path):
    if os.geteuid() == 0:
        owner = pwd.getpwnam('postgres')
        os.chown(path, owner.pw_uid, owner.pw_gid)


class Cluster:
    def __init__(self, directory, bin=None):
        self.dir, self.bin = directory, bin or debian_bin()
        self.data, self.archive = directory + '/data', directory + '/archive'
        self.socket = directory
        self.running = False

    def run(self, *argv, **more):
        env = {k: v for k, v in os.environ.items() if k in PASSED_DOWN}
        return subprocess.run([*as_postgres(), *argv], check=True, stdout=subprocess.DEVNULL, cwd=self.dir,
                              env={**env, 'LC_ALL': 'C', 'TZ': 'UTC'}, **more)

    def tool(self, name, *argv):
        """A program of the release, what it prints."""
        done = subprocess.run([*as_postgres(), self.bin + '/' + name, *argv], capture_output=True, check=False, cwd=self.dir,
                              env={'PATH': '/usr/bin:/bin', 'LC_ALL': 'C', 'TZ': 'UTC'})
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def make(self, *settings, segment_mib=1):
        for path in (self.dir, self.archive):
            os.makedirs(path, exist_ok=True)
            hand_over(path)
            os.chmod(path, 0o711)
        self.run(self.bin + '/initdb', '-D', self.data, '-U', 'postgres', '--auth=trust', '-E', 'UTF8', '--locale=C', '--no-sync',
                 '--data-checksums', '--wal-segsize=%d' % segment_mib)
        self.configure("listen_addresses = ''", "unix_socket_directories = '%s'" % self.socket, 'fsync = off',
                       'shared_buffers = 16MB', 'max_wal_size = 1GB', 'wal_level = replica', 'archive_mode = on', 'autovacuum = off',
                       self.archiving(), *settings)

    def archiving(self):
        """Who looks into the archive sees whole files."""
        return "archive_command = 'cp %%p %s/%%f- && mv %s/%%f- %s/%%f'" % (self.archive, self.archive, self.archive)

    def configure(self, *settings):
        self.run('tee', '-a', self.data + '/postgresql.conf', input='\n'.join((*settings, '')).encode())

    def start(self):
        self.run(self.bin + '/pg_ctl', '-D', self.data, '-w', '-t', '120', '-l', self.dir + '/server.log', 'start')
        self.running = True
        return self

    def stop(self, how='fast'):
        if self.running:
            self.run(self.bin + '/pg_ctl', '-D', self.data, '-w', '-t', '120', '-m', how, 'stop')
            self.running = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.stop('immediate')
        except subprocess.CalledProcessError:
            pass  # a recovery that misses its target ends the server by itself
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)

    def sql(self, text):
        done = subprocess.run(['psql', '-XqAt', '-F\t', '-v', 'ON_ERROR_STOP=1', '-h', self.socket, '-U', 'postgres', '-d', 'postgres',
                               '-f', '-'], input=text.encode(), capture_output=True, check=False,
                              env={**os.environ, 'PGOPTIONS': '-c TimeZone=UTC'})
        if done.returncode:
            raise RuntimeError(done.stderr.decode())
        return done.stdout.decode().rstrip('\n')

    def copy(self, directory):
        """Of a stopped cluster, with an archive of its own that begins with what this one holds."""
        assert not self.running
        other = Cluster(directory, self.bin)
        os.makedirs(directory)
        hand_over(directory)
        os.chmod(directory, 0o711)
        subprocess.run(['cp', '-a', self.data, self.archive, directory], check=True)
        other.configure("unix_socket_directories = '%s'" % other.socket, other.archiving())
        return other

    def recover(self, *settings, paused=None):
        """Starts, replays what its archive holds up to a target, and goes on with a timeline of its own. paused: called
        before that, when it stands at the target."""
        self.configure("restore_command = 'cp %s/%%f %%p'" % self.archive, "recovery_target_timeline = 'latest'",
                       "recovery_target_action = '%s'" % ('pause' if paused else 'promote'), *settings)
        self.run('touch', self.data + '/recovery.signal')
        self.start()
        if paused:
            while self.sql('select pg_is_wal_replay_paused()') == 'f':
                pass
            paused()
            self.sql('select pg_wal_replay_resume()')
        while self.sql('select pg_is_in_recovery()') == 't':
            pass
        return self

    def promote(self):
        """Starts as a standby without a primary and is promoted."""
        self.run('touch', self.data + '/standby.signal')
        self.start()
        self.sql('select pg_promote()')
        return self


class Replication:
    """A connection that speaks the replication protocol (PostgreSQL documentation, "Frontend/Backend Protocol")."""

    def __init__(self, cluster):
        self.link = socket.socket(socket.AF_UNIX)
        self.link.connect(cluster.socket + '/.s.PGSQL.5432')
        words = b'user\0postgres\0replication\0true\0\0'
        self.link.sendall(struct.pack('>II', len(words) + 8, 3 << 16) + words)
        self.stream = self.link.makefile('rb')
        self.until_ready()

    def message(self):
        kind, length = struct.unpack('>cI', self.stream.read(5))
        body = self.stream.read(length - 4)
        if kind == b'E':
            raise RuntimeError(body)
        return kind, body

    def until_ready(self):
        while self.message()[0] != b'Z':
            pass

    def base_backup(self, options):
        """All messages of a BASE_BACKUP: (kind, body)."""
        text = b'BASE_BACKUP ' + options.encode() + b'\0'
        self.link.sendall(b'Q' + struct.pack('>I', len(text) + 4) + text)
        while True:
            kind, body = self.message()
            if kind == b'Z':
                return
            yield kind, body

    def close(self):
        self.stream.close()
        self.link.close()
