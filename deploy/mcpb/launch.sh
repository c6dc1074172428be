#!/bin/sh
# Starts the ld-mcp for this machine's processor, which a bundle's manifest cannot choose.
here=$(cd "$(dirname "$0")" && pwd) || exit 1
case $(uname -m) in
  x86_64 | amd64) arch=amd64 ;;
  aarch64 | arm64) arch=arm64 ;;
  *) echo "ld-mcp has no build for $(uname -m); build one with go install github.com/ld-mcp/ld-mcp/cmd/ld-mcp@latest" >&2; exit 1 ;;
esac
program=$here/ld-mcp-$arch
# Some hosts unpack without permissions.
[ -x "$program" ] || chmod +x "$program"
exec "$program" "$@"
