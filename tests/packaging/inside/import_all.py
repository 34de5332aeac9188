"""Import every module of a package."""

from __future__ import annotations

import sys
from importlib import import_module
from pkgutil import walk_packages

package = import_module(sys.argv[1])
names = [module.name for module in walk_packages(package.__path__, f"{package.__name__}.")]
for name in names:
    if not name.endswith(".__main__"):
        import_module(name)
print(*names)
