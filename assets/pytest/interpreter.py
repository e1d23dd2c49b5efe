"""Says what this interpreter is and what belongs to it, as one JSON object on standard output."""

import json
import os
import sys
import sysconfig

import importlib.metadata
import urllib.parse


def version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def edited_in_place():
    """The directories of packages that are installed where their sources are."""
    for distribution in importlib.metadata.distributions():
        text = distribution.read_text("direct_url.json")
        if text:
            place = json.loads(text)
            url = urllib.parse.urlsplit(place.get("url", ""))
            if place.get("dir_info", {}).get("editable") and url.scheme == "file":
                yield urllib.parse.unquote(url.path)


def directories():
    yield from (sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix)
    yield from sysconfig.get_paths().values()
    yield sysconfig.get_config_var("LIBDIR")
    yield os.path.dirname(os.path.realpath(sys.executable))
    yield from sys.path[1:]
    yield from edited_in_place()


json.dump(
    {
        "executable": sys.executable,
        "version": list(sys.version_info[:3]),
        "implementation": sys.implementation.name,
        "pytest": version("pytest"),
        "directories": sorted({path for path in directories() if path and os.path.exists(path)}),
    },
    sys.stdout,
)
