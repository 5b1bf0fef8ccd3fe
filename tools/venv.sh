#!/bin/sh
# Make a virtual environment: tools/venv.sh PYTHON DIR
# Debian splits the venv module off python3: where it is missing and we may, install it.
set -eu
python=${1:-}
dir=$2
if [ -z "$python" ]; then
    echo "make: Python 3.11 or newer is needed (python3 not found)" >&2
    exit 2
fi
"$python" - <<'PY'
import sys
if sys.version_info < (3, 11):
    sys.exit(f"make: Python 3.11 or newer is needed, this is {sys.version.split()[0]}")
PY
[ -x "$dir/bin/python" ] && "$dir/bin/python" -m pip --version >/dev/null 2>&1 && exit 0
if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    sudo=
    [ "$(id -u)" -eq 0 ] || sudo=$(command -v sudo || true)
    if ! command -v apt-get >/dev/null 2>&1 || { [ "$(id -u)" -ne 0 ] && [ -z "$sudo" ]; }; then
        echo "make: Python's venv module is missing; install it (Debian: apt-get install python3-venv)" >&2
        exit 2
    fi
    $sudo apt-get update -q
    version=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$version"
fi
rm -rf "$dir"
exec "$python" -m venv "$dir"
