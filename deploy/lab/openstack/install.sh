# Gets what the lab runs on: Debian's daemons and the virtual environment. Sourced by up.sh; does nothing where it is all there.

# Debian's packages, each with a file that shows it is there.
declare -A needed=(
  [/usr/lib/rabbitmq/bin/rabbitmq-server]=rabbitmq-server [/usr/sbin/mariadbd]=mariadb-server
  [/usr/bin/ovn-northd]=ovn-central [/usr/bin/ovn-controller]=ovn-host [/usr/sbin/ovs-vswitchd]=openvswitch-switch
  [/usr/bin/genisoimage]=genisoimage [/usr/bin/memcached]=memcached [/usr/bin/curl]=curl [/usr/bin/gcc]=gcc [/usr/include/stdlib.h]=libc6-dev
)

# The interpreter: 3.11 by name, else a python3 that is 3.11. Prints its path.
find_python() {
  local candidate
  for candidate in python3.11 python3; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return 0
    fi
  done
  fail "Python 3.11 is missing: install Debian 12's python3"
}

has_headers() { "$1" -c 'import os, sysconfig, sys; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))'; }

install_packages() {
  local file missing=()
  for file in "${!needed[@]}"; do [ -e "$file" ] || missing+=("${needed[$file]}"); done
  # uWSGI is compiled, so Debian's interpreter needs its headers, and a virtual environment without uv needs ensurepip.
  has_headers "$1" || missing+=(python3-dev)
  [ -n "$2" ] || "$1" -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || fail "missing: ${missing[*]}. This machine has no apt-get; the lab is made for Debian 12"
  [ "$(id -u)" = 0 ] || fail "missing: ${missing[*]}. Not root, so they cannot be installed here: run once as root
    apt-get install --no-install-recommends ${missing[*]}
or run this script as root"
  # A machine without systemd has nothing that should start the packages' own daemons; one with it must not start them.
  local guard=/usr/sbin/policy-rc.d guarded=
  if ! [ -e $guard ]; then printf '#!/bin/sh\nexit 101\n' >$guard; chmod +x $guard; guarded=1; fi
  local status=0
  { apt-get -o DPkg::Lock::Timeout=600 update -q &&
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -y -q --no-install-recommends "${missing[@]}"
  } >"$LAB_LOGS/apt.log" 2>&1 || status=$?
  [ -z "$guarded" ] || rm -f $guard
  [ "$status" = 0 ] || fail "Debian's packages could not be installed (${missing[*]}), see $LAB_LOGS/apt.log"
}

install_environment() {
  local python=$1 uv=$2
  cmp -s "$LAB_HERE/requirements.lock" "$LAB_VENV/.complete" && return 0
  rm -rf "$LAB_VENV"
  if [ -n "$uv" ]; then
    { "$uv" venv -q --python "$python" "$LAB_VENV" &&
      VIRTUAL_ENV="$LAB_VENV" "$uv" pip install -q --compile-bytecode --no-deps --require-hashes -r "$LAB_HERE/requirements.lock"; } >"$LAB_LOGS/install.log" 2>&1
  else
    { "$python" -m venv "$LAB_VENV" &&
      "$LAB_VENV/bin/pip" install -q --no-deps --require-hashes -r "$LAB_HERE/requirements.lock"; } >"$LAB_LOGS/install.log" 2>&1
  fi || fail "the virtual environment could not be made, see $LAB_LOGS/install.log"
  cp "$LAB_HERE/requirements.lock" "$LAB_VENV/.complete"
}

install_lab() {
  local python uv
  python=$(find_python)
  uv=$LAB_CHECKOUT/.tools/uv/bin/uv
  [ -x "$uv" ] || uv=$(command -v uv || true)
  install_packages "$python" "$uv"
  mark "Debian's packages are there"
  install_environment "$python" "$uv"
  mark "the virtual environment is there"
}
