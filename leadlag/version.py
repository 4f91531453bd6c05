"""The version of the package: pyproject.toml says it once, for the package and its metadata."""

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as of

try:
    VERSION = of("leadlag")
except PackageNotFoundError:            # a checkout on the path that nobody installed
    VERSION = "0+unknown"
