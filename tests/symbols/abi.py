#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""Writes down what programs compiled against libtendril rely on: python3 abi.py LIBRARY SHIM.

What is exported comes from the built libraries. Return types, members' offsets, virtual functions and
enumerators come from the public headers as clang reads them, so that neither optimisation nor debug
information nor the build that was used makes a difference."""

import json
import os
import platform
import re
import subprocess
import sys

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
GUESTS = {"tendril/boost_fiber.hpp"}  # a header whose users bring Boost

SHORT = {
    "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >": "std::string",
    "std::basic_string_view<char, std::char_traits<char> >": "std::string_view",
    "std::chrono::time_point<std::chrono::_V2::steady_clock, "
    "std::chrono::duration<long, std::ratio<1l, 1000000000l> > >": "std::chrono::steady_clock::time_point",
}

INTRODUCTION = f"""\
# SPDX-License-Identifier: BSL-1.0
# What programs that were compiled against libtendril rely on ({platform.machine()}). ./dev abi writes it,
# and a test compares. New lines do no harm; a line that changes or goes breaks programs.
"""


def run(*command, text=None):
    return subprocess.run(command, input=text, capture_output=True, text=True)


def output(*command):
    done = run(*command)
    if done.returncode:
        raise RuntimeError(f"{command}\n{done.stderr}")
    return done.stdout


def clang(include, probes, *options):
    """What clang says of the headers and the probes, each a line; those that don't compile are left out."""
    probes = list(probes)
    while True:
        code = includes(include) + "".join(f"/* probe {i} */ {probe}\n" for i, probe in enumerate(probes))
        done = run("clang++", "-std=c++17", "-I", include, "-fsyntax-only", "-x", "c++", *options, "-",
                   text=code)
        wrong = {int(number) for number in re.findall(r"/\* probe (\d+) \*/", done.stderr)}
        if done.returncode and not wrong:
            raise RuntimeError(done.stderr)
        if not done.returncode:
            return done.stdout
        probes = [probe for i, probe in enumerate(probes) if i not in wrong]


def includes(include):
    names = [os.path.relpath(os.path.join(where, name), include)
             for where, _, files in os.walk(include) for name in files]
    return "".join(f"#include <{name}>\n" for name in sorted(names) if name not in GUESTS)


class Headers:
    """The declarations in namespace tendril and of tendril_*."""

    def __init__(self, include):
        self.functions = {}  # mangled name: type, of those that the library has to define
        self.inline = set()  # the mangled names of those with a body, perhaps after their class
        self.records = []    # complete, nameable ones
        self.virtual = {}    # record: its own virtual functions in order
        self.enumerations = {}
        text = clang(include, [], "-Xclang", "-ast-dump=json", "-Xclang", "-ast-dump-filter=tendril")
        decoder, begin = json.JSONDecoder(), re.compile(r"\S")
        following = begin.search(text)
        while following:
            node, end = decoder.raw_decode(text, following.start())
            self.read(node, "")
            following = begin.search(text, end)
        for name in self.inline:
            self.functions.pop(name, None)

    def read(self, node, scope):
        kind, name = node["kind"], node.get("name", "")
        if kind in ("NamespaceDecl", "LinkageSpecDecl", "FriendDecl"):
            for inner in node.get("inner", []):
                self.read(inner, scope + name + "::" if kind == "NamespaceDecl" else scope)
        elif kind == "CXXRecordDecl" and node.get("completeDefinition") and name:
            self.read_record(node, scope + name)
        elif kind == "ClassTemplateDecl":
            self.read_template(node, scope + name)
        elif kind == "EnumDecl" and name:
            self.read_enumeration(node, scope + name)
        elif "mangledName" in node and kind != "VarDecl":
            self.read_function(node)

    def read_record(self, node, name):
        self.records.append(name)
        self.virtual[name] = [f"{inner['name']}({inner['type']['qualType'].split('(', 1)[1]}"
                              for inner in node.get("inner", []) if inner.get("virtual")]
        nameable = node["tagUsed"] != "class"
        for inner in node.get("inner", []):
            if inner["kind"] == "AccessSpecDecl":
                nameable = inner["access"] == "public"
            elif nameable or inner["kind"] not in ("CXXRecordDecl", "ClassTemplateDecl", "EnumDecl"):
                self.read(inner, name + "::")

    def read_template(self, node, name):
        """One instance, if int will do, stands for what users' own libraries may pass among each other."""
        kinds = [inner["kind"] for inner in node["inner"]]
        complete = any(inner.get("completeDefinition") for inner in node["inner"]
                       if inner["kind"] == "CXXRecordDecl")
        pack = any(inner.get("isParameterPack") for inner in node["inner"])
        if complete and not pack and kinds[:2] == ["TemplateTypeParmDecl", "CXXRecordDecl"]:
            self.records.append(f"{name}<int>")

    def read_enumeration(self, node, name):
        value, values = -1, []
        for inner in node.get("inner", []):
            if inner["kind"] == "EnumConstantDecl":
                given = [each["value"] for each in inner.get("inner", []) if "value" in each]
                value = int(given[0]) if given else value + 1
                values.append(f"{inner['name']} = {value}")
        underlying = node.get("fixedUnderlyingType", {}).get("qualType", "unsigned")
        self.enumerations[f"{name}: {underlying}"] = values

    def read_function(self, node):
        has_body = any(inner["kind"] == "CompoundStmt" for inner in node.get("inner", []))
        if (has_body or node.get("inline") or node.get("constexpr") or node.get("isImplicit")
                or node.get("explicitlyDefaulted") or node.get("explicitlyDeleted") or node.get("pure")):
            self.inline.add(node["mangledName"])
        else:
            self.functions[node["mangledName"]] = node["type"]["qualType"]


def exported(library):
    """(name, version, size of data) of each symbol, the names mangled."""
    for line in output("nm", "-D", "--defined-only", "--format=posix", library).splitlines():
        symbol, kind, _, *size = line.split()
        if kind != "A":
            name, _, version = symbol.partition("@")
            yield name, version.lstrip("@"), int(size[0], 16) if kind in "VDBR" and size else 0


def demangled(names):
    return dict(zip(names, output("c++filt", *names).splitlines())) if names else {}


def soname(library):
    return re.search(r"\(SONAME\).*\[(.+)\]", output("readelf", "-d", library)).group(1)


def short(text):
    for spelling, name in SHORT.items():
        text = text.replace(spelling, name)
    return text


def symbol_lines(library, headers):
    """version: its lines. Constructors and destructors, of which there are several, have one line."""
    symbols = list(exported(library))
    plain = demangled([name for name, _, _ in symbols])
    lines = {}
    for name, version, size in symbols:
        line = short(plain[name])
        signature = headers.functions.get(name, "")
        returned, _, parameters = headers.functions.get(name, "").partition("(")
        if size:
            line += f": {size} bytes"
        elif returned and not re.search(r"\b(\w+)::~?\1\(", line):
            own = f"{name}({parameters}" if name == plain[name] else line  # C names carry no types
            line = re.sub(r"([*&]) $", r"\1", returned.strip() + " ") + own
        lines.setdefault(version, {})[line] = plain[name]
    return {version: sorted(found, key=lambda line: (found[line], line))
            for version, found in sorted(lines.items())}


def tidy(text):
    text = re.sub(r"\((unnamed|anonymous)[^)]*\)", r"(\1)", text)
    return re.sub(r"\b(class|struct|union|enum) ", "", text).rstrip()


def layouts(include, records, *options):
    """record: its lines, which go into unnamed members and stop at named types."""
    probes = [f"static_assert(sizeof({name}) != 0);" for name in records]
    text = clang(include, probes, "-Xclang", "-fdump-record-layouts",
                 "-Xclang", "-fdump-record-layouts-canonical", *options)
    wanted = {name.replace("v1::", ""): name for name in records}
    found = {}
    for block in text.split("*** Dumping AST Record Layout\n"):
        head, *members = block.splitlines() or [""]
        name = re.sub(r" \(empty\)$", "", tidy(head.partition("| ")[2]))
        if name not in wanted:
            continue
        size, align = re.search(r"\[sizeof=(\d+).* align=(\d+)", block).groups()
        lines, closed = [f"{wanted[name]}: {size} bytes, aligned to {align}"], None
        for offset, member in (line.split("| ", 1) for line in members if re.match(r" *\d+", line)):
            depth = len(member) - len(member.lstrip())
            if closed is None or depth <= closed:
                closed = None if re.search(r"\((unnamed|anonymous)", member) else depth
                lines.append(f"  {offset.strip():>5} {'  ' * (depth // 2 - 1)}{tidy(member.lstrip())}")
        found[wanted[name]] = lines
    return found


def dump(library, shim, include=os.path.join(SOURCE, "include")):
    headers = Headers(include)
    text = INTRODUCTION
    for version, lines in symbol_lines(library, headers).items():
        text += f"\n{soname(library)} exports, with version {version}\n\n" + "\n".join(lines) + "\n"
    text += "\nRecords: the offsets of their members, their virtual functions\n"
    for name, lines in sorted(layouts(include, headers.records).items()):
        virtual = [f"  virtual {function}" for function in headers.virtual.get(name, [])]
        text += "\n" + "\n".join(lines + virtual) + "\n"
    text += "\nEnumerations\n\n"
    for name, values in sorted(headers.enumerations.items()):
        text += f"{name} {{ {', '.join(values)} }}\n"
    text += f"\n{soname(shim)} exports\n\n"
    return text + "".join(f"{name}\n" for name in sorted({name for name, _, _ in exported(shim)}))


if __name__ == "__main__":
    sys.stdout.write(dump(*sys.argv[1:]))
