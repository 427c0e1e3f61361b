#!/usr/bin/env bash
# Run tests/matrix.sh with the Python of another release of Debian (trixie has 3.13, forky
# 3.14), in a folder that debootstrap fills: matrix_debian.sh SUITE FOLDER [PYTEST ARGUMENTS]
# It takes root, and what is committed. Digests are in FOLDER/source/.venv-*/digests.txt.
set -euo pipefail
suite=$1 folder=$2
shift 2
scripts=/usr/share/debootstrap/scripts
if [ ! -x "$folder/usr/bin/python3" ]; then
    # Releases that this debootstrap does not know are made like the newest one.
    script=$([ -e "$scripts/$suite" ] && echo "$suite" || echo sid)
    debootstrap --variant=minbase \
        --include=ca-certificates,gcc,make,python3,python3-dev,python3-venv \
        "$suite" "$folder" http://deb.debian.org/debian "$script"
fi
cp /etc/resolv.conf /etc/hosts "$folder/etc/"
cp /etc/ssl/certs/ca-certificates.crt "$folder/etc/ssl/certs/"
rm -rf "$folder/source"
mkdir "$folder/source"
git archive HEAD | tar --extract --directory "$folder/source"
# How much memory there is stands there.
mountpoint --quiet "$folder/proc" || mount -t proc proc "$folder/proc"
trap 'umount "$folder/proc"' EXIT
chroot "$folder" env --ignore-environment PATH=/usr/bin:/bin HOME=/root \
    LOKY_MAX_CPU_COUNT="$(nproc)" SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt bash -s -- "$@" << 'INSIDE'
set -euo pipefail
cd /source
[ -x /uv/bin/uv ] || { python3 -m venv /uv && /uv/bin/pip install --quiet uv; }
version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
for resolution in lowest-direct highest; do
    ./tests/matrix.sh /uv/bin/uv ".venv-$resolution" "$resolution" "$version" "$@"
done
sort -u .venv-*/digests.txt | cut -d ' ' -f 1 | uniq -d > differ.txt
if [ -s differ.txt ]; then
    echo "Networks differ:" >&2
    cat differ.txt >&2
    exit 1
fi
INSIDE
