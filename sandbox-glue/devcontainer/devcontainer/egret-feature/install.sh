#!/bin/sh
# Runs as root while the image is built. Shells read /egret/env, which is there once the gate is:
# login shells by profile.d, interactive ones by bash's and zsh's own files.
set -eu

line='[ ! -r /egret/env ] || . /egret/env'

mkdir -p /etc/profile.d
printf '%s\n' "$line" > /etc/profile.d/egret.sh
chmod 0644 /etc/profile.d/egret.sh

for file in /etc/bash.bashrc /etc/bashrc /etc/zsh/zshenv /etc/zshenv; do
  if [ -e "$file" ] && ! grep -qxF "$line" "$file"; then
    printf '%s\n' "$line" >> "$file"
  fi
done
