#!/usr/bin/env bash
# Make the virtual environment; install python3-venv first where Debian or Ubuntu left it out.
set -euo pipefail
python=$1 venv=$2
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "eyehand needs Python 3.11 or later; $python is $("$python" --version 2>&1)." >&2
  echo "Name another with: make PYTHON=python3.12 ..." >&2
  exit 1
}
[ -x "$venv/bin/python" ] && "$venv/bin/python" -m pip --version >/dev/null 2>&1 && exit 0
rm -rf "$venv"
if ! "$python" -m venv "$venv" >/dev/null 2>&1; then
  rm -rf "$venv"
  root=""
  if [ "$(id -u)" != 0 ]; then
    root=$(command -v sudo) || {
      echo "Python lacks its venv module, and there is no sudo; as root: apt-get install python3-venv" >&2
      exit 1
    }
  fi
  echo "installing python3-venv"
  said=$({ $root apt-get update -qq && $root apt-get install -y -qq python3-venv; } 2>&1) || {
    echo "$said" >&2
    exit 1
  }
  "$python" -m venv "$venv"
fi
