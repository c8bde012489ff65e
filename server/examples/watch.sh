#!/usr/bin/env bash
# Watches a folder and submits what is put there: FOLDER/CREATOR/clip.mp4 is of CREATOR. What was
# received goes to FOLDER/.done, what was refused to FOLDER/.refused with the reason beside it. Received
# is not yet checked: ask for the answer by the id that is printed, or let a webhook tell.
#   UNIQ_URL=http://127.0.0.1:8080 UNIQ_KEY=uniq_... watch.sh FOLDER [once]
set -euo pipefail
folder=$1 once=${2:-}
mkdir -p "$folder/.done" "$folder/.refused"

submit() {
    local file=$1 creator name answer status
    creator=$(basename "$(dirname "$file")") name=$(basename "$file")
    answer=$(mktemp)
    status=$(curl --silent --show-error -o "$answer" -w '%{http_code}' -X POST -T "$file" \
        -H "Authorization: Bearer $UNIQ_KEY" -H 'Content-Type: application/octet-stream' \
        "$UNIQ_URL/v1/submissions?creator=$(jq -rn --arg text "$creator" '$text | @uri')") || status=000
    case $status in
        2??)
            printf '%s\t%s\n' "$(jq -r .id "$answer")" "$creator/$name"
            mkdir -p "$folder/.done/$creator" && mv -- "$file" "$folder/.done/$creator/$name"
            ;;
        400 | 413 | 422)
            mkdir -p "$folder/.refused/$creator" && mv -- "$file" "$folder/.refused/$creator/$name"
            cp -- "$answer" "$folder/.refused/$creator/$name.problem.json"
            ;;
        # Anything else is not the file's fault: it stays, and is sent again.
        *) printf 'not received (%s): %s\n' "$status" "$creator/$name" >&2 ;;
    esac
    rm -f "$answer"
}

while :; do
    # A file that has not changed for a while is complete.
    find "$folder" -mindepth 2 -maxdepth 2 -type f -not -path "$folder/.*" -not -newermt '-5 seconds' -print0 |
        sort -z | while IFS= read -r -d '' file; do submit "$file"; done
    [ -z "$once" ] || break
    sleep 5
done
