#!/usr/bin/env bash
# Runs demo.sh or devnet.sh as a person would, and says what is wrong: it fails, it does not do what it prints, or something of it is left
# behind (a process, a port, a folder).
#
#   scripts/lib/try.sh demo
#   scripts/lib/try.sh devnet
set -euo pipefail
set -m # Each job is a process group of its own, as at a terminal: by that all that it has started is found.

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
work="$(mktemp -d)"
mkdir "$work/tmp"
job=""

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

clean_up() {
  local status=$?
  [[ -z "$job" ]] || kill -s KILL -- "-$job" 2>/dev/null || true
  if ((status != 0)) && [[ -s "$work/said" ]]; then
    printf '%s\n' '--- what it said' >&2
    tail -n 60 "$work/said" >&2
  fi
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# Usage: start <script>; its folder is made in one that is ours.
start() {
  TMPDIR="$work/tmp" "$root/scripts/$1" >"$work/said" 2>&1 &
  job=$!
}

# Usage: ends_with <exit code>
ends_with() {
  local code=0
  wait "$job" || code=$?
  ((code == $1)) || fail "it ended with exit code $code, expected $1"
}

# Living processes of its group, one a line: number and name.
living() {
  local process state group name
  for process in /proc/[0-9]*; do
    # After the name, which may hold anything: state, parent, group.
    read -r state _ group _ < <(sed 's/.*) //' "$process/stat" 2>/dev/null) || continue
    [[ "$group" == "$job" && "$state" != Z ]] || continue
    name="$(tr '\0' ' ' <"$process/cmdline" 2>/dev/null)" || continue
    printf '%s %s\n' "${process#/proc/}" "$name"
  done
}

nothing_is_left() {
  local left port folder
  left="$(living)"
  [[ -z "$left" ]] || fail "processes are left: $left"
  for port in "$@"; do
    ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || fail "something still listens at port $port"
  done
  for folder in "$work"/tmp/channelnode.*; do
    [[ ! -e "$folder" ]] || fail "$folder is left"
  done
  job=""
}

try_demo() {
  start demo.sh
  ends_with 0
  [[ "$(tail -n 1 "$work/said")" =~ ^demo\ passed\ in\ [0-9]+\ s$ ]] || fail "its last line is not that it has passed"
  nothing_is_left
}

# The calls that it prints for another shell.
printed() { sed -n '/^In another shell:/,/^Ctrl-C/s/^  //p' "$work/said"; }

# Usage: call <what to call>; in a shell of its own, as printed. Says what they said.
call() {
  { printf '%s\n' 'shopt -s expand_aliases' 'set -euo pipefail' && printed | grep '^alias ' && cat; } >"$work/calls"
  bash "$work/calls" 2>&1 || fail "what it prints does not work: $(cat "$work/calls")"
}

try_devnet() {
  local until=$((SECONDS + 600)) ports channel answers
  start devnet.sh
  until grep -q '^Ctrl-C stops all' "$work/said"; do
    kill -0 "$job" 2>/dev/null || fail "it ended by itself"
    ((SECONDS < until)) || fail "it was not ready within 600 s"
    sleep 0.2
  done
  mapfile -t ports < <(grep -oE 'http://127\.0\.0\.1:[0-9]+' "$work/said" | grep -oE '[0-9]+$' | sort -u)
  ((${#ports[@]} == 5)) || fail "it names ${#ports[@]} ports: a chain's and two of each node were expected"

  printed | sed -n '/^alice info/,/^alice channel list/p' | call >"$work/opened"
  channel="$(echo 'alice channel list --json' | call | grep -oE '"channelId": *"0x[0-9a-f]{64}"' | cut -d '"' -f 4)"
  grep -qE "^ *$channel +open " "$work/opened" || fail "the list does not show channel $channel as open: $(cat "$work/opened")"
  answers="$(printed | sed -n '/^alice pay/,$p' | sed "s/0x1a2b3c/${channel:0:8}/" | call)"
  [[ "$answers" == *hello* ]] || fail "bob has not heard of the payment: $answers"

  kill "$job" # as Ctrl-C does, which does not reach a script that was begun in the background
  ends_with 130
  nothing_is_left "${ports[@]}"
}

case "${1:-}" in
  demo | devnet) "try_$1" ;;
  *) fail "demo or devnet, not '${1:-}'" ;;
esac
