# Sourced by end-to-end scripts in bash.
# shellcheck shell=bash

# devnet_ready PID LOG: wait until a devnet says that it is. 1: it ended, or it takes more than a minute and a half.
devnet_ready() {
    for _ in $(seq 900); do
        grep -qs '^devnet ready' "$2" && return 0
        kill -0 "$1" 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}
