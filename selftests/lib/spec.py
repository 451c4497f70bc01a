"""Netlink specs: reads the part of YAML that they are written in, and packs and unpacks attributes by them.

(python3-yaml is not in every machine that these tests run in, and the kernel's own ynl needs it.)
"""
import struct

from genl import attr, parse


def load(text):
    """Mappings and lists by indentation, `[a, b]`, `|` blocks, plain scalars: what a spec uses."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#") and line != "---"]
    value, rest = _block(lines, _depth(lines[0]))
    assert not rest, f"left over: {rest[:3]}"
    return value


def _depth(line):
    return len(line) - len(line.lstrip())


def _block(lines, depth):
    return (_list if lines[0].lstrip().startswith("-") else _mapping)(lines, depth)


def _list(lines, depth):
    out = []
    while lines and _depth(lines[0]) == depth and lines[0].lstrip().startswith("-"):
        after = lines[0].lstrip()[1:].strip()
        if after and ":" not in after:
            out.append(_scalar(after))
            lines = lines[1:]
            continue
        if after:
            lines = [" " * (depth + 2) + after] + lines[1:]
        else:
            lines = lines[1:]
        value, lines = _block(lines, _depth(lines[0]))
        out.append(value)
    return out, lines


def _mapping(lines, depth):
    out = {}
    while lines and _depth(lines[0]) == depth and not lines[0].lstrip().startswith("- "):
        key, _, after = lines[0].strip().partition(":")
        after, lines = after.strip(), lines[1:]
        if after in ("|", ">", "|-", ">-"):
            while lines and _depth(lines[0]) > depth:
                lines = lines[1:]
            out[key] = ""
        elif after:
            out[key] = _scalar(after)
        elif lines and _depth(lines[0]) > depth:
            out[key], lines = _block(lines, _depth(lines[0]))
        else:
            out[key] = None
    return out, lines


def _scalar(text):
    if text.startswith("["):
        return [_scalar(t.strip()) for t in text[1:-1].split(",") if t.strip()]
    try:
        return int(text, 0)
    except ValueError:
        return text


WIDTHS = {"u8": "B", "u16": "H", "u32": "I", "s32": "i", "u64": "Q"}


class Spec:
    def __init__(self, path):
        self.raw = load(open(path).read())
        self.name = self.raw["name"]
        self.sets = {s["name"]: self._numbered(s["attributes"]) for s in self.raw["attribute-sets"]}
        self.ops = self.raw["operations"]["list"]

    @staticmethod
    def _numbered(attributes):
        out, n = {}, 0
        for a in attributes:
            n = a.get("value", n + 1)
            out[a["name"]] = dict(a, value=n)
        return out

    def pack(self, set_name, values):
        """Attributes from {name: value}; a value is a number, bytes, text, or a dictionary for a nest."""
        out = b""
        for name, value in values.items():
            a = self.sets[set_name][name]
            if a["type"] == "nest":
                out += attr(a["value"], [self.pack(a["nested-attributes"], value)])
            elif a["type"] in WIDTHS:
                order = "!" if a.get("byte-order") == "big-endian" else "="
                out += attr(a["value"], struct.pack(order + WIDTHS[a["type"]], value))
            elif a["type"] == "flag":
                out += attr(a["value"])
            else:
                out += attr(a["value"], value)
        return out

    def unpack(self, set_name, attributes):
        """[(name, value)] of what the kernel sent; raises when the spec has no such attribute or another length."""
        by_number = {a["value"]: a for a in self.sets[set_name].values()}
        out = []
        for kind, data in attributes:
            assert kind in by_number, f"attribute {kind} of {set_name} is not in the spec"
            a = by_number[kind]
            if a["type"] == "nest":
                value = self.unpack(a["nested-attributes"], parse(data))
            elif a["type"] in WIDTHS:
                width = struct.calcsize("=" + WIDTHS[a["type"]])
                assert len(data) == width, f"{set_name}.{a['name']}: {len(data)} bytes, the spec says {a['type']}"
                order = "!" if a.get("byte-order") == "big-endian" else "="
                value = struct.unpack(order + WIDTHS[a["type"]], data)[0]
            elif a["type"] == "string":
                assert data.endswith(b"\0"), f"{set_name}.{a['name']} is no string: {data}"
                value = data[:-1].decode()
            else:
                most = (a.get("checks") or {}).get("max-len")
                assert most is None or len(data) <= most, f"{set_name}.{a['name']}: {len(data)} bytes"
                value = data
            out.append((a["name"], value))
        return out

    def request(self, op, way):
        """(command, attributes that may be sent) of an operation's `do` or `dump`."""
        r = (op[way] or {}).get("request") or {}
        return r.get("value", op.get("value")), r.get("attributes") or []

    def reply(self, op, way):
        r = (op[way] or {}).get("reply") or {}
        return r.get("value", op.get("value")), r.get("attributes") or []
