#!/bin/sh
# Installs libtwin below PREFIX: the shared library under its soname, the static one, twin.h, twin.pc.
#
#     bindings-c/install.sh PREFIX
#
# DESTDIR is put before every path, for packagers. LIBRARIES names a folder with libtwin.so and libtwin.a that are built already.
# Without it they are built with the profile that PROFILE names: `small` (the default, a stripped library of 3.3 MB) or `release`
# (6 MB, for gateways that serve so many devices that a processor's time counts more than its memory).
set -eu

if [ $# -ne 1 ]; then
    echo "usage: install.sh PREFIX" >&2
    exit 2
fi
case $1 in
/*) prefix=$1 ;;
*) prefix=$(pwd)/$1 ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$here/../Cargo.toml" | head -n 1)
soname=libtwin.so.0

if [ -n "${LIBRARIES:-}" ]; then
    from=$LIBRARIES
else
    profile=${PROFILE:-small}
    (cd "$here/.." && cargo build --profile "$profile" --package bindings-c)
    from=${CARGO_TARGET_DIR:-$here/../target}/$profile
fi

to=${DESTDIR:-}$prefix
mkdir -p "$to/lib/pkgconfig" "$to/include"
install -m 755 "$from/libtwin.so" "$to/lib/libtwin.so.$version"
ln -sf "libtwin.so.$version" "$to/lib/$soname"
ln -sf "$soname" "$to/lib/libtwin.so"
install -m 644 "$from/libtwin.a" "$to/lib/libtwin.a"
install -m 644 "$here/include/twin.h" "$to/include/twin.h"
sed -e "s|@PREFIX@|$prefix|" -e "s|@VERSION@|$version|" "$here/twin.pc.in" > "$to/lib/pkgconfig/twin.pc"
