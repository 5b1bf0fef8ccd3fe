import sys
from pathlib import Path

# the support is a package beside the rooms' tests, whatever the import mode and the rootdir
sys.path.insert(0, str(Path(__file__).parents[1]))

from ibm_loopback.fixtures import ibm, loopback, only_loopback, start_ibm  # noqa: F401
