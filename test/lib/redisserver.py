# SPDX-License-Identifier: Apache-2.0
"""A throw-away redis-server of a scenario, and what of it can be compared."""
import atexit
import os
import subprocess
import time

import redis

import trees
from freeport import free_port
from scenario import WORK


class RedisServer:
    """In WORK/name, on a Unix socket and a port of 127.0.0.1. configuration: further lines of redis.conf."""

    def __init__(self, name, configuration='', password=None):
        self.dir = os.path.join(WORK, name)
        os.makedirs(self.dir, exist_ok=True)
        self.socket = os.path.join(self.dir, 's')
        self.port = free_port()
        self.password = password
        self.configuration = configuration
        self.process = None
        atexit.register(self.kill)
        self.start()

    def start(self, **limits):
        conf = os.path.join(self.dir, 'redis.conf')
        with open(conf, 'w', encoding='utf-8') as f:
            f.write('bind 127.0.0.1\nport %d\nunixsocket %s\ndir %s\nlogfile %s/log\nsave ""\nrepl-diskless-sync-delay 0\n%s\n'
                    % (self.port, self.socket, self.dir, self.dir, self.configuration))
        self.process = subprocess.Popen(['redis-server', conf], stdout=subprocess.DEVNULL, **limits)
        for _ in range(6000):
            try:
                self.client().ping()
                return
            except (redis.ConnectionError, redis.BusyLoadingError):
                if self.process.poll() is not None:
                    raise
                time.sleep(.02)
        raise RuntimeError('no redis-server')

    def client(self, db=0):
        return redis.Redis(unix_socket_path=self.socket, db=db, password=self.password)

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None

    @property
    def url(self):
        return 'redis://127.0.0.1:%d' % self.port

    def fill(self, n=2000):
        """All types, several databases, keys that expire late."""
        c = self.client()
        with c.pipeline(transaction=False) as p:
            for i in range(n):
                p.set('text:%d' % i, trees.noise(i, 40) * (i % 30))
            p.set(b'\x00\xff\r\n', b'')
            p.rpush('list', *range(1000))
            p.rpush('long', *('x' * 5000 for _ in range(20)))
            p.sadd('numbers', *range(100))
            p.sadd('set', *('m%d' % i for i in range(1000)))
            p.zadd('zset', {'m%d' % i: i / 7 for i in range(1000)})
            p.zadd('small', {'a': float('inf'), 'b': -1.5})
            p.hset('hash', mapping={'f%d' % i: 'v%d' % i for i in range(1000)})
            p.hset('few', mapping={'a': 1, 'b': 'y' * 3000})
            p.setex('late', 90000, 'x')
            p.pfadd('hll', *range(1000))
            for i in range(300):
                p.xadd('stream', {'f': i}, id='%d-1' % (i + 1))
            p.xgroup_create('stream', 'g', '0')
            p.execute()
        c.xreadgroup('g', 'c1', {'stream': '>'}, count=20)
        other = self.client(7)
        for i in range(50):
            other.setex('k%d' % i, 90000 + i, i)
        c.execute_command('FUNCTION', 'LOAD', "#!lua name=lib\nredis.register_function('f', function() return 1 end)")

    def content(self):
        """{(database, key): (value, moment of expiry)}. Values are what DUMP gives, but for sets and hashes, which each process
        keeps in an order of its own."""
        found = {}
        for db in range(16):
            c = self.client(db)
            for key in c.scan_iter(count=1000):
                kind = c.type(key)
                value = c.smembers(key) if kind == b'set' else c.hgetall(key) if kind == b'hash' else c.dump(key)
                found[db, key] = (value, c.execute_command('PEXPIRETIME', key))
        return found
