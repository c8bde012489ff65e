#!/usr/bin/env bash
# Submits a clip with curl, waits for the answer and prints it.
#   UNIQ_URL=http://127.0.0.1:8080 UNIQ_KEY=uniq_... submit.sh clip.mp4 CREATOR
set -euo pipefail
file=${1:?usage: submit.sh CLIP CREATOR} creator=${2:?usage: submit.sh CLIP CREATOR}
: "${UNIQ_URL:?set it to the address of the service}" "${UNIQ_KEY:?make one with: uniq serve key}"
# What the service answers; its problem goes to standard error.
call() {
    local answer
    if ! answer=$(curl --silent --show-error --fail-with-body -H "Authorization: Bearer $UNIQ_KEY" "$@"); then
        [ -n "$answer" ] || answer="no answer from $UNIQ_URL; is the service running?"
        printf '%s: %s\n' "$file" "$(jq -r '.detail // .' <<<"$answer" 2>/dev/null || printf '%s' "$answer")" >&2
        return 1
    fi
    printf '%s' "$answer"
}

name=$(jq -rn --arg creator "$creator" '$creator | @uri')
id=$(call -X POST -T "$file" -H 'Content-Type: application/octet-stream' \
    "$UNIQ_URL/v1/submissions?creator=$name" | jq -r .id)
printf '%s: received as %s; waiting for the answer\n' "$file" "$id" >&2
while :; do
    answer=$(call "$UNIQ_URL/v1/submissions/$id")
    case $(jq -r .state <<<"$answer") in
        queued | checking) sleep 1 ;;
        *) break ;;
    esac
done
jq . <<<"$answer"
[ "$(jq -r .state <<<"$answer")" = checked ]
