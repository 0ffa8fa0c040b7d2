"""Plots as SVG: histograms over a logarithmic axis, and lines over time. No library, and text stays text."""

import html
import math

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 720, 240, 64, 42, 34, 16
COLOURS = ["#2a6fbb", "#c2571a", "#3a8a4d"]


def number(value):
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


class Panel:
    """One plot: axes, ticks and what is drawn into them."""

    def __init__(self, title, x_label, y_label, x_range, y_most, log=False):
        self.title, self.x_label, self.y_label, self.log, self.y_most = title, x_label, y_label, log, y_most or 1
        low, high = x_range
        self.low, self.high = (math.log10(low), math.log10(high)) if log else (low, high)
        if self.high <= self.low:
            self.high = self.low + 1
        self.parts, self.names = [], []

    def x(self, value):
        value = math.log10(value) if self.log else value
        return LEFT + (value - self.low) / (self.high - self.low) * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        return HEIGHT - BOTTOM - value / self.y_most * (HEIGHT - BOTTOM - TOP)

    def ticks(self):
        if self.log:
            decades = range(math.floor(self.low), math.ceil(self.high) + 1)
            ticks = [10.0 ** d * step for d in decades for step in (1, 2, 5)]
            return [t for t in ticks if self.low - 1e-9 <= math.log10(t) <= self.high + 1e-9]
        return [self.low + (self.high - self.low) * i / 6 for i in range(7)]

    def bars(self, edges, counts, name, index=0):
        colour = COLOURS[index % len(COLOURS)]
        self.names.append((name, colour))
        for a, b, count in zip(edges, edges[1:], counts):
            if count:
                x, y = self.x(a), self.y(count)
                self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(0.5, self.x(b) - x - 0.5):.1f}" '
                                  f'height="{HEIGHT - BOTTOM - y:.1f}" fill="{colour}" fill-opacity="0.6"/>')

    def line(self, points, name, index=0):
        colour = COLOURS[index % len(COLOURS)]
        self.names.append((name, colour))
        path = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')

    def mark(self, value, name):
        x = self.x(value)
        self.parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#444" stroke-dasharray="3 3"/>'
                          f'<text x="{x + 3:.1f}" y="{TOP + 10}" font-size="10">{html.escape(name)}</text>')

    def draw(self):
        out = [f'<text x="{LEFT}" y="18" font-size="13" font-weight="bold">{html.escape(self.title)}</text>']
        for value in self.ticks():
            x = LEFT + ((math.log10(value) if self.log else value) - self.low) / (self.high - self.low) * (WIDTH - LEFT - RIGHT)
            out.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM + 4}" stroke="#ddd"/>'
                       f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" font-size="10" text-anchor="middle">{number(value)}</text>')
        for i in range(5):
            value = self.y_most * i / 4
            out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{self.y(value):.1f}" y2="{self.y(value):.1f}" stroke="#eee"/>'
                       f'<text x="{LEFT - 6}" y="{self.y(value) + 3:.1f}" font-size="10" text-anchor="end">{number(value)}</text>')
        out += self.parts
        out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" font-size="11" text-anchor="middle">{html.escape(self.x_label)}</text>')
        out.append(f'<text x="14" y="{HEIGHT / 2}" font-size="11" text-anchor="middle" transform="rotate(-90 14 {HEIGHT / 2})">{html.escape(self.y_label)}</text>')
        x = WIDTH - RIGHT
        for name, colour in reversed(self.names):
            out.append(f'<text x="{x}" y="18" font-size="11" text-anchor="end" fill="{colour}">{html.escape(name)}</text>')
            x -= 7 * len(name) + 16
        return "\n".join(out)


def histogram(title, x_label, series, marks=(), bins=60):
    """`series`: name -> positive values, over one logarithmic axis."""
    every = [max(value, 1e-6) for values in series.values() for value in values] or [1.0]
    low, high = min(every) / 1.05, max(every) * 1.05
    edges = [low * (high / low) ** (i / bins) for i in range(bins + 1)]
    counted = {}
    for name, values in series.items():
        counts = [0] * bins
        for value in values:
            at = int(bins * math.log(max(value, 1e-6) / low) / math.log(high / low))
            counts[min(bins - 1, max(0, at))] += 1
        counted[name] = counts
    panel = Panel(title, x_label, "requests", (low, high), max((max(c) for c in counted.values()), default=1), log=True)
    for index, (name, counts) in enumerate(counted.items()):
        panel.bars(edges, counts, name, index)
    for value, name in marks:
        panel.mark(value, name)
    return panel


def lines(title, x_label, y_label, series):
    """`series`: name -> points (x, y)."""
    points = [point for of in series.values() for point in of] or [(0, 1)]
    panel = Panel(title, x_label, y_label, (min(x for x, _ in points), max(x for x, _ in points)), 1.1 * max(y for _, y in points))
    for index, (name, of) in enumerate(series.items()):
        panel.line(of, name, index)
    return panel


def write(path, panels):
    """Panels one below the other."""
    height = HEIGHT * len(panels)
    body = "\n".join(f'<g transform="translate(0 {i * HEIGHT})">\n{panel.draw()}\n</g>' for i, panel in enumerate(panels))
    path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
                    f'font-family="sans-serif">\n<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n')
