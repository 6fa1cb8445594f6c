#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs in the virtual machine of test/system/volume_lvm.py, with busybox's shell. States facts.

# The password is in /password.
export RESTIC_PASSWORD_FILE=/password REPO=/repo
failed=0
. /facts.sh

saved() { backstay -r $REPO backup "$@" >/tmp/out 2>&1; status=$?; [ $status = 0 ] || cat /tmp/out; return $status; }
refused() { ! backstay -r $REPO backup "$@" >/tmp/out 2>&1; }
said() { grep -q "$1" /tmp/out || { cat /tmp/out; false; }; }
names() { lvs --noheadings -o lv_name --select 'lv_tags=backstay' 2>/dev/null; }
ours() { names | wc -l; }
some_ours() { [ "$(ours)" = "$1" ]; }
# NAMES: how many of ours are none of these
others() { n=0; for one in $(names); do case " $(echo $1) " in *" $one "*) ;; *) n=$((n + 1)) ;; esac; done; echo $n; }
# NAME: what the newest manifest of /dev/vg0/NAME says
way() { backstay -r $REPO dump latest --path "/volume-dev%2Fvg0%2F$1" "/volume-dev%2Fvg0%2F$1/manifest.json" 2>/dev/null | grep -o '"way": *"[^"]*"\|"state": *"[^"]*"' | sed 's/"$//;s/.*"//' | tr '\n' ' '; }
count() { backstay -r $REPO snapshots --json --path "/volume-dev%2Fvg0%2F$1" 2>/dev/null | grep -o '"short_id"' | wc -l; }
is() { [ "$1" = "$2" ] || { echo "got $1, want $2"; false; }; }

# Restores the newest backup of NAME, which compares it with what was recorded, and looks at its file system: nothing to repair,
# no journal to replay, and each line of the log in its order. Sets n, the number of lines.
looked_at()
{
    rm -f /tmp/r.img
    backstay -r $REPO restore latest --path "/volume-dev%2Fvg0%2F$1" --to volume:/tmp/r.img --verify >/tmp/out 2>&1 || { cat /tmp/out; return 1; }
    e2fsck -fn /tmp/r.img >/tmp/out 2>&1 || { cat /tmp/out; return 1; }
    ! dumpe2fs -h /tmp/r.img 2>/dev/null | grep -q needs_recovery || return 1
    debugfs -R 'cat /log' /tmp/r.img 2>/dev/null >/tmp/log
    n=$(wc -l </tmp/log)
    [ "$n" -gt 0 ] && seq 1 "$n" | cmp -s - /tmp/log
}

# A line into the log of each volume in turn, each synced; and how far it is.
write_on()
{
    i=0
    while [ -e /tmp/go ]; do
        i=$((i + 1))
        for mount in "$@"; do echo $i >>"$mount/log"; sync "$mount/log"; done
        echo $i >/tmp/i.new && mv /tmp/i.new /tmp/i
        usleep 30000
    done
}
begin_writing()
{
    for mount in "$@"; do rm -f "$mount/log"; done
    rm -f /tmp/i
    touch /tmp/go
    write_on "$@" &
    writer=$!
    while [ ! -s /tmp/i ] || [ "$(cat /tmp/i)" -lt 3 ]; do usleep 10000; done
}
end_writing() { rm /tmp/go; wait $writer; }

made() # NAME LVCREATE...
{
    name=$1
    shift
    lvcreate --quiet --yes --name "$name" "$@" >/tmp/out 2>&1 && /usr/sbin/mke2fs -q -t ext4 "/dev/vg0/$name" && mkdir "/mnt/$name" &&
        mount -t ext4 "/dev/vg0/$name" "/mnt/$name" || { cat /tmp/out; exit 1; }
}

# A slow backup of both, at the moment when both of its snapshots are there; the second will not be read for a while.
begin()
{
    old=$(names)
    head -c 1500000 /dev/urandom >/mnt/a/noise
    sync
    backstay -r $REPO --limit-upload 150 backup volume:/dev/vg0/a volume:/dev/vg0/b >/tmp/slow 2>&1 &
    slow=$!
    while kill -0 $slow && [ "$(others "$old")" != 2 ]; do :; done
}

now booted
vgcreate --quiet vg0 /dev/ram0 >/dev/null
made a --size 24M vg0
made b --size 24M vg0

now "a thick volume"
begin_writing /mnt/a
before=$(cat /tmp/i)
fact 'a mounted volume is saved while somebody writes' saved volume:/dev/vg0/a
after=$(cat /tmp/i)
end_writing
fact 'from a snapshot' is "$(way a)" 'consistent lvm-snapshot '
fact 'which is gone' some_ours 0
fact 'nothing is to be repaired, and each line is there up to one' looked_at a
fact 'of the moment of the backup' [ "$n" -ge "$before" -a "$n" -le "$((after + 1))" ]

now "two of the same moment"
begin_writing /mnt/a /mnt/b
begin
i=$(cat /tmp/i)
wait $slow
end_writing
fact 'the first of two' looked_at a
a=$n
fact 'and the second' looked_at b
fact 'is not of the time when it was read, but of that of the first' [ "$n" -ge "$((a - 1))" -a "$n" -le "$((i + 1))" ]
fact 'both by a snapshot' is "$(way a) $(way b)" 'consistent lvm-snapshot  consistent lvm-snapshot '

now overflow
saves=$(count b)
begin
kill -STOP $slow
dd if=/dev/zero of=/mnt/b/much bs=1M count=18 2>/dev/null
sync
kill -CONT $slow
wait $slow
fact 'one that overflows is no backup' [ $? != 0 ]
cp /tmp/slow /tmp/out
fact 'which is said' said 'overflowed while it was read'
fact 'and nothing of it is there' is "$(count b)" "$saves"
fact 'no snapshot stays' some_ours 0
rm /mnt/b/much

now killed
lvcreate --quiet --snapshot --size 4M --name backstay-0123456789abcdef vg0/b >/dev/null 2>&1
begin
kill -9 $slow
wait $slow
left=$(ours)
fact 'a killed run leaves its snapshots' [ "$left" -gt 0 ]
begin
fact 'the next run removes them, and takes its own' some_ours 2
fact 'beside it another one works' saved volume:/dev/vg0/b
fact 'and leaves alone what is read' kill -0 $slow
kill -TERM $slow
wait $slow
fact 'told to end, it takes its own with it' some_ours 0
fact 'what only has such a name stays' [ -e /dev/vg0/backstay-0123456789abcdef ]
lvremove --yes vg0/backstay-0123456789abcdef >/dev/null 2>&1

now "a file system above, and a process"
umount /mnt/b
losetup /dev/loop0 /dev/vg0/b
mount -t ext4 /dev/loop0 /mnt/b
fact 'a file system on something that lies on it is saved' saved volume:/dev/vg0/b
fact 'frozen for the moment' is "$(way b)" 'consistent lvm-snapshot '
fact 'nothing is to be repaired' looked_at b
umount /mnt/b
losetup -d /dev/loop0
exec 7<>/dev/vg0/b
fact 'a volume that a process has open is saved' saved volume:/dev/vg0/b
fact 'as of one moment' is "$(way b)" 'crash-consistent lvm-snapshot '
fact 'and told' said 'crash-consistent: /dev/vg0/b was read from a snapshot of one moment'
exec 7<&-
fact 'one that nobody uses is saved' saved volume:/dev/vg0/b
fact 'without a snapshot' is "$(way b)" 'consistent unused '

now "no room"
lvcreate --quiet --yes --extents 100%FREE --name filler vg0 >/dev/null 2>&1
fact 'without room it is saved' saved volume:/dev/vg0/a
fact 'as it is' is "$(way a)" 'crash-consistent none '
fact 'with the reason' said 'no LVM snapshot: volume group vg0 has 0 bytes left'
fact 'or frozen' saved volume:/dev/vg0/a --consistency freeze
fact 'which is consistent' is "$(way a)" 'consistent freeze '
fact 'with the reason' said 'was frozen instead: no LVM snapshot: volume group vg0 has 0 bytes left'
fact 'or not at all' refused volume:/dev/vg0/a --consistency lvm
fact 'with the reason' said 'no LVM snapshot: volume group vg0 has 0 bytes left'
lvremove --yes vg0/filler >/dev/null 2>&1
mv /usr/sbin/lvs /usr/sbin/lvs.away
fact 'without the tools it is saved' saved volume:/dev/vg0/a
fact 'with the reason' said 'no LVM snapshot: lvs: not found'
mv /usr/sbin/lvs.away /usr/sbin/lvs

now "a thin volume"
umount /mnt/a
lvremove --yes vg0/a vg0/b >/dev/null 2>&1
lvcreate --quiet --yes --type thin-pool --size 28M --poolmetadatasize 4M --name pool vg0 >/tmp/out 2>&1 || cat /tmp/out
made thin --thinpool pool --virtualsize 16M vg0
begin_writing /mnt/thin
before=$(cat /tmp/i)
fact 'a thin volume is saved while somebody writes' saved volume:/dev/vg0/thin --consistency lvm
after=$(cat /tmp/i)
end_writing
fact 'from a snapshot' is "$(way thin)" 'consistent lvm-snapshot '
fact 'which is gone' some_ours 0
fact 'nothing is to be repaired, and each line is there up to one' looked_at thin
fact 'of the moment of the backup' [ "$n" -ge "$before" -a "$n" -le "$((after + 1))" ]
made more --thinpool pool --virtualsize 16M vg0
dd if=/dev/urandom of=/mnt/more/much bs=1M count=9 2>/dev/null
sync
fact 'in a pool that is nearly full it is saved' saved volume:/dev/vg0/thin
fact 'without a snapshot, and with the reason' said 'no LVM snapshot: thin pool vg0/pool has .* left'
now "all of it"
exit $failed
