#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick
"""The names that the program reads from its environment, and those that the manual page explains, are the same."""
import glob
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from scenario import BACKSTAY, TOP, equal, fact, finish, run

NAME = r'[A-Z][A-Z0-9_]*[A-Z0-9]'
CALL = r'\b%s\(((?:[^()]|\([^()]*\))*)\)'
SECRET_FORMS = ('', '_FILE', '_COMMAND')

# Where a name is no literal of the call, and who below knows which names it can be. A new place fails here first.
COMPUTED = {
    ('codec/pattern.c', 'variable'): 'any name: the user wrote it into a file of patterns',
    ('config/fromenv.c', 'name'): 'literals',
    ('config/named.c', 'name'): 'bucket_options',
    ('config/reference.c', 'name'): 'any name: the user wrote it into the configuration',
    ('config/s3.c', 'variable'): 'bucket_options',
    ('config/s3access.c', 'name'): 'literals',
    ('config/secrets.c', 'variable'): 'secrets',
    ('config/settings.c', 'name'): 'settings',
    ('config/settings.c', 'names[i]'): 'literals',
    ('daemon/places.c', 'variable'): 'literals',
    ('op/factways.c', 'name'): 'any name: the user wrote it into the configuration',
}

# Words that look like one: what hooks are told, and a right.
NOT_READ = {'BACKSTAY_RUN', 'BACKSTAY_SCHEDULE', 'BACKSTAY_SOURCES', 'BACKSTAY_STATE', 'BACKUP_MANAGE'}

# What libraries read for us: in these functions.
LIBRARIES = {
    'g_get_user_cache_dir': {'XDG_CACHE_HOME', 'HOME'},
    'g_get_user_config_dir': {'XDG_CONFIG_HOME', 'HOME'},
    'g_get_user_state_dir': {'XDG_STATE_HOME', 'HOME'},
    'g_get_home_dir': {'HOME'},
    'g_get_tmp_dir': {'TMPDIR'},
    'localtime_r': {'TZ'},
    'g_time_zone_new_local': {'TZ'},
    'curl_easy_init': {'HTTPS_PROXY', 'https_proxy', 'http_proxy', 'ALL_PROXY', 'all_proxy', 'NO_PROXY', 'no_proxy'},
    'PQconnectStartParams': {'PGHOST', 'PGPORT', 'PGUSER', 'PGPASSWORD', 'PGPASSFILE', 'PGSERVICE',
                             'PGCONNECT_TIMEOUT'},
}


def sources():
    found = {}
    for name in sorted(glob.glob(os.path.join(TOP, 'src/**/*.c'), recursive=True)):
        with open(name, encoding='utf-8') as f:
            found[os.path.relpath(name, TOP + '/src')] = f.read()
    return found


def calls(text, function):
    """The arguments of each call; those of its definition are none."""
    found = [' '.join(arguments.split()) for arguments in re.findall(CALL % function, text)]
    return [arguments for arguments in found if 'const char' not in arguments]


def last_word(arguments):
    return re.findall(r'"(%s)"$' % NAME, arguments)


def settings(files):
    """BACKSTAY_NAME, which is RESTIC_NAME as well; a password has three forms and three infixes, and what opens a
    repository that is there may be a key file instead."""
    keys, other = set(), []
    for name, text in files.items():
        for arguments in calls(text, 'settings_env') + calls(text, 'default_from_env'):
            keys.update(last_word(arguments))
            if not last_word(arguments):
                other.append((name, arguments))
        for infix in re.findall(r'\.infix = "(\w*)"', text):
            keys.update(infix + 'PASSWORD' + form for form in SECRET_FORMS)
            keys.update([infix + 'KEY_FILE'] if infix != 'NEW_' else [])
    equal(sorted(set(other)), [('config/named.c', 'key'), ('config/password.c', 'key'), ('config/settings.c', 'key')],
          'settings are read by a literal key, passwords apart')
    return {'BACKSTAY_' + key for key in keys}


def literals(files):
    """Names in a list, and those that are asked for directly."""
    text = '\n'.join(text for name, text in files.items() if name != 'cmd/manual.c')
    listed = set(re.findall(r'"((?:BACKSTAY|RESTIC|AWS|BACKUP|SSL)_%s)"' % NAME, text))
    listed -= {'AWS_' + key for key in re.findall(r'settings_env\("AWS_(%s)"' % NAME, text)}
    return (listed - NOT_READ) | set(re.findall(r'\b(?:(?:g_get)?env|choose)\("(%s)"' % NAME, text))


def families(files):
    """Keys of a bucket that is not the repository's: each word with each infix. NAME stands for any mirror's."""
    words = set(re.findall(r'\b(?:own_name|env_own)\(infix, "(%s)"\)' % NAME, files['config/s3access.c']))
    return {'BACKSTAY_%s_S3_%s' % (infix, word) for infix in ('FROM', 'MIRROR_NAME') for word in words}


def bucket_options(files):
    table = files['config/s3.c'].split('options_known[] = {')[1].split('};')[0]
    return {'BACKSTAY_S3_' + key.upper().replace('-', '_') for key in re.findall(r'\{ "([a-z0-9-]+)",', table)}


def computed(files):
    places = {(name, argument) for name, text in files.items()
              for argument in calls(text, r'(?:g_|secure_)?getenv') if not argument.startswith('"')}
    equal(sorted(places), sorted(COMPUTED), 'every place that computes a name is known to this test')
    whole = sorted(name for name, text in files.items() if re.search(r'\b(g_get_environ|g_listenv|environ)\b', text))
    equal(whole, ['base/child.c', 'daemon/webdownload.c', 'op/runhooks.c', 'pg/passfile.c', 'source/lvmsnapshot.c'], 'the whole environment is only handed on to children')


def of_libraries(files):
    text = '\n'.join(files.values())
    unused = [function for function in LIBRARIES if function + '(' not in text]
    equal(unused, [], 'the functions of libraries that read the environment are called')
    return set().union(*LIBRARIES.values())


def manual():
    """The names of each part of ENVIRONMENT, by its title."""
    page = run(BACKSTAY, 'manual', code=0).text
    section = page.split('.Sh ENVIRONMENT\n')[1].split('.Sh ')[0]
    parts = {}
    for part in section.split('.Ss ')[1:]:
        title, _, body = part.partition('\n')
        parts[title] = [name for row in re.findall(r'^\.It Ev (.*)$', body, re.M) for name in row.split(' , ')]
    return parts


def guides(known):
    """The pages name nothing else."""
    pages = [TOP + '/README.md'] + glob.glob(TOP + '/doc/**/*.md', recursive=True)
    unknown = []
    for page in pages:
        with open(page, encoding='utf-8') as f:
            told = set(re.findall(r'\b(?:BACKSTAY|RESTIC|BACKUP|AWS)_%s\b(?![*_])' % NAME, f.read()))
        unknown += ['%s: %s' % (os.path.relpath(page, TOP), name) for name in sorted(told - known - NOT_READ)]
    equal(unknown, [], 'the pages name no variable that is not read')


def main():
    files = sources()
    parts = manual()
    named = [name for names in parts.values() for name in names]
    computed(files)
    ours, keys = settings(files), set(parts['Keys of a bucket'])
    read = ours | literals(files) | families(files) | bucket_options(files) | of_libraries(files)
    fact(len(read) > 80, 'the sources read many names', sorted(read))
    equal(sorted(n for n in named if named.count(n) > 1), [], 'the manual page explains no name twice')
    equal(sorted(read - set(named)), [], 'the manual page explains every name that is read')
    equal(sorted(set(named) - read), [], 'every name that the manual page explains is read')
    equal(sorted(ours ^ set(parts['Repository and options'])), [],
          'those that may begin with RESTIC_ are in the part that says so')
    secrets = set(re.findall(r'"(%s)"' % NAME, files['config/s3access.c'].split('families[] = {')[1].split('/* Set')[0]))
    secrets |= {name for name in families(files) if re.search('_(KEY|TOKEN|PROFILE)$', name)}
    equal(keys, {name for name in secrets if not name.endswith('_PROFILE')},
          'those that may end in _FILE or _COMMAND are in the part that says so')
    guides(read | {n.replace('BACKSTAY_', 'RESTIC_', 1) for n in ours} | {k + f for k in keys | {'BACKUP_ENCRYPTION_KEY'} for f in SECRET_FORMS})
    finish()


main()
