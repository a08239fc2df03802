#!/usr/bin/env bash
# What only the tests need of the system: a virtual X screen, and MuJoCo's renderers without a display.
set -euo pipefail
root=""
[ "$(id -u)" = 0 ] || root=sudo

has_library() { ldconfig -p | grep -q "$1"; }

missing=()
command -v Xvfb >/dev/null || missing+=(xvfb)
has_library libxcb-xfixes.so.0 && has_library libxcb-randr.so.0 ||
  missing+=(libxcb-randr0 libxcb-render0 libxcb-shm0 libxcb-xfixes0)  # mss captures through these
has_library libEGL.so.1 || missing+=(libegl1 libegl-mesa0 libgl1-mesa-dri)
has_library libOSMesa.so || missing+=(libosmesa6)
[ "${#missing[@]}" = 0 ] && exit 0
echo "installing ${missing[*]}"
$root apt-get update -qq
DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq "${missing[@]}" >/dev/null
