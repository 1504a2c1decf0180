#!/bin/sh
# A worker for Ordercast in shell: claims one order at a time, works on it, and says how it ended.
#
#   examples/worker.sh [URL [NAME [COMMAND …]]]
#
# COMMAND gets the order as JSON on its standard input. Exit code 0 completes the order, 75 (try again later) has it
# tried again, anything else fails it. Without a COMMAND every order is completed. Needs curl.
set -eu

url=${1:-http://127.0.0.1:8080}
name=${2:-$(hostname)-$$}
[ $# -gt 2 ] && shift 2 || set -- cat

work=$(mktemp -d)
beat=
finish() {
    [ -z "$beat" ] || kill "$beat" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 0' INT TERM

# say PATH BODY: posts JSON; the answer goes to standard output.
say() {
    curl --silent --show-error --header 'Content-Type: application/json' --data "$2" "$url/work/$1"
}

# Renews the lease every two seconds for as long as the work lasts; it ends six seconds after the last time. It ends with
# the worker too ($$ is still its process here): a worker that was killed must not keep its order.
heartbeat() {
    while sleep 2 && kill -0 $$ 2>/dev/null; do say "$1/heartbeat" '{}' >/dev/null || true; done
}

while :; do
    if ! say claim "{\"worker\":\"$name\",\"capacity\":1,\"wait_s\":20}" >"$work/claim"; then
        sleep 1
        continue
    fi
    # Ids have no characters that would need escaping, and the order is the last of the answer.
    id=$(sed -n 's/.*"order":{"id":"\([A-Za-z0-9._-]*\)".*/\1/p' "$work/claim")
    token=$(sed -n 's/.*"orders":\[{"token":\([0-9]*\),.*/\1/p' "$work/claim")
    lease=$(sed -n 's/^{"lease":"\([^"]*\)".*/\1/p' "$work/claim")
    if [ -z "$id" ] || [ -z "$token" ]; then
        # Nothing was ready, or the server said what is wrong.
        grep -q '"orders":\[\]' "$work/claim" || { cat "$work/claim" >&2; sleep 1; }
        continue
    fi
    claim="\"lease\":\"$lease\",\"token\":$token"
    sed 's/.*"order":\({.*}\)}\]}$/\1/' "$work/claim" >"$work/order"
    heartbeat "$lease" &
    beat=$!
    code=0
    "$@" <"$work/order" >"$work/said" 2>&1 || code=$?
    kill "$beat" 2>/dev/null || true
    beat=
    case $code in
    0) say "$id/complete" "{$claim}" ;;
    75) say "$id/fail" "{$claim,\"outcome\":\"retry\",\"reason\":\"the command asked to try again\"}" ;;
    *) say "$id/fail" "{$claim,\"outcome\":\"fail\",\"reason\":\"the command ended with $code\"}" ;;
    esac >"$work/answer" || true
    # 409: the lease has ended meanwhile and somebody else has the order; nothing was changed.
    echo "$id: $code"
done
