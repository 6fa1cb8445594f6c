# SPDX-License-Identifier: Apache-2.0
"""A throw-away PostgreSQL for a scenario, and what tells whether two databases are equal."""
import hashlib
import os
import re
import shlex
import subprocess
import urllib.parse

from scenario import TOP, fact, path, say

TOOL = TOP + '/scripts/throwaway-postgres'


def place(database):
    """A bare name with a "=" in it would be read as a connection string."""
    return "dbname='%s'" % database.replace('\\', '\\\\').replace("'", "\\'")


class Postgres:
    """with Postgres('name') as server: ... ; extra settings are lines of postgresql.conf."""

    def __init__(self, name='pg', *settings):
        self.dir, self.settings = path(name), settings

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        subprocess.run([TOOL, 'stop', self.dir], check=False)

    def start(self):
        done = subprocess.run([TOOL, 'start', self.dir, *self.settings], check=True, capture_output=True, text=True)
        self.port = dict(shlex.split(line)[0].split('=', 1) for line in done.stdout.splitlines())['PGPORT']

    def halt(self):
        subprocess.run([TOOL, 'halt', self.dir], check=True)

    def url(self, database='', user='postgres', tcp=False, password=''):
        """By the socket, or by TCP."""
        who = urllib.parse.quote(user) + (':' + urllib.parse.quote(password, safe='') if password else '')
        name = urllib.parse.quote(database, safe='')
        if tcp:
            return 'postgresql://%s@127.0.0.1:%s/%s' % (who, self.port, name)
        return 'postgresql://%s@/%s?host=%s&port=%s' % (who, name, urllib.parse.quote(self.dir, safe=''), self.port)

    def env(self):
        return {**os.environ, 'PGHOST': self.dir, 'PGPORT': self.port, 'PGUSER': 'postgres', 'PGOPTIONS': '-c TimeZone=UTC'}

    def sql(self, database, text, check=True):
        done = subprocess.run(['psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', place(database), '-f', '-'], input=text.encode(),
                              env=self.env(), capture_output=True, check=False)
        if check and done.returncode:
            raise RuntimeError(done.stderr.decode())
        return done.stdout.decode().rstrip('\n')

    def session(self, database, text):
        """One that stays until it is killed; the text, which gives a row, is done."""
        process = subprocess.Popen(['psql', '-XqAt', '-d', place(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.env())
        process.stdin.write(text.encode() + b'\n')
        process.stdin.flush()
        process.stdout.readline()
        return process

    def create(self, database, text=''):
        self.sql('postgres', 'create database %s;' % quoted(database))
        if text:
            self.sql(database, text)

    def sample(self, database, scale=1):
        self.create(database)
        subprocess.run(['psql', '-Xq', '-v', 'scale=%s' % scale, '-d', database, '-f', TOP + '/scripts/sample-database.sql'],
                       env=self.env(), check=True, stdout=subprocess.DEVNULL)

    def dump(self, database, *options):
        """pg_dump's text; tables sorted by nothing but pg_dump, so it is for schemas and small data."""
        done = subprocess.run(['pg_dump', *options, '-d', place(database)], env=self.env(), check=True, capture_output=True)
        # two lines of newer releases hold a random word
        return re.sub(rb'(?m)^\\(un)?restrict .*$', b'', done.stdout)

    def tables(self, database):
        names = self.sql(database, """
            select quote_ident(n.nspname) || '.' || quote_ident(c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where c.relkind in ('r', 'm') and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast') order by 1""")
        return names.split('\n') if names else []

    def contents(self, database):
        """table -> (rows, hash of all rows), and large objects."""
        found = {}
        for name in self.tables(database):
            rows = self.sql(database, "select count(*), md5(coalesce(string_agg(h, '' order by h), '')) "
                                      'from (select md5(t::text) h from %s t) x' % name)
            found[name] = rows
        found['large objects'] = self.sql(database, "select string_agg(oid || ' ' || md5(lo_get(oid)), ',' order by oid) "
                                                    'from pg_largeobject_metadata')
        return found


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def same_database(one, a, other, b, name):
    """The schema as pg_dump writes it, and every row."""
    left, right = one.dump(a, '--schema-only'), other.dump(b, '--schema-only')
    good = fact(left == right, name + ': the schema is the same', first_difference(left, right))
    left, right = one.contents(a), other.contents(b)
    wrong = ['%s: %s, not %s' % (t, right.get(t), left.get(t)) for t in sorted(set(left) | set(right)) if left.get(t) != right.get(t)]
    say(name, 'tables', len(left))
    return fact(not wrong, name + ': every row of every table is the same', '\n'.join(wrong)) and good


def first_difference(left, right):
    for a, b in zip(left.splitlines(), right.splitlines()):
        if a != b:
            return '%r\n%r' % (a, b)
    return 'lengths %d and %d' % (len(left), len(right))


def sha256(data):
    return hashlib.sha256(data).hexdigest()
