#!/bin/sh
# All agent reports, one message per line: sh follow.sh HOST:PORT, with a key in DREAMNET_KEY.
query='subscription { agentHistory { kind cursor reports { id agentKey status } } }'
last=$(mktemp)
trap 'rm -f "$last"' EXIT

while true; do
  curl --silent --no-buffer "http://$1/graphql" \
    --header "authorization: Bearer $DREAMNET_KEY" \
    --header 'accept: text/event-stream' --header 'content-type: application/json' \
    --header "last-event-id: $(cat "$last")" \
    --data "{\"query\": \"$query\"}" \
    --speed-limit 1 --speed-time 30 |
    while IFS= read -r line; do
      case $line in
        'id: '*) id=${line#id: } ;;
        'data: '*) echo "${line#data: }" && echo "$id" > "$last" ;;
      esac
    done
  sleep 1
done
