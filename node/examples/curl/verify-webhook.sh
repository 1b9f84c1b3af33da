#!/usr/bin/env bash
# Checks that a delivery of a webhook is the node's, is fresh, and was not changed.
#
#   ./verify-webhook.sh SECRET "$CHANNELNODE_SIGNATURE" < body.json
set -euo pipefail

secret=$1 signature=$2 tolerance_seconds=300

time=$(tr , '\n' <<<"$signature" | sed -n 's/^t=\([0-9]\{1,12\}\)$/\1/p')
age=$(($(date +%s) - ${time:-0}))
right=$({ printf '%s.' "$time" && cat; } | openssl dgst -sha256 -hmac "$secret" -r | cut -d' ' -f1)

# There are two while a secret is being replaced: one that fits is enough.
if [ "${age#-}" -le $tolerance_seconds ] && tr , '\n' <<<"$signature" | grep -qxF "v1=$right"; then
  echo genuine
else
  echo "not genuine"
  exit 1
fi
