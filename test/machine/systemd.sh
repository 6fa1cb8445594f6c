#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs in the virtual machine of test/system/systemd_machine.py, as a unit of its systemd, with busybox's shell. States facts.

# Nothing here says how long something may take but this: the machine is emulated, and what emulates it is busy.
PATIENCE_S=150
STATE=/var/lib/backstay
export LC_ALL=C
failed=0
. /facts.sh

is() { [ "$1" = "$2" ] || { echo "got $1, want $2"; false; }; }
in_time() # COMMAND...
{
    end=$(($(cut -d. -f1 /proc/uptime) + PATIENCE_S))
    until "$@"; do
        [ "$(cut -d. -f1 /proc/uptime)" -lt $end ] || { echo "in vain: $*"; return 1; }
        sleep 0.2
    done
}
gone() { [ ! -e "$1" ]; }
there() { [ -e "$1" ]; }

of() { systemctl show -P "$2" "$1"; }
# PID: of the one before
started_anew()
{
    new=$(of backstay MainPID)
    [ "$new" != 0 ] && [ "$new" != "$1" ] && [ "$(of backstay ActiveState)" = active ]
}
said() { journalctl -q --no-pager --sync >/dev/null 2>&1; journalctl -q --no-pager -u "$1" | grep -q "$2"; }
# UNIT: whose process it is, and what that may do
limited() { grep -E '^(Uid|CapEff|CapBnd|NoNewPrivs|Seccomp):' "/proc/$(of "$1" MainPID)/status" | awk '{ printf "%s ", $2 }'; }
LIMITED='990 0000000000000000 0000000000000000 1 2 '
may_write() { nsenter -t "$(of "$1" MainPID)" -m touch "$2" 2>/dev/null; }

ask() { perl -e 'socket(S, 1, 1, 0); connect(S, pack("S a108", 1, "/run/backstay/control.sock")) or die "$!"; syswrite(S, "$ARGV[0]\n"); print scalar <S>' "$1"; }
unit() { systemctl list-units --plain --no-legend 'backstay-run@*' | cut -d' ' -f1; }
no_unit() { [ -z "$(unit)" ]; }
# SCHEDULE FILE: a run of it, up to where it makes that
begin()
{
    rm -f "$STATE/$2"
    ask '{"op":"run","schedule":"'"$1"'"}' >/tmp/out
    in_time there "$STATE/$2" || { cat /tmp/out; backstay status; }
    run=$(unit)
    main=$(of "$run" MainPID)
}
# SCHEDULE STATE: of its last run
result() { backstay status | grep -q "^$1 .* $2 "; }

now booted
chown -R backstay:backstay /repo
sed 's/repository: main/repository: mian/' /etc/backstay/backstay.yaml >/tmp/wrong
mv /etc/backstay/backstay.yaml /tmp/right
cp /tmp/wrong /etc/backstay/backstay.yaml
systemctl start backstay 2>/dev/null
fact 'a daemon that cannot start is one that has not started' [ $? != 0 ]
fact 'and the journal says why' in_time said backstay 'there is no "mian"'
systemctl stop backstay
mv /tmp/right /etc/backstay/backstay.yaml

now start
fact 'it starts' systemctl start backstay
fact 'and is ready then' backstay healthcheck
fact 'which it says itself' is "$(of backstay StatusText)" '2 schedules, 0 runs under way'
fact 'as its user, with no capability, and a filter of system calls' is "$(limited backstay)" "$LIMITED"
fact 'its directories are its own' is "$(stat -c '%U %a' $STATE /var/cache/backstay /run/backstay | sort -u)" 'backstay 700'
fact 'elsewhere it writes nothing' is "$(may_write backstay /repo/x; echo $?) $(may_write backstay /etc/x; echo $?) $(may_write backstay $STATE/x; echo $?)" '1 1 0'

now "a run"
begin slow began
fact 'a run is a unit of its own' grep -q "/$run$" "/proc/$main/cgroup"
fact 'with the rights of that' is "$(limited "$run")" "$LIMITED"
fact 'which writes where its drop-in says' is "$(may_write "$run" /repo/x; echo $?) $(may_write "$run" /etc/x; echo $?)" '0 1'
rm /repo/x
daemon=$(of backstay MainPID)
systemctl kill -s KILL backstay
fact 'a daemon that is killed is started again' in_time started_anew "$daemon"
fact 'its run goes on' is "$(of "$run" MainPID)" "$main"
fact 'it is stopped and started' systemctl restart backstay
fact 'its run goes on' is "$(of "$run" MainPID)" "$main"
mkdir -p /srv
touch /srv/go
fact 'to its end' in_time no_unit
fact 'the daemon knows, and the repository took the credential for its password' in_time result slow succeeded

now "a run that is stopped"
rm /srv/go
begin slow began
rm $STATE/became
fact 'a run is stopped' systemctl stop "$run"
fact 'ends cleanly, with its hooks' is "$(cat $STATE/became)" cancelled
fact 'and is cancelled' in_time result slow cancelled

now "a run that is killed"
begin still paused
left=$(cat $STATE/left)
fact 'a run pauses others' there "/proc/$left"
kill -KILL "$main"
fact 'killed, it leaves one who lets them go on' in_time gone $STATE/paused
fact 'what its hooks had left ends' in_time gone "/proc/$left"
fact 'with its unit' in_time no_unit
fact 'and it has failed' in_time result still failed

now reload
sed 's/^  still:/  another:/' /etc/backstay/backstay.yaml >/tmp/new
cp /tmp/new /etc/backstay/backstay.yaml
daemon=$(of backstay MainPID)
fact 'it reads its configuration again' systemctl reload backstay
fact 'and has it' in_time eval 'backstay status | grep -q ^another'
fact 'in the same process' is "$(of backstay MainPID)" "$daemon"

now stop
fact 'it is stopped' systemctl stop backstay
fact 'cleanly' is "$(of backstay Result) $(of backstay ActiveState)" 'success inactive'
fact 'and takes its socket along' gone /run/backstay

now watchdog
mkdir -p /run/systemd/system/backstay.service.d
printf '[Service]\nWatchdogSec=8\n' >/run/systemd/system/backstay.service.d/watchdog.conf
systemctl daemon-reload
systemctl start backstay
daemon=$(of backstay MainPID)
kill -STOP "$daemon"
fact 'a daemon that hangs is ended, and started again' in_time started_anew "$daemon"
fact 'by the watchdog' in_time said backstay 'Watchdog timeout'
[ $failed = 0 ] || journalctl -q --no-pager -u 'backstay*' | tail -80
now end
exit $failed
