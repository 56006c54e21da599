"""The results as one SVG: every target and how near it is, and curves of what has some."""

import html
import math

from .report import cell, number, target, UNITS

WIDTH, LEFT, ROW, PAD = 1200, 580, 22, 30
PLOT_HEIGHT = 220
COLOURS = ("#3465a4", "#c17d11", "#73a839", "#75507b")
REACHED, MISSED, GRID, INK = "#73a839", "#cc3333", "#d8d8d8", "#333333"


class Drawing:
    """SVG elements from the top downwards; `y` is where the next section starts."""

    def __init__(self):
        self.parts = []
        self.y = PAD

    def text(self, x, y, text, anchor="start", weight="normal", colour=INK):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" '
                          f'fill="{colour}">{html.escape(str(text))}</text>')

    def line(self, x1, y1, x2, y2, colour=GRID):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>')

    def bar(self, x, y, width, colour):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{ROW - 8}" '
                          f'fill="{colour}"/>')

    def title(self, text):
        self.text(PAD, self.y, text, weight="bold")
        self.y += ROW

    def svg(self):
        return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{self.y:.0f}" '
                f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
                + "\n".join(self.parts) + "</svg>\n")


def short(text, most=92):
    return text if len(text) <= most else text[:most - 3] + "..."


def targets(drawing, figures):
    """A bar for each target on a logarithmic scale: right of the line, on its good side."""
    figures = [figure for figure in figures if figure.target is not None]
    if not figures:
        return
    drawing.title("Targets: how far each median is on the good side (right) or the bad side (left) of its target")
    middle, scale = LEFT + 200, 45  # pixels for a factor of 2
    top = drawing.y
    for figure in figures:
        factor = math.log2(min(max(figure.margin, 1 / 16), 16))
        drawing.text(LEFT - 8, drawing.y + 11, short(figure.what), "end")
        drawing.bar(middle + min(factor, 0) * scale, drawing.y, abs(factor) * scale,
                    REACHED if figure.reached else MISSED)
        drawing.text(WIDTH - PAD, drawing.y + 11, f"{number(figure.median)}{UNITS[figure.unit]}, {target(figure)}", "end")
        drawing.y += ROW
    drawing.line(middle, top - 4, middle, drawing.y, INK)
    drawing.y += PAD


def ceiling(value):
    """The next number above that divides well by four."""
    power = 10 ** math.floor(math.log10(max(value, 1)))
    return next(step * power for step in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10) if step * power >= value)


def curves(drawing, title, labels, series, unit):
    """Lines over evenly spaced labels; `series` is {name: [spread or None, ...]}, drawn with its minima and maxima."""
    drawing.title(title)
    top, left, right = drawing.y, 90, WIDTH - 230
    bottom = top + PLOT_HEIGHT
    most = ceiling(max(point["max"] for points in series.values() for point in points if point))

    def place(i, value):
        return left + (right - left) * (i + 0.5) / len(labels), bottom - PLOT_HEIGHT * value / most

    for part in range(5):
        y = bottom - PLOT_HEIGHT * part / 4
        drawing.line(left, y, right, y)
        drawing.text(left - 8, y + 4, number(most * part / 4), "end")
    for i, label in enumerate(labels):
        drawing.text(place(i, 0)[0], bottom + 16, label, "middle")
    drawing.text(left - 8, top - 8, unit, "end")
    for nth, (name, points) in enumerate(series.items()):
        colour = COLOURS[nth % len(COLOURS)]
        here = [(i, point) for i, point in enumerate(points) if point]
        path = " ".join("{:.1f},{:.1f}".format(*place(i, point["median"])) for i, point in here)
        drawing.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for i, point in here:
            drawing.line(*place(i, point["min"]), *place(i, point["max"]), colour)
            x, y = place(i, point["median"])
            drawing.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')
        drawing.text(right + 16, top + ROW * nth + 10, name, colour=colour)
    drawing.y = bottom + 2 * PAD


def bars(drawing, title, rows):
    """(label, spread) each."""
    drawing.title(title)
    most = max(point["median"] for _, point in rows) or 1
    for label, point in rows:
        drawing.text(LEFT - 8, drawing.y + 11, short(label), "end")
        drawing.bar(LEFT, drawing.y, 330 * point["median"] / most, COLOURS[0])
        drawing.text(WIDTH - PAD, drawing.y + 11, cell(point), "end")
        drawing.y += ROW
    drawing.y += PAD


def chart(outcomes):
    drawing = Drawing()
    targets(drawing, [figure for outcome in outcomes.values() for figure in outcome.figures])
    if "cycle" in outcomes:
        rows = outcomes["cycle"].rows
        clients = sorted({row["clients"] for row in rows})
        rates = {(row["side"], row["clients"]): row["cycles/s"] for row in rows}
        curves(drawing, "claim + complete by clients", clients,
               {side: [rates.get((side, count)) for count in clients] for side in dict.fromkeys(s for s, _ in rates)},
               "cycles/s")
    if "held" in outcomes:
        rows = outcomes["held"].rows
        steps = [name for name in rows[0] if name not in ("queue", "x")]
        curves(drawing, "claim + complete while another session holds a snapshot open", steps,
               {row["queue"]: [row.get(step) for step in steps] for row in rows}, "cycles/s")
    if "peers" in outcomes:
        for told in ("enqueue/s", "fetch + complete/s", "enqueue + fetch + complete/s"):
            bars(drawing, f"{told.removesuffix('/s')}, jobs a second through Node.js",
                 [(f"{row['system']}, {row['at once']} at once", row[told]) for row in outcomes["peers"].rows])
    return drawing.svg()
