#!/usr/bin/env python3
"""Writes the compilation database that clang-tidy reads, from the one of a build tree.

usage: tidy_database.py BUILD_TREE OUTPUT_FOLDER

Left out: the launcher (ccache), warnings (they are g++'s), generated sources. A precompiled header of g++ becomes the
text that it was made from.
"""
import json
import os
import shlex
import shutil
import sys


def converted(arguments, pch_folder):
    """The arguments as clang takes them."""
    compiler = next(i for i, a in enumerate(arguments) if os.path.basename(a) in ("c++", "g++", "clang++-16"))
    result = ["clang++-16"]
    rest = iter(arguments[compiler + 1:])
    for argument in rest:
        if argument.startswith("-W") and not argument.startswith("-Wl,"):
            continue
        if argument == "-include":
            header = next(rest)
            copy = os.path.join(pch_folder, header.replace("/", "_").strip("_"))
            if os.path.exists(header) and not os.path.exists(copy):
                shutil.copyfile(header, copy)
            result += ["-include", copy]
            continue
        if argument.startswith("-fsanitize") or argument.startswith("-fno-sanitize"):
            continue
        result.append(argument)
    # As deploy/cmake/dependencies.cmake says of clang and Asio 1.74.
    return result + ["-DBOOST_ASIO_HAS_CO_AWAIT=1"]


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    tree, output = sys.argv[1], os.path.abspath(sys.argv[2])
    os.makedirs(output, exist_ok=True)
    with open(os.path.join(tree, "compile_commands.json"), encoding="utf-8") as file:
        commands = json.load(file)
    rows = []
    for command in commands:
        if command["file"].startswith(os.path.abspath(tree)):
            continue
        arguments = converted(shlex.split(command["command"]), output)
        rows.append({"directory": command["directory"], "file": command["file"], "arguments": arguments})
    with open(os.path.join(output, "compile_commands.json"), "w", encoding="utf-8") as file:
        json.dump(rows, file)


if __name__ == "__main__":
    main()
