"""Finds which of the project's files each of its Python files imports, by reading them.

Nothing is run. Imports within functions count, and so does a string that is the dotted name of one of
the project's modules, since a program may import what it names. A string that ends with a dot, as in
`import_module("app." + name)`, stands for all modules of the package.

What nobody names is not seen. A module that is there nevertheless was imported by a plugin or by a
framework; whoever runs us takes it for something that each test needs. So is one that was there before
the first file with tests, unless a conftest.py imports it.
"""

import ast
import os
import re
import sys
import types

runner = None  # The module that runs us; it sets this.

DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\.?\Z")
SUFFIX = ".py"
INIT = "__init__" + SUFFIX
INSTALLED = ("site-packages", "dist-packages")


def loaded():
    """The files of the modules that are there now, as the modules name them."""
    modules = list(sys.modules.values())
    modules = [module for module in modules if isinstance(module, types.ModuleType)]
    return [vars(module).get("__file__") for module in modules]


def of(session, top, early):
    """The files of the project below `top`, each with those that it imports, and which of them are in
    `early`, an answer of `loaded`."""
    project = Project(top)
    for name, module in list(sys.modules.items()):
        project.add_module(name, module)
    # With some import modes, these are in no list of modules, or under other names.
    for plugin in session.config.pluginmanager.get_plugins():
        project.add_module(None, plugin)
    for item in session.items:
        project.add_module(None, getattr(item, "module", None))
    files = project.read()
    early = {project.own(path) for path in early}
    return {"files": files, "early": sorted(path for path in early if path in files)}


class Project:
    def __init__(self, top):
        self.top = os.path.join(os.path.realpath(top), "")
        self.packages = {}  # The package of each file that is to be read.
        self.found = {}  # What `find` has found before.
        self.first_names = set()  # With what names of the project's modules begin.
        for place in sys.path:
            place = os.path.join(os.path.realpath(place or os.curdir), "")
            if place.startswith(self.top) and not is_installed(place):
                names = os.listdir(place) if os.path.isdir(place) else []
                self.first_names.update(name.split(".")[0] for name in names)

    def own(self, path):
        """The path of one of the project's Python files, without symbolic links."""
        if not isinstance(path, str) or not path.endswith(SUFFIX):
            return None
        path = os.path.realpath(path)
        if not path.startswith(self.top) or is_installed(path) or not os.path.isfile(path):
            return None
        try:
            path.encode()
        except UnicodeEncodeError:
            return None  # JSON has no such names.
        return path

    def add_module(self, name, module):
        if not isinstance(module, types.ModuleType):
            return
        path = self.own(vars(module).get("__file__"))
        if path is None:
            return
        package = vars(module).get("__package__")
        if name is not None:
            self.first_names.add(name.split(".")[0])
        self.packages.setdefault(path, package if isinstance(package, str) else "")

    def read(self):
        files = {}
        while len(files) < len(self.packages):
            for path, package in list(self.packages.items()):
                if path not in files:
                    files[path] = sorted(self.imports(path, package) - {path})
        return files

    def imports(self, path, package):
        try:
            with open(path, "rb") as file:
                tree = ast.parse(file.read())
        except (OSError, SyntaxError, ValueError, RecursionError):
            return set()
        found = self.find(package)
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for name in node.names:
                    found |= self.find(name.name)
            elif isinstance(node, ast.ImportFrom):
                found |= self.imports_from(node, package)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= self.named(node.value)
        return found

    def imports_from(self, node, package):
        base = node.module or ""
        if node.level:
            parts = package.split(".")
            parts = parts[: len(parts) - node.level + 1]
            base = ".".join([*parts, *filter(None, [base])])
        found = self.find(base)
        for name in node.names:
            if name.name == "*":
                found = found | self.below(base, deep=False)
            else:
                found = found | self.find(base + "." + name.name)
        return found

    def named(self, text):
        """The files of the module that a string names."""
        if len(text) > 200 or not DOTTED.match(text):
            return set()
        if text.split(".")[0] not in self.first_names:
            return set()
        if text.endswith("."):
            return self.below(text[:-1], deep=True)
        return self.find(text)

    def find(self, name):
        """The project's files that are run when a module is imported: those of packages around it,
        too. A name behind the last module may be anything in it."""
        found, path, full = set(), None, ""
        for part in filter(None, name.split(".")):
            full = full + "." + part if full else part
            file, path = self.locate(full, path)
            if file is not None:
                found.add(file)
            if path is None:
                break
        return found

    def below(self, name, deep):
        """The files of all modules of a package."""
        path = None
        full = ""
        for part in filter(None, name.split(".")):
            full = full + "." + part if full else part
            _, path = self.locate(full, path)
            if path is None:
                return set()
        found = set()
        for place in path or ():
            for directory, directories, files in os.walk(place):
                for file in files:
                    file = self.own(os.path.join(directory, file))
                    if file is not None:
                        inside = os.path.relpath(os.path.dirname(file), os.path.realpath(place))
                        parts = [] if inside == os.curdir else inside.split(os.sep)
                        self.packages.setdefault(file, ".".join([name, *parts]))
                        found.add(file)
                if not deep:
                    directories.clear()
        return found

    def locate(self, name, path):
        """The file of a module if it is the project's, and where its submodules are, if it has any.
        `path` is where the submodules of the package around it are."""
        key = name, None if path is None else tuple(path)
        if key not in self.found:
            self.found[key] = self.look_for(name, path)
        return self.found[key]

    def look_for(self, name, path):
        module = sys.modules.get(name)
        if isinstance(module, types.ModuleType):
            self.add_module(name, module)
            file, inside = vars(module).get("__file__"), vars(module).get("__path__")
        else:
            spec = specification(name, path)
            file = getattr(spec, "origin", None)
            inside = getattr(spec, "submodule_search_locations", None)
        own = self.own(file)
        if own is not None:
            is_package = os.path.basename(own) == INIT
            package = name if is_package else name.rpartition(".")[0]
            self.packages.setdefault(own, package)
        try:
            places = None if inside is None else [str(place) for place in inside]
        except Exception:
            places = None
        if own is None and isinstance(file, str):
            places = None  # Another project's package.
        return own, places


def specification(name, path):
    """Where a module is that has not been imported. Finders do not run it."""
    for finder in list(sys.meta_path):
        try:
            found = finder.find_spec(name, path)
        except Exception:
            continue
        if found is not None:
            return found
    return None


def is_installed(path):
    parts = path.split(os.sep)
    if any(name in parts for name in INSTALLED):
        return True
    environment = os.path.join(os.path.realpath(sys.prefix), "")
    return sys.prefix != sys.base_prefix and path.startswith(environment)
