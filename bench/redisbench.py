# SPDX-License-Identifier: Apache-2.0
"""bench/run redis: a copy of a whole server, beside what the server sends to a replica of its own and to redis-cli --rdb."""
import os
import shlex
import shutil
import subprocess
import sys
import time

from daemon import free_port
from measuring import BACKSTAY, PASSWORD, RUNS, Measured, measure, needed, size_of

# Per kibi-key: texts, numbers, hashes, lists, sets, sorted sets and streams, as applications have them; of the texts half is noise.
FILL = """
local from, to, salt = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local function word(i) return redis.sha1hex(salt .. i) end
local function noise(i, n)
    local out = {}
    for k = 1, n do out[k] = string.gsub(redis.sha1hex(salt .. i .. ':' .. k), '..', function(h) return string.char(tonumber(h, 16)) end) end
    return table.concat(out)
end
for i = from, to do
    local kind = i % 16
    if kind < 6 then redis.call('SET', 'session:' .. i, '{"user":' .. i .. ',"name":"' .. word(i) .. '","roles":["reader","writer"],"seen":1700' .. i .. '}')
    elseif kind < 8 then redis.call('SET', 'page:' .. i, noise(i, 60))
    elseif kind == 8 then redis.call('SET', 'text:' .. i, string.rep('line of ' .. word(i) .. ' and more\\n', 40))
    elseif kind == 9 then redis.call('SET', 'count:' .. i, i * 7)
    elseif kind < 12 then for f = 1, 12 do redis.call('HSET', 'user:' .. i, 'field' .. f, word(i * f)) end
    elseif kind == 12 then for f = 1, 20 do redis.call('RPUSH', 'queue:' .. i, word(i + f)) end
    elseif kind == 13 then for f = 1, 20 do redis.call('SADD', 'tags:' .. i, word(i + f)) end
    elseif kind == 14 then for f = 1, 20 do redis.call('ZADD', 'rank:' .. i, i * f / 7, word(f)) end
    else for f = 1, 10 do redis.call('XADD', 'log:' .. i, '*', 'level', 'info', 'text', word(i * f)) end end
end
"""
PIECE = 1000  # keys with one call


class Server:
    def __init__(self, directory, name, port, *options):
        self.dir = os.path.join(directory, name)
        os.makedirs(self.dir)
        self.socket = self.dir + '/s'
        with open(self.dir + '/log', 'ab') as log:
            self.process = subprocess.Popen(['redis-server', '--port', str(port), '--unixsocket', self.socket, '--dir', self.dir, '--save', '', *options],
                                            stdout=log, stderr=log)
        while subprocess.run(['redis-cli', '-s', self.socket, 'ping'], capture_output=True, check=False).stdout != b'PONG\n':
            if self.process.poll() is not None:
                sys.exit('bench: redis-server does not start; see %s/log' % self.dir)
            time.sleep(.02)

    def ask(self, *words, text=''):
        return subprocess.run(['redis-cli', '-s', self.socket, *words], input=text, check=True, capture_output=True, text=True).stdout

    def stop(self):
        """Returns what the process used."""
        self.process.kill()
        return os.wait4(self.process.pid, 0)[2]


def fill(server, keys, salt, step=1):
    """Every step-th piece of so many keys; the others stay as they are."""
    sha = server.ask('-x', 'script', 'load', text=FILL).strip()
    said = server.ask(text=''.join('evalsha %s 0 %d %d %s\n' % (sha, at, min(at + PIECE, keys) - 1, salt) for at in range(0, keys, PIECE * step)))
    if 'ERR' in said:
        sys.exit('bench: ' + said)


def replicate(directory, master):
    """A real replica, which begins with nothing, until it is one: what it gets lies in its memory then."""
    started = time.monotonic()
    server = Server(directory, 'replica', 0, '--replicaof', '127.0.0.1 %d' % master)
    while 'master_link_status:up' not in server.ask('info', 'replication'):
        time.sleep(.02)
    wall = time.monotonic() - started
    usage = server.stop()
    shutil.rmtree(server.dir)
    return Measured(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def redis(directory, table, keys):
    for program in ('redis-server', 'redis-cli'):
        needed(program)
    repo, saved, port = directory + '/repo', directory + '/saved.rdb', free_port()
    env = {**os.environ, 'BACKSTAY_PASSWORD': PASSWORD, 'BACKSTAY_REPOSITORY': repo, 'XDG_CACHE_HOME': directory + '/cache'}
    ours = '%s backup -q redis://127.0.0.1:%d' % (shlex.quote(BACKSTAY), port)
    server = Server(directory, 'server', port, '--repl-diskless-sync-delay', '0')
    try:
        fill(server, keys, 'first')

        def work(name, again):
            before = size_of(repo)
            measured = measure(ours, env)
            measured.stored = size_of(repo) - before
            table.add(name, 'backstay', measured)
            if not again:
                table.add(name, 'redis-cli', measure('redis-cli -p %d --rdb %s' % (port, shlex.quote(saved)), env))
                table.add(name, 'replica', replicate(directory, port))
        for n in range(RUNS):
            for how, diskless in (('', 'yes'), (", over the server's disk", 'no')):
                server.ask('config', 'set', 'repl-diskless-sync', diskless)
                shutil.rmtree(repo, ignore_errors=True)
                shutil.rmtree(directory + '/cache', ignore_errors=True)
                measure(shlex.quote(BACKSTAY) + ' init', env)
                work('first copy' + how, False)
                work('unchanged' + how, True)
                fill(server, keys, 'round%d%s' % (n, diskless), 100)
                work('after 1 % changed' + how, True)
        size = os.path.getsize(saved)
    finally:
        server.stop()
    return '%d keys, a file of %d MiB. The CPU time of the server that sends is not counted.' % (keys, size >> 20)
