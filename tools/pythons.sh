#!/bin/sh
# Test with the other versions of Python that this machine has: tools/pythons.sh 3.12 3.13
# Each gets an environment under build/; what is not installed is named and left out.
set -eu
cd "$(dirname "$0")/.."

# its path, also where pyenv has it and has not put it forward
find_python() {
    for found in "$(command -v "python$1" 2>/dev/null || true)" "$HOME/.pyenv/versions/$1".*/bin/python; do
        if [ -n "$found" ] && "$found" -c "import sys; assert '%d.%d' % sys.version_info[:2] == '$1'" 2>/dev/null; then
            echo "$found"
            return
        fi
    done
}

for version in "$@"; do
    python=$(find_python "$version")
    if [ -z "$python" ]; then
        echo "Python $version: not on this machine, not tested"
        continue
    fi
    echo "Python $version: $("$python" --version) ($python)"
    dir=build/python-$version
    sh tools/venv.sh "$python" "$dir"
    "$dir/bin/python" -m pip install --quiet --constraint constraints.txt --editable '.[all,test]'
    "$dir/bin/python" -m pytest -q -p no:cacheprovider -n 2 --dist loadscope tests/test_rooms.py \
        tests/experiments/test_cli.py tests/experiments/test_run_directory.py \
        tests/experiments/test_disks_and_systems.py tests/experiments/test_stops.py \
        tests/experiments/test_contract.py tests/reference/test_lmg.py tests/backends/test_aer.py
done
