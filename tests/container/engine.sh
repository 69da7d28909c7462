#!/usr/bin/env bash
# A Docker engine and the Dockerfile's base image, for `make container-test`.
#
#   engine.sh IMAGE   make sure that an engine answers and that it has IMAGE (e.g. python:3.13-slim-bookworm)
#   engine.sh stop    stop the daemon that this script started; its images stay for the next start
#
# An engine that already answers is used as it is, and never gets a stand-in image. Where none answers, root on a Debian
# machine gets one of its own. Where that one can reach no registry, IMAGE is made of this machine's parts: Debian's
# minimal system, this machine's CPython under /usr/local, the CAs, apt sources and pip index this machine uses.
# A stand-in proves that the Dockerfile builds and that the image works. It is not the image that users pull.
set -euo pipefail

state="${ENGINE_STATE:-${TMPDIR:-/tmp}/container-engine-$(id -u)}"
label=org.opencontainers.image.description # says 'stand-in …' on an image made here
work=

say() { printf 'engine: %s\n' "$*"; }
die() {
  printf 'engine: error: %s\n' "$*" >&2
  exit 1
}
answers() { timeout 20 docker info >/dev/null 2>&1; }

our_pid() {
  local pid
  pid=$(cat "$state/dockerd.pid" 2>/dev/null) || return 1
  [[ $pid =~ ^[0-9]+$ && $(cat "/proc/$pid/comm" 2>/dev/null) == dockerd ]] || return 1
  tr '\0' '\n' <"/proc/$pid/cmdline" | grep -Fqx -- "--pidfile=$state/dockerd.pid" || return 1
  echo "$pid"
}

cleanup() {
  if [[ -n $work ]]; then rm -rf -- "$work"; fi
}
trap cleanup EXIT

apt_install() {
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"; } >"$state/apt.log" 2>&1 ||
    die "apt-get install $* failed: $(tail -n 3 "$state/apt.log")"
}

start_daemon() { # STORAGE-DRIVER
  local pid file
  # A daemon that was killed leaves its pid behind, and dockerd does not start while anything has that number.
  for file in "$state/dockerd.pid" "$state/exec/containerd/containerd.pid"; do
    if [[ -s $file ]] && ! grep -Fqas -- "$state" "/proc/$(cat "$file")/cmdline"; then rm -f -- "$file"; fi
  done
  # setsid and the closed descriptors keep the daemon out of make's process group and off its pipes.
  setsid dockerd --iptables=false --ip6tables=false --ip-forward=false --bridge=none "--storage-driver=$1" \
    "--data-root=$state/data" "--exec-root=$state/exec" "--pidfile=$state/dockerd.pid" \
    </dev/null >"$state/dockerd.log" 2>&1 &
  pid=$!
  for _ in $(seq 120); do
    if answers; then
      say "started dockerd $(docker version --format '{{.Server.Version}}') ($1), log: $state/dockerd.log"
      return
    fi
    kill -0 "$pid" 2>/dev/null || return 1
    sleep 0.5
  done
  stop
  return 1
}

start() {
  if command -v docker >/dev/null && answers; then
    say "using the engine that answers: $(docker version --format '{{.Server.Version}}')"
    return
  fi
  [[ -z ${DOCKER_HOST:-} ]] || die "nothing answers at DOCKER_HOST; unset it to have an engine started here"
  if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
    die "no Docker engine answers; one is started here only for root on Debian: start Docker and try again"
  fi
  (umask 077 && mkdir -p -- "$state")
  [[ -O $state && ! -L $state ]] || die "$state is not ours"
  if ! command -v docker >/dev/null || ! command -v dockerd >/dev/null; then
    say 'installing docker.io'
    apt_install docker.io
    if answers; then
      say 'the package started its own engine'
      return
    fi
  fi
  if start_daemon overlay2; then return; fi
  if grep -Eqi 'graph ?driver|overlay' "$state/dockerd.log"; then
    say 'overlay2 does not work here, trying vfs'
    if start_daemon vfs; then return; fi
  fi
  die "dockerd did not start: $(tail -n 3 "$state/dockerd.log")"
}

stop() {
  local pid
  pid=$(our_pid) || { say 'no daemon of ours is running' && return; }
  kill "$pid"
  for _ in $(seq 60); do
    our_pid >/dev/null || { say 'stopped' && return; }
    sleep 0.5
  done
  die "dockerd ($pid) is still running 30 s after SIGTERM"
}

# The CPython to copy: the version that IMAGE names if one is on the path or lies beside the default one, else the default.
find_python() { # MAJOR.MINOR
  local default candidate prefix
  default=$(python3 -I -c 'import sys; print(sys.base_prefix)') || return 1
  for candidate in "python$1" "${default%/*}"/*"$1"*/bin/"python$1" "$default/bin/python3"; do
    prefix=$("$candidate" -I -c 'import bz2, ctypes, ensurepip, lzma, sqlite3, ssl, sys, zlib; print(sys.base_prefix)' 2>/dev/null) || continue
    if [[ $prefix != /usr && -x $prefix/bin/python3 ]]; then
      echo "$prefix"
      return
    fi
  done
  return 1
}

# Debian's packages that hold the shared libraries which this CPython needs from outside its own folder.
library_packages() { # PREFIX
  local path
  find "$1/bin/python3" "$1"/lib/libpython3*.so* "$1"/lib/python3*/lib-dynload -name '_tkinter*' -o \( -type f -o -type l \) -print0 |
    xargs -0 ldd 2>/dev/null | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u |
    while read -r path; do
      [[ $path == "$1"/* ]] || dpkg -S "$path" 2>/dev/null || dpkg -S "/usr$path" 2>/dev/null || dpkg -S "$(realpath "$path")" 2>/dev/null || true
    done | cut -d: -f1 | sort -u
}

# What pip is told on this machine of where to find packages, less what an image must not hold: folders, passwords.
pip_conf() {
  printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n'
  python3 -m pip config list 2>/dev/null | python3 -I -c '
import ast, sys
seen = {}
for line in sys.stdin:
    name, _, value = line.strip().partition("=")
    scope, _, option = name.rpartition(".")
    if scope in ("global", ":env:", "install") and option in ("index-url", "extra-index-url", "trusted-host", "default-timeout", "timeout"):
        kept = [w for w in str(ast.literal_eval(value)).split() if "@" not in w and not w.startswith(("file:", "/", "."))]
        if kept:
            seen[option.removeprefix("default-")] = " ".join(kept)
print(*(f"{k} = {v}" for k, v in seen.items()), sep="\n")'
}

# The certificates that this machine trusts and IMAGE's Debian does not, one file each.
extra_cas() { # OWN-BUNDLE THEIR-BUNDLE FOLDER
  python3 -I -c '
import pathlib, re, sys
ours, theirs = (re.findall("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", pathlib.Path(p).read_text("utf-8", "replace"), re.S) for p in sys.argv[1:3])
for n, pem in enumerate(p for p in dict.fromkeys(ours) if p not in theirs):
    pathlib.Path(sys.argv[3], f"host-{n}.crt").write_text(pem + "\n")' "$@"
}

# mmdebstrap's hook, run between unpacking Debian and packing it up again.
fill() { # ROOT
  local root=$1 lib bundle
  lib=$(basename "$(echo "$STAND_IN_PREFIX"/lib/python3.*)")
  mkdir -p "$root/usr/local/bin" "$root/usr/local/lib"
  cp --no-preserve=ownership -L "$STAND_IN_PREFIX/bin/$lib" "$root/usr/local/bin/$lib"
  ln -s "$lib" "$root/usr/local/bin/python3"
  ln -s python3 "$root/usr/local/bin/python"
  tar -C "$STAND_IN_PREFIX/lib" --exclude=site-packages --exclude=test --exclude=__pycache__ --exclude='config-*' --exclude='_tkinter*' \
    --owner=0 --group=0 -c "$lib" | tar -C "$root/usr/local/lib" -x
  find "$STAND_IN_PREFIX/lib" -maxdepth 1 -name 'libpython3*.so*' -exec cp -P --no-preserve=ownership -t "$root/usr/local/lib" {} +
  mkdir -p "$root/usr/local/lib/$lib/site-packages"
  chmod -R a+rX "$root/usr/local"
  bundle=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
  if [[ -r $bundle ]]; then
    extra_cas "$bundle" "$root/etc/ssl/certs/ca-certificates.crt" "$root/usr/local/share/ca-certificates"
    chroot "$root" update-ca-certificates >/dev/null
  fi
  pip_conf >"$root/etc/pip.conf"
  apt-config dump | grep -E '^Acquire::(Check-Date|Check-Valid-Until|https?::Proxy) ' | grep -v @ >"$root/etc/apt/apt.conf.d/90host" || true
  chroot "$root" ldconfig
  chroot "$root" env -i PATH=/usr/local/bin:/usr/bin:/bin python3 -I -m ensurepip --default-pip >/dev/null
  chroot "$root" env -i PATH=/usr/local/bin:/usr/bin:/bin pip --version >/dev/null
}

stand_in() { # IMAGE
  local image=$1 minor prefix version codename packages target hook
  say "no registry gives $image: making a stand-in"
  our_pid >/dev/null || die "a stand-in is not put into an engine that this script did not start: pull $image by hand"
  [[ $image != *@* ]] || die "a stand-in cannot have a digest: name the tag alone, and give it to the build as its base"
  command -v mmdebstrap >/dev/null || apt_install mmdebstrap
  minor=$(sed -E 's/^[^:]*:([0-9]+\.[0-9]+).*/\1/' <<<"$image")
  prefix=$(find_python "$minor") || die 'no CPython in a folder of its own (pyenv, uv, a build) to copy: python3 is the system one'
  version=$("$prefix/bin/python3" -I -c 'import platform; print(platform.python_version())')
  codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release) # the release whose libraries this CPython was linked with
  packages=$(library_packages "$prefix" | paste -sd,)
  work=$(mktemp -d "$state/stand-in.XXXXXX")
  # The apt sources this machine has of Debian's own packages; with none, mmdebstrap's default.
  # shellcheck disable=SC2016 # apt's own names, not the shell's
  apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' |
    grep -v @ | sort -u >"$work/sources.list" || true
  target=("$codename" "$work/root.tar")
  if [[ -s $work/sources.list ]]; then target+=("$work/sources.list"); fi
  # shellcheck disable=SC2016 # mmdebstrap's $1: the folder it fills
  hook=$(printf '%q fill "$1"' "$(realpath "${BASH_SOURCE[0]}")")
  STAND_IN_PREFIX=$prefix mmdebstrap --quiet --variant=minbase --mode=root --format=tar \
    --include="ca-certificates,tzdata,netbase,$packages" \
    --aptopt='Acquire::Check-Date "false"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook="$hook" "${target[@]}" >"$work/log" 2>&1 ||
    die "mmdebstrap failed: $(tail -n 5 "$work/log")"
  docker import --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' --change 'ENV LANG=C.UTF-8' \
    --change "ENV PYTHON_VERSION=$version" --change 'CMD ["python3"]' \
    --change "LABEL $label=\"stand-in for $image: Debian $codename, CPython $version\"" "$work/root.tar" "$image" >/dev/null
}

base() { # IMAGE
  local said pull_log=/dev/null
  if our_pid >/dev/null; then pull_log=$state/pull.log; fi
  if ! docker image inspect "$1" >/dev/null 2>&1; then
    if timeout 600 docker pull --quiet "$1" >"$pull_log" 2>&1; then
      say "pulled $1"
    else
      stand_in "$1"
    fi
  fi
  said=$(docker image inspect --format "{{with .Config.Labels}}{{index . \"$label\"}}{{end}}" "$1")
  case $said in
    stand-in*) say "NOTE: $said. This is not the image that users get." ;;
    *) say "base image: $1" ;;
  esac
}

case ${1:-} in
  stop) stop ;;
  fill) fill "${2:?}" ;;
  '' | -*) die 'usage: engine.sh IMAGE | stop' ;;
  *)
    start
    base "$1"
    ;;
esac
