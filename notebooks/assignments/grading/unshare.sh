# Called by confine.py inside new namespaces: builds a root folder of what may be seen, moves into it, gives up all rights.
# sh unshare.sh ROOT HOME MEGABYTES READABLE... -- COMMAND...   (ROOT is any empty folder)
set -eu
keep=$1 home=$2 megabytes=$3
shift 3
mount -t tmpfs -o mode=755 none "$keep"

show() {   # show PATH: the same file or folder below the new root
  if [ -d "$1" ]; then mkdir -p "$keep$1"; else mkdir -p "$keep$(dirname "$1")"; : > "$keep$1"; fi
  mount --rbind "$1" "$keep$1"
}

for folder in /tmp /dev/shm "$home"; do
  mkdir -p "$keep$folder"
  mount -t tmpfs -o "size=${megabytes}m" none "$keep$folder"
done
while [ "$1" != -- ]; do
  if [ -h "$1" ]; then mkdir -p "$keep$(dirname "$1")"; ln -s "$(readlink "$1")" "$keep$1"; else show "$1"; fi
  shift
done
shift
# Everything shown is made read-only, with the flags that it already has: a user may not take those away.
while read -r _ _ _ _ point options _; do
  point=$(printf %b "$point")
  case $point in
    "$keep" | "$keep/tmp" | "$keep/dev/shm" | "$keep$home") ;;
    "$keep"/*) mount -o "remount,bind,ro,$(echo "$options" | sed 's/^r[ow],*//')" "$point" ;;
  esac
done < /proc/self/mountinfo
for device in null zero full random urandom; do show "/dev/$device"; done
mkdir -p "$keep/proc" "$keep/old"
mount -t proc proc "$keep/proc"
{ echo 0 > "$keep/proc/sys/kernel/shmmax"; } 2>/dev/null || :   # no shared memory of System V, where it can be forbidden
mount --bind "$keep/proc/sys" "$keep/proc/sys"
mount -o remount,bind,ro "$keep/proc/sys"   # else a teacher who is root would let a submission set the machine's options
cd "$keep"
pivot_root . old
umount -l /old
rmdir /old
mount -o remount,bind,ro /
cd "$home"
exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
