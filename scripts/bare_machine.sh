#!/usr/bin/env bash
# A bare Debian in a folder, and a command run in a copy of this checkout there, as on a machine on
# which nothing but git's neighbours (make, python3, sudo, certificates) was ever installed.
#
#   scripts/bare_machine.sh 'COMMAND' [bookworm|trixie] [root|newcomer]
#
# Needs root, and debootstrap, which it installs where apt-get can. The exit status is the command's;
# 125 where no such machine can be made here, and one line says why. The folder is removed at the
# end, whatever happens; its mounts live in a namespace of their own and end with it. The host's pip
# configuration and local wheel folders are shown to the box, and so are apt's proxies and the
# certificates: they say how this network is reached.
#   BARE_CACHE=DIR   where the bare systems are kept for the next time (default /var/cache/eyehand)
#   BARE_FOLDER=DIR  where the box is made (default /var/tmp)
set -Eeuo pipefail

readonly CANNOT=125 BASE_DAYS=30
readonly PACKAGES=ca-certificates,make,python3,sudo
readonly SEARCH_PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

cannot() { echo "no bare machine here: $*" >&2; exit "$CANNOT"; }

# --- inside the namespaces: mounts, then the box is all there is ---

show() {  # a file or folder of the host, at the same path in the box
  local source=$1 target=$box$1
  if [[ -d $source ]]; then mkdir -p "$target"; else mkdir -p "${target%/*}"; : > "$target"; fi
  mount --bind "$source" "$target"
}

make_devices() {
  mount -t tmpfs -o mode=755 tmpfs "$box/dev"
  for node in null zero full random urandom tty; do show "/dev/$node"; done
  mkdir "$box/dev/pts" "$box/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$box/dev/pts"
  mount -t tmpfs -o mode=1777 tmpfs "$box/dev/shm"
  ln -s pts/ptmx "$box/dev/ptmx"
  for number in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${number%:*}" "$box/dev/${number#*:}"; done
  ln -s /proc/self/fd "$box/dev/fd"
}

mount_all() {
  mount --make-rprivate /
  mount --bind "$box" "$box"  # pivot_root wants a mount
  mount -t proc proc "$box/proc"
  mount --rbind /sys "$box/sys"
  make_devices
  local folder
  while IFS= read -r folder; do
    show "$folder"
    mount -o remount,bind,ro "$box$folder"
  done < "$box/.shown"
}

enter() {  # BOX USER COMMAND: never returns
  box=$1
  trap 'exit "$CANNOT"' ERR
  mount_all
  cd "$box"
  mkdir -p .host
  pivot_root . .host
  # A chroot alone would forbid user namespaces, with which Chromium makes its sandbox.
  exec chroot . /bin/bash -euc "$IN_THE_BOX" bash "$2" "$3" "$SEARCH_PATH" "${proxies[@]}"
}

# USER COMMAND PATH NAME=VALUE...: runs the command as the user, and says what it took.
readonly IN_THE_BOX='
  umount -l /.host; rmdir /.host; rm -f /.shown
  home=$(getent passwd "$1" | cut -d: -f6)
  cd "$home/project"
  asked() { apt-mark showmanual | sort; }
  there() { dpkg-query -W -f "\${Package}\n" | sort; }
  asked > /root/asked; there > /root/there
  status=0
  runuser -u "$1" -- env -i HOME="$home" USER="$1" LOGNAME="$1" TERM=dumb LANG=C.UTF-8 \
    PATH="$3" "${@:4}" /bin/bash -c "$2" || status=$?
  echo "on $(. /etc/os-release; echo "$PRETTY_NAME"), as $1: status $status, $SECONDS s," \
    "$(there | comm -13 /root/there - | wc -l) packages installed, by name:" \
    $(asked | comm -13 /root/asked -)
  exit "$status"'

# --- outside: the base system, the box, and its end ---

need_debootstrap() {
  [[ $(id -u) = 0 ]] || cannot "it needs root"
  unshare --mount --pid --fork mount --make-rprivate / 2>/dev/null || cannot "mounts are not permitted"
  command -v debootstrap >/dev/null && return
  command -v apt-get >/dev/null || cannot "debootstrap is not installed"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq debootstrap; } \
    >/dev/null 2>&1 || cannot "debootstrap cannot be installed"
}

mirror() {  # the host's own, where it is a Debian
  local found
  found=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
    grep -E '^(URIs:|deb )' | grep -oE 'https?://[^ ]+/debian/?( |$)' | head -n 1 || true)
  found=${found%% *}
  echo "${found:-http://deb.debian.org/debian}"
}

make_base() {  # the bare system as an archive, made once
  base=$cache/$suite-$(echo "$PACKAGES" | cksum | cut -d' ' -f1).tar
  [[ -n $(find "$base" -mtime "-$BASE_DAYS" 2>/dev/null) ]] && return
  echo "making a bare $suite" >&2
  local url; url=$(mirror)
  debootstrap --variant=minbase --include="$PACKAGES" "$suite" "$box" "$url" > "$box.log" 2>&1 ||
    cannot "debootstrap failed: $(grep -E '^[EW]:' "$box.log" | tail -n 1)"
  echo "deb ${url%/}-security $suite-security main" >> "$box/etc/apt/sources.list"
  mkdir -p "$cache"
  tar -C "$box" -cf "$base.$$" . && mv "$base.$$" "$base"
}

copy_host_settings() {
  cp --remove-destination /etc/resolv.conf "$box/etc/resolv.conf"
  cp /etc/hosts "$box/etc/hosts"
  echo "127.0.1.1 $(hostname)" >> "$box/etc/hosts"  # as Debian's installer writes it; sudo asks
  [[ -f /etc/ssl/certs/ca-certificates.crt ]] && cp /etc/ssl/certs/ca-certificates.crt "$box/etc/ssl/certs/"
  apt-config dump 2>/dev/null | grep -iE '^Acquire::https?::' > "$box/etc/apt/apt.conf.d/90host" || true
  : > "$box/.shown"
  if python3 -m pip --version >/dev/null 2>&1; then
    python3 "$root/scripts/show_pip_configuration.py" "$box" > "$box/.shown"
  fi
}

copy_checkout() {
  local home=/root
  if [[ $user != root ]]; then
    home=/home/$user
    chroot "$box" useradd --create-home --shell /bin/bash "$user"
    echo "$user ALL=(ALL) NOPASSWD:ALL" > "$box/etc/sudoers.d/$user"
  fi
  mkdir -p "$box$home/project"
  git -C "$root" -c safe.directory="$root" ls-files -z --cached --others --exclude-standard |
    tar -C "$root" --null --ignore-failed-read -T - -cf - | tar -C "$box$home/project" -xf -
  chroot "$box" chown -R "$user:" "$home/project"
}

remove_box() {
  trap - EXIT INT TERM
  [[ -z ${running:-} ]] || { kill -KILL "$running" && wait "$running"; } 2>/dev/null || true
  for _ in 1 2 3; do  # what ran there may need a moment to be gone
    rm -rf --one-file-system "$box" "$box.log" 2>/dev/null && return
    sleep 1
  done
  echo "not removed: $box" >&2
}

proxies=()
for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
  [[ -z ${!name:-} ]] || proxies+=("$name=${!name}")
done
if [[ ${1:-} = --inside ]]; then enter "${@:2}"; fi

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
command=${1:?usage: bare_machine.sh COMMAND [bookworm|trixie] [root|newcomer]}
suite=${2:-bookworm} user=${3:-root}
cache=${BARE_CACHE:-/var/cache/eyehand}
need_debootstrap
box=$(mktemp -d "${BARE_FOLDER:-/var/tmp}/bare-$suite-XXXXXX")
chmod 755 "$box"
trap remove_box EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
make_base
[[ -d $box/etc ]] || tar -C "$box" -xf "$base"
copy_host_settings
copy_checkout
unshare --mount --pid --fork --kill-child "${BASH_SOURCE[0]}" --inside "$box" "$user" "$command" &
running=$!
status=0
wait "$running" || status=$?
running=""
exit "$status"
