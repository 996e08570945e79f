"""Iceberg's jar for Spark, out of a wheel of the package index, made whole.

The wheel's jar has all of Iceberg but the copy of Jackson that Iceberg calls by a name of its own. It has another one,
Parquet's: here its classes get the name that Iceberg looks for.
"""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

JAR = "snowpark_connect_deps_iceberg/jars/iceberg-spark-runtime-3.5_2.12-*.jar"
THERE = "org/apache/iceberg/shaded/org/apache/parquet/shaded/com/fasterxml/jackson"
WANTED = "org/apache/iceberg/shaded/com/fasterxml/jackson"
# Of a class file: where its constants begin, and how long those are that hold no text, by their tag (JVMS 4.4).
CONSTANTS = 10
LENGTHS = {
    **dict.fromkeys((3, 4, 9, 10, 11, 12, 17, 18), 4),
    **dict.fromkeys((7, 8, 16, 19, 20), 2),
    15: 3,
    5: 8,
    6: 8,
}
TEXT, TAKES_TWO = 1, (5, 6)


def jars(environment: Path, folder: Path) -> list[Path]:
    """What Spark needs to read Iceberg's tables: the jar in this environment, and one that is made in the folder."""
    [found] = environment.glob(f"lib/python3*/site-packages/{JAR}")
    made = folder / "jackson.jar"
    with zipfile.ZipFile(found) as whole, zipfile.ZipFile(made, "w") as missing:
        for name in whole.namelist():
            if name.startswith(THERE) and name.endswith(".class"):
                missing.writestr(name.replace(THERE, WANTED), renamed(whole.read(name)))
    return [found, made]


def renamed(code: bytes) -> bytes:
    """A class file in which the classes of one package are called as of another."""
    [count] = struct.unpack_from(">H", code, CONSTANTS - 2)
    pieces, position, number = [code[:CONSTANTS]], CONSTANTS, 1
    while number < count:
        tag = code[position]
        if tag == TEXT:
            [length] = struct.unpack_from(">H", code, position + 1)
            text = code[position + 3 : position + 3 + length]
            for old, new in ((THERE, WANTED), (THERE.replace("/", "."), WANTED.replace("/", "."))):
                text = text.replace(old.encode(), new.encode())
            pieces.append(struct.pack(">BH", tag, len(text)) + text)
            position += 3 + length
        else:
            pieces.append(code[position : position + 1 + LENGTHS[tag]])
            position += 1 + LENGTHS[tag]
        number += 2 if tag in TAKES_TWO else 1
    return b"".join([*pieces, code[position:]])
