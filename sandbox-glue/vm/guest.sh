# shellcheck shell=sh disable=SC1091,SC2154 # what it reads comes from the gate
# What a guest of `egret run --vm` does to live behind the gate. The guest calls it by one line, as
# root, once /sys is mounted (see README.md beside this file):
#
#   modprobe qemu_fw_cfg; . /sys/firmware/qemu_fw_cfg/by_name/opt/egret/setup/raw
#
# It puts Egret's files into /run/egret, gives the network card its address where nothing else has,
# lets the guest's own certificate bundle be the sandbox's, sets the variables and, if `egret run`
# was given a command, runs it, reports its exit status and ends the machine.

egret_facts=/sys/firmware/qemu_fw_cfg/by_name/opt/egret
mkdir -p /run/egret
for egret_item in "$egret_facts"/file/*; do
  cat "$egret_item/raw" >"/run/egret/${egret_item##*/}"
done
cat "$egret_facts/environment/raw" >/run/egret/environment
. /run/egret/environment
eval "$(cat "$egret_facts/network/raw")"

# Programs that read no variable trust the system's bundle.
for egret_item in /etc/ssl/certs/ca-certificates.crt /etc/ssl/cert.pem /etc/ssl/ca-bundle.pem \
  /etc/pki/tls/certs/ca-bundle.crt /etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem; do
  [ ! -f "$egret_item" ] || mount --bind /run/egret/ca-bundle.pem "$egret_item"
done

egret_configure() {
  ip address add "$egret_address4" dev "$1"
  echo 0 >"/proc/sys/net/ipv6/conf/$1/accept_dad" # there is nobody else on the wire to ask
  ip link set "$1" up
  ip route add default via "$egret_gateway4"
  ip -6 address add "$egret_address6" dev "$1"
  ip -6 route | grep -q ^default || ip -6 route add default via "$egret_gateway6" dev "$1"
  printf 'nameserver %s\n' "$egret_gateway4" >/run/egret/resolv.conf
  if [ -e /etc/resolv.conf ]; then
    mount --bind /run/egret/resolv.conf /etc/resolv.conf
  else
    mkdir -p /etc && ln -sf /run/egret/resolv.conf /etc/resolv.conf
  fi
}

ip link set lo up
if ! ip route | grep -q ^default; then
  for egret_item in /sys/class/net/*; do
    [ "$(cat "$egret_item/address")" != "$egret_card" ] || egret_configure "${egret_item##*/}"
  done
fi

if [ -e "$egret_facts/command/raw" ]; then
  cat "$egret_facts/command/raw" >/run/egret/command
  sh /run/egret/command
  echo $? >/dev/ttyS1
  sync
  poweroff -f
fi
