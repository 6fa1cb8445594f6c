#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# check: quick
"""What is printed from the command table: the completion of three shells, as they complete, and the manual page."""
import os
import re
import shlex
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import trees
from scenario import BACKSTAY, equal, fact, finish, path, run

SHELLS = ('bash', 'zsh', 'fish')


def printed(*argv):
    return run(BACKSTAY, *argv, code=0).text


def table():
    """Command -> its options, as the help has them; '' holds those of every command."""
    found = {}
    names = re.findall(r'^  (\w[\w-]*) ', printed('help').split('commands:')[1], re.M)
    for name in names:
        own, everybody = printed('help', name).split('options of every command:')
        found[name] = re.findall(r'^  (?:-.,|   ) (--[\w-]+)', own, re.M)
        found[''] = re.findall(r'^  (?:-.,|   ) (--[\w-]+)', everybody, re.M)
    return found


def save(name, text):
    trees.write(path(name), text.encode())
    return path(name)


# ---- bash ----

BASH = '''
source "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_backstay
printf '%s\\n' "${COMPREPLY[@]}"
'''


def in_bash(script, *words):
    """What TAB offers behind the last word."""
    done = run('bash', '--norc', '-c', BASH, 'bash', script, 'backstay', *words, cwd=path('tree'), code=0,
               why='bash completes ' + shlex.join(words))
    equal(done.errors, '', 'and says nothing')
    return sorted(filter(None, done.text.splitlines()))


def bash(script, commands):
    everybody = commands['']
    equal(in_bash(script, ''), sorted([*filter(None, commands), 'help']), 'bash: first come the commands')
    equal(in_bash(script, 'pru'), ['prune'], 'bash: the rest of a command')
    equal(in_bash(script, '-r', 'repo', 'pru'), ['prune'], 'bash: the value of an option is no command')
    equal(in_bash(script, '--compression', '=', 'off', 'pru'), ['prune'], 'bash: nor is a value after "="')
    for name, own in commands.items():
        if name:
            offered = [w for w in in_bash(script, name, '--') if w.startswith('--')]
            equal(offered, sorted(own + everybody), 'bash: every option of ' + name)
    equal(in_bash(script, 'restore', 'latest', '--overwrite', 'if-'), ['if-changed', 'if-newer'], 'bash: words of an option')
    equal(in_bash(script, 'restore', '--overwrite', '='), ['always', 'if-changed', 'if-newer', 'never'],
          'bash: and after "="')
    equal(in_bash(script, 'restore', '--overwrite', '=', 'n'), ['never'], 'bash: and after "=" and a letter')
    equal(in_bash(script, '--password-file', 'a'), ['a file', 'album'], 'bash: files where a file is wanted')
    equal(in_bash(script, 'restore', '-t', 'a'), ['album'], 'bash: directories where a directory is wanted')
    equal(in_bash(script, 'backup', 'a'), ['a file', 'album'], 'bash: files to back up')
    equal(in_bash(script, 'forget', '-H', 'x', 'l'), ['latest'], 'bash: -H of forget takes a number')
    equal(in_bash(script, 'restore', 'l'), ['latest'], 'bash: a snapshot')
    equal(in_bash(script, 'completion', ''), sorted(SHELLS), 'bash: words of an operand')
    equal(in_bash(script, 'help', 'bac'), ['backup'], 'bash: help knows the commands')
    equal(in_bash(script, 'backup', '--tag', ''), [], 'bash: nothing where nothing is known')


# ---- fish and zsh ----

def in_fish(script, line):
    done = run('fish', '--no-config', '-c', 'source %s; complete -C %s' % (shlex.quote(script), shlex.quote(line)),
               cwd=path('tree'), code=0, why='fish completes ' + line)
    equal(done.errors, '', 'and says nothing')
    return sorted(row.split('\t')[0] for row in done.text.splitlines())


def fish(script, commands):
    run('fish', '-n', script, code=0)
    equal(in_fish(script, 'backstay '), sorted([*filter(None, commands), 'help']), 'fish: first come the commands')
    equal(in_fish(script, 'backstay -r repo pru'), ['prune'], 'fish: the value of an option is no command')
    for name, own in commands.items():
        if name:
            equal(in_fish(script, 'backstay %s --' % name), sorted(own + commands['']), 'fish: every option of ' + name)
    equal(in_fish(script, 'backstay restore --overwrite n'), ['never'], 'fish: words of an option')
    equal(in_fish(script, 'backstay restore -t a'), ['album/'], 'fish: directories where a directory is wanted')
    equal(in_fish(script, 'backstay completion '), sorted(SHELLS), 'fish: words of an operand')


def zsh(script, commands):
    run('zsh', '-n', script, code=0)
    # _arguments is asked for what it was given, for there is no terminal
    spy = '''
        compdef() { : }
        _arguments() { state=operands; print -rl -- "$@" }
        source "$1"
        words=("$2")
        _backstay
    '''
    for name, own in commands.items():
        if not name:
            continue
        spec = run('zsh', '-f', '-c', spy, 'zsh', script, name, code=0).text
        known = set(re.findall(r'^(?:\([^)]*\)|\*)?(--[\w-]+)', spec, re.M))
        equal(sorted(known), sorted(set(own + commands[''])), 'zsh: every option of ' + name)


# ---- the manual page ----

def manual(commands):
    page = save('backstay.1', printed('manual'))
    done = run('mandoc', '-T', 'lint', '-W', 'style', page)
    # whether other pages are installed is no matter of this one
    problems = [row for row in done.text.splitlines() if page in row and 'referenced manual not found' not in row]
    equal(problems, [], 'mandoc finds nothing wrong with the manual page')
    done = run('man', '--warnings', '-l', page, code=0)
    equal(done.errors, '', 'nor does groff')
    plain = run('mandoc', '-T', 'ascii', page, code=0).text
    plain = re.sub('.\b', '', plain)
    for name, own in commands.items():
        section = plain if not name else plain.split('backstay %s' % name, 1)[-1]
        missing = [option for option in own if option not in section]
        equal(missing, [], 'the manual page knows every option of ' + (name or 'all commands'))
    fact('manual' not in commands, 'the command that prints it is not in the help')


def main():
    commands = table()
    fact(len(commands) > 5, 'the help lists commands', commands)
    os.makedirs(path('tree/album'))
    trees.write(path('tree/a file'), b'x')
    scripts = {shell: save('backstay.' + shell, printed('completion', shell)) for shell in SHELLS}
    bash(scripts['bash'], commands)
    fish(scripts['fish'], commands)
    zsh(scripts['zsh'], commands)
    run('shellcheck', '-s', 'bash', scripts['bash'], code=0)
    manual(commands)
    run(BACKSTAY, 'completion', 'tcsh', code=1)
    run(BACKSTAY, 'completion', code=1)
    finish()


main()
