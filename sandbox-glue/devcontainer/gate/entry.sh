#!/bin/sh
# What the gate's container does. It begins as root with few capabilities, loads the rules, gives
# them up for good, and serves as the user egret.
#   serve    rules, then what the sandbox needs below /egret, then the gate
#   reload   after a change of egret.yaml:  docker compose exec egret sh /usr/local/bin/egret-gate reload
#   status   what the gate is doing; also the health check, which the sandbox waits for
set -eu

config=/run/egret/egret.yaml

as_gate() {
  exec setpriv --reuid=egret --regid=egret --clear-groups --no-new-privs --inh-caps=-all -- \
    env HOME=/var/lib/egret "$@"
}

# Beside the sandbox's reach, and root's: the gate uses no file that others could change.
take_config() {
  mkdir -p /run/egret
  cp /etc/egret/egret.yaml "$config.new"
  chmod 0644 "$config.new"
  mv "$config.new" "$config"
}

case "${1:-serve}" in
  serve)
    take_config
    # All of the rules or none: without them the container ends here, and no sandbox starts.
    if [ -e /etc/egret/rules.nft ]; then
      nft -f /etc/egret/rules.nft
    fi
    # The CA bundle, the trust store and the variables with the placeholders, for the sandbox.
    # shellcheck disable=SC2016  # the inner shell's, which runs as egret and may write there
    (as_gate sh -c 'egret env --config "$1" --sandbox web --files /egret \
      ${EGRET_PROXY_AT:+--proxy-at "$EGRET_PROXY_AT"} > /egret/env.new && mv /egret/env.new /egret/env' \
      sh "$config")
    as_gate egret serve --config "$config"
    ;;
  reload)
    take_config
    as_gate egret reload --config "$config"
    ;;
  status)
    as_gate egret status --config "$config"
    ;;
  *)
    echo "egret-gate: serve, reload or status, not $1" >&2
    exit 2
    ;;
esac
