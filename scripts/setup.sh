#!/usr/bin/env bash
# Installs what the project needs beside the .NET SDK and Node.js, if it is missing. Silent if nothing is.
#
#   scripts/setup.sh               for all of it, the tests included
#   scripts/setup.sh --to-run      for a node and a chain to try it on
#   scripts/setup.sh --to-publish  for the program alone
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"

say() { printf 'setup: %s\n' "$*"; }
fail() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}

# Runs a command whose output matters only when it fails: apt fills the screen when it is not on a terminal.
quietly() {
  local log
  log="$(mktemp)"
  if "$@" >"$log" 2>&1; then
    rm "$log"
    return
  fi
  cat "$log" >&2
  rm "$log"
  fail "failed: $*"
}

# Runs a command as root, quietly.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    quietly "$@"
  elif command -v sudo >/dev/null; then
    quietly sudo "$@"
  else
    fail "neither root nor sudo: run '$*' as root, then try again"
  fi
}

check_dotnet() {
  command -v dotnet >/dev/null || fail "dotnet not found: install the .NET 10 SDK (https://dotnet.microsoft.com/download)"
  local version
  version="$(dotnet --version)" || fail "the installed .NET SDK does not fit global.json: install the .NET 10 SDK"
  [[ "$version" == 10.* ]] || fail ".NET SDK 10 is needed, but $version was found"
}

check_node() {
  command -v node >/dev/null || fail "node not found: install Node.js 20.11 or newer (https://nodejs.org)"
  command -v npm >/dev/null || fail "npm not found: it usually comes with Node.js"
  local major minor
  IFS=. read -r major minor _ <<<"$(node --version | tr -d v)"
  ((major > 20 || (major == 20 && minor >= 11))) || fail "Node.js 20.11 or newer is needed, but $(node --version) was found"
}

has_secp256k1() {
  PATH="$PATH:/usr/sbin:/sbin" ldconfig -p | grep -E 'libsecp256k1\.so\.[12]\b' >/dev/null
}

# The package's name carries the library's version, which depends on the distribution's age.
secp256k1_package() {
  local package
  for package in libsecp256k1-1 libsecp256k1-2; do
    if apt-cache show "$package" >/dev/null 2>&1; then
      echo "$package"
      return
    fi
  done
}

install_secp256k1() {
  command -v apt-get >/dev/null || fail "libsecp256k1 is missing and there is no apt-get: install it by other means"
  local package
  package="$(secp256k1_package)"
  if [ -z "$package" ]; then
    say "updating the list of packages"
    as_root apt-get update -qq
    package="$(secp256k1_package)"
  fi
  [ -n "$package" ] || fail "the distribution has no package libsecp256k1-1 or libsecp256k1-2: install libsecp256k1 by other means"
  say "installing $package"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package"
  has_secp256k1 || fail "$package is installed, but its library is not found"
}

# To check the alert rules, and what a node tells Prometheus. Only this one program of the package, without the service that
# installing the package would start.
install_promtool() {
  command -v apt-get >/dev/null || fail "promtool is missing and there is no apt-get: install Prometheus by other means"
  if ! apt-cache show prometheus >/dev/null 2>&1; then
    say "updating the list of packages"
    as_root apt-get update -qq
  fi
  say "installing promtool into .tools"
  local folder
  folder="$(mktemp -d)"
  chmod 755 "$folder" # apt may fetch as another user
  (cd "$folder" && quietly apt-get download -qq prometheus)
  mkdir -p .tools
  dpkg-deb --fsys-tarfile "$folder"/prometheus_*.deb | tar -x -C .tools --strip-components=3 ./usr/bin/promtool
  rm -r "$folder"
}

# The tool whose format backups have: only the tests use it, to open what is written and to write what is opened.
install_age() {
  command -v apt-get >/dev/null || fail "age is missing and there is no apt-get: install it by other means (https://age-encryption.org)"
  apt-cache show age >/dev/null 2>&1 || as_root apt-get update -qq
  say "installing age"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends age
}

# The example that calls a node without gRPC, and the check of webhooks beside it, need these two.
install_command() {
  command -v apt-get >/dev/null || fail "$1 is missing and there is no apt-get: install it by other means"
  say "installing $1"
  apt-cache show "$1" >/dev/null 2>&1 || as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1"
}

# A folder of packages that is a link is somebody else's: 'npm ci' would empty it.
is_linked() {
  [ -L "$1/node_modules" ] || return 1
  say "$1/node_modules is a link, and stays as it is"
}

# 'npm ci' empties the folder first, whatever is in it and whoever has put it there.
what_becomes_of() {
  if [ -d "$1" ] && [ -n "$(ls -A "$1")" ]; then echo "$1 is emptied and made anew: installing"; else echo installing; fi
}

# The packages of a folder. The lock file that they came from is kept beside them.
install_node_packages() {
  if cmp -s "$1/package-lock.json" "$1/node_modules/.installed-lock.json" || is_linked "$1"; then return; fi
  say "$(what_becomes_of "$1/node_modules") the packages of $1 (npm ci)"
  (cd "$1" && npm ci --no-progress)
  cp "$1/package-lock.json" "$1/node_modules/.installed-lock.json"
}

# Of the contract's tools those that a chain to try a node on needs: Anvil and cast, its packages that are not for development.
install_chain() {
  local installed=contracts/node_modules lock=contracts/package-lock.json
  if cmp -s "$lock" "$installed/.installed-lock.json" || cmp -s "$lock" "$installed/.installed-chain-lock.json" || is_linked contracts; then return; fi
  say "$(what_becomes_of "$installed") Anvil (npm ci --omit=dev); for the contract's other tools run scripts/setup.sh"
  (cd contracts && quietly npm ci --omit=dev --no-progress --no-audit --no-fund --prefer-offline)
  cp "$lock" "$installed/.installed-chain-lock.json"
}

case "${1:-}" in
  "" | --to-run | --to-publish) ;;
  *) fail "unknown argument: $1 (none, --to-run or --to-publish)" ;;
esac

check_dotnet
has_secp256k1 || install_secp256k1
[ "${1:-}" != --to-publish ] || exit 0
check_node
if [ "${1:-}" = --to-run ]; then
  install_chain
  exit 0
fi
install_node_packages contracts
command -v promtool >/dev/null || [ -x .tools/promtool ] || install_promtool
command -v age >/dev/null || install_age
command -v curl >/dev/null || install_command curl
command -v openssl >/dev/null || install_command openssl
install_node_packages node/examples/typescript
