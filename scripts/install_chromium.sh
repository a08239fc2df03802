#!/usr/bin/env bash
# Chromium and fonts: the system's browser where there is one, else Playwright's, else Debian's.
set -euo pipefail
bin=$1
root=""
[ "$(id -u)" = 0 ] || root=sudo

install_packages() {
  $root apt-get update -qq && DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq "$@" >/dev/null
}

has_fonts() { [ -n "$(fc-list 2>/dev/null | grep -i liberation || true)" ]; }

if ! "$bin/python" -m eyehand.envs.web.browser --find >/dev/null 2>&1; then
  if timeout 900 "$bin/playwright" install --with-deps chromium >/dev/null 2>&1; then
    echo "installed Playwright's Chromium"
  else
    echo "installing Chromium from the system's packages"
    install_packages chromium
  fi
fi

if ! has_fonts; then
  echo "installing fonts"
  install_packages fontconfig fonts-liberation fonts-dejavu-core fonts-noto-color-emoji
fi
