"""Draws the rooms of npvae and what they import: ``python docs/map.py`` writes images/map.svg.

A room is a package or module directly under `npvae/`. It stands one floor above the highest room
that it imports, and an arrow shows an import that does not follow from the others.
"""

from __future__ import annotations

import ast
from pathlib import Path
from xml.sax.saxutils import escape

DOCS = Path(__file__).parent
SOURCE = DOCS.parent / "npvae"
LEFT_OUT = {"__init__", "__main__", "_version"}

WIDTH, HEIGHT, GAP, FLOOR, MARGIN = 176, 58, 22, 104, 24
INK, FAINT, FILL = "#1f2933", "#8795a1", "#eef4fb"
FONT = "font-family='Helvetica, Arial, sans-serif'"


def rooms() -> dict[str, list[Path]]:
    """The files of each room."""
    found: dict[str, list[Path]] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE).with_suffix("").parts[0]
        if name not in LEFT_OUT:
            found.setdefault(name, []).append(path)
    return found


def imported(path: Path, known: set[str]) -> set[str]:
    """The rooms that a file imports from, within functions as well."""
    package = ["npvae", *path.relative_to(SOURCE).parent.parts]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            base += node.module.split(".") if node.module else []
            found |= {[*base, alias.name][1] for alias in node.names}
    return found & known


def imports(files: dict[str, list[Path]]) -> dict[str, set[str]]:
    """What each room imports from other rooms."""
    known = set(files)
    return {
        room: set().union(*(imported(path, known) for path in paths)) - {room}
        for room, paths in files.items()
    }


def floors(below: dict[str, set[str]]) -> list[list[str]]:
    """The rooms by floor, from the lowest."""
    floor: dict[str, int] = {}
    while len(floor) < len(below):
        ready = [r for r in below if r not in floor and below[r] <= set(floor)]
        if not ready:
            raise SystemExit(f"these import each other: {sorted(set(below) - set(floor))}")
        for room in ready:
            floor[room] = 1 + max((floor[other] for other in below[room]), default=-1)
    levels = [sorted(r for r in floor if floor[r] == n) for n in range(1 + max(floor.values()))]
    return arranged(levels, needed(below))


def arranged(levels: list[list[str]], arrows: list[tuple[str, str]]) -> list[list[str]]:
    """Each floor in the order of what its rooms are joined to, so that few arrows cross."""
    for _ in range(20):
        middle = {
            room: i - (len(level) - 1) / 2 for level in levels for i, room in enumerate(level)
        }
        for n, level in enumerate(levels):
            pull = {
                room: [middle[b] for a, b in arrows if a == room]
                + [middle[a] for a, b in arrows if b == room]
                for room in level
            }
            levels[n] = sorted(level, key=lambda r, p=pull: (sum(p[r]) / max(1, len(p[r])), r))
    return levels


def needed(below: dict[str, set[str]]) -> list[tuple[str, str]]:
    """The imports that no chain of other imports implies."""

    def reach(room: str) -> set[str]:
        return below[room].union(*(reach(other) for other in below[room]))

    return [
        (room, other)
        for room in sorted(below)
        for other in sorted(below[room])
        if not any(other in reach(via) for via in below[room] - {other})
    ]


def purpose(paths: list[Path]) -> str:
    """The first line of the room's docstring, up to its first full stop or colon."""
    main = next((p for p in paths if p.name == "__init__.py"), paths[0])
    line = (ast.get_docstring(ast.parse(main.read_text(encoding="utf-8"))) or "").split("\n")[0]
    return line.rstrip(".").replace("`", "")


def wrapped(text: str, most: int = 29) -> list[str]:
    """The text in two lines at most."""
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) + 1 > most:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines[:2] if len(lines) <= 2 else [lines[0], lines[1] + " ..."]


def picture() -> str:
    """The map as SVG."""
    files = rooms()
    below = imports(files)
    levels = floors(below)
    widest = max(map(len, levels))
    width = 2 * MARGIN + widest * WIDTH + (widest - 1) * GAP
    height = 2 * MARGIN + (len(levels) - 1) * FLOOR + HEIGHT
    place: dict[str, tuple[float, float]] = {}
    for n, level in enumerate(reversed(levels)):
        span = len(level) * WIDTH + (len(level) - 1) * GAP
        for i, room in enumerate(level):
            place[room] = (width - span) / 2 + i * (WIDTH + GAP), MARGIN + n * FLOOR
    drawn = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' {FONT}>",
        f"<rect width='{width}' height='{height}' fill='white'/>",
        "<defs><marker id='tip' viewBox='0 0 8 8' refX='7' refY='4' markerWidth='7' "
        f"markerHeight='7' orient='auto'><path d='M0,0 L8,4 L0,8 z' fill='{FAINT}'/>"
        "</marker></defs>",
    ]
    for room, other in needed(below):
        (x, y), (to_x, to_y) = place[room], place[other]
        x, to_x, y = x + WIDTH / 2, to_x + WIDTH / 2, y + HEIGHT
        bend = min(40.0, (to_y - y) / 2)
        drawn.append(
            f"<path d='M{x:.0f},{y:.0f} C{x:.0f},{y + bend:.0f} {to_x:.0f},{to_y - bend:.0f} "
            f"{to_x:.0f},{to_y:.0f}' fill='none' stroke='{FAINT}' marker-end='url(#tip)'/>"
        )
    for room, (x, y) in sorted(place.items()):
        drawn.append(
            f"<rect x='{x:.0f}' y='{y:.0f}' width='{WIDTH}' height='{HEIGHT}' rx='6' "
            f"fill='{FILL}' stroke='{INK}'/>"
        )
        drawn.append(
            f"<text x='{x + WIDTH / 2:.0f}' y='{y + 18:.0f}' text-anchor='middle' font-size='14' "
            f"font-weight='bold' fill='{INK}'>{room}</text>"
        )
        for i, line in enumerate(wrapped(purpose(files[room]))):
            drawn.append(
                f"<text x='{x + WIDTH / 2:.0f}' y='{y + 34 + 13 * i:.0f}' text-anchor='middle' "
                f"font-size='10' fill='{INK}'>{escape(line)}</text>"
            )
    return "\n".join([*drawn, "</svg>\n"])


if __name__ == "__main__":
    (DOCS / "images" / "map.svg").write_text(picture(), encoding="utf-8")
