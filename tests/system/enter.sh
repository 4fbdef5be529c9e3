#!/bin/sh
# enter.sh ROOT SCRATCH SOURCE:TARGET,... COMMAND...
# Run a command in a root file system. Its caller gives it a mount and a process namespace of its own
# ("unshare --mount --pid --fork --kill-child"), so every mount and every process in here ends with it.
# SCRATCH takes what the command writes, so that the root stays as it was built; "-" writes into the root itself.
set -eu
root=$1 scratch=$2 binds=$3
shift 3
if [ "$scratch" != - ]; then
    mkdir -p "$scratch/upper" "$scratch/work" "$scratch/merged"
    mount -t overlay overlay -o "lowerdir=$root,upperdir=$scratch/upper,workdir=$scratch/work" "$scratch/merged"
    root=$scratch/merged
fi
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
IFS=,
for bind in $binds; do
    target=$root${bind#*:}
    if [ -d "${bind%%:*}" ]; then
        mkdir -p "$target"
    elif [ ! -e "$target" ]; then
        mkdir -p "$(dirname "$target")"
        touch "$target"
    fi
    mount --bind "${bind%%:*}" "$target"
done
exec chroot "$root" "$@"
