#!/usr/bin/env bash
# Run the test suite with one version of Python, and the oldest or the newest packages
# that setup.cfg allows: matrix.sh UV FOLDER RESOLUTION PYTHON [PYTEST ARGUMENTS]
set -euo pipefail
uv=$1 folder=$2 resolution=$3 version=$4
shift 4
python=$folder/bin/python
compiled=(contourpy coverage kiwisolver matplotlib numpy pandas pillow
    polars scikit-learn scipy)
export UV_PYTHON_DOWNLOADS=never

printf '\n=== Python %s, %s packages ===\n' "$version" "$resolution"
if ! "$uv" python find --quiet "$version" > /dev/null 2>&1; then
    echo "skipped: Python $version is not installed"
    exit 0
fi
"$uv" venv --quiet --clear --python "$version" "$folder"
# Nothing is pinned here, that is the point, and nothing is compiled: the oldest package
# is the oldest that comes compiled for this Python.
"$uv" pip compile --quiet --python "$python" --resolution "$resolution" \
    $(printf -- '--only-binary %s ' "${compiled[@]}") \
    --extra plot --extra progress --extra test \
    --no-header --no-annotate --output-file "$folder/requirements.txt" setup.cfg > /dev/null
"$uv" pip install --quiet --python "$python" --requirements "$folder/requirements.txt"
"$uv" pip install --quiet --python "$python" --no-deps --editable .
grep -E '^(scikit-learn|numpy|scipy|joblib)==' "$folder/requirements.txt"
"$python" -m pytest "$@"
# One seed gives one network and one answer, whatever the versions; the Makefile
# compares these.
PYTHONPATH=. "$python" tests/digest.py --portable > "$folder/digests.txt"
