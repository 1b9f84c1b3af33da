#!/usr/bin/env bash
# Pays more than a channel has, and hears why not: a refusal promises that nothing was paid.
#
#   PAYER_TOKEN=cn_... ./refused.sh http://127.0.0.1:9805 CHANNEL_ID
set -euo pipefail

# The value of a field. With jq: jq -r .message
field() { grep -o "\"$1\": *\"[^\"]*\"" | tail -1 | cut -d'"' -f4; }

# Without --fail: the answer is wanted whatever its status is. Headers by a pipe, as in pay.sh.
shown() { printf '%s' "${1:+authorization: Bearer $1}"; }
answer=$(curl --silent --header @<(shown "${PAYER_TOKEN:-}") --header 'Content-Type: application/json' \
  --data '{"amount": "2000000"}' "$1/v1/channels/$2/payments")
reason=$(field reason <<<"$answer") || { echo "$answer" >&2; exit 1; }

# It has a name to act on, and a sentence for people.
echo "refused: $reason: $(field message <<<"$answer")"
