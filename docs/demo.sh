#!/bin/sh
# The main job without the app: train on the bundled digits, then sample, and see both in the terminal.
# Everything lands in a home of its own, so that it disturbs nothing; open it with `ddpm-tui --home DIR`.
set -eu
home=${DDPM_DEMO_HOME:-${TMPDIR:-/tmp}/ddpm-tui-demo-$(id -u)}
command=${DDPM_TUI:-.venv/bin/ddpm-tui}
name=demo-$(date +%Y%m%d-%H%M%S)

"$command" --home "$home" train digits --name "$name" --show
"$command" --home "$home" sample "$name" -n 64 --seed 1 --out "$home/$name.png" --show

echo
echo "The run and its samples are in $home"
echo "Look around:  $command --home $home"
