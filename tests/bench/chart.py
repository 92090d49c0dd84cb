"""An SVG chart of p50 and p95 in milliseconds, one pair of bars a row. It takes its colours from the reader's preference for light or dark."""
from xml.sax.saxutils import escape

WIDTH, LABEL, VALUE, TOP, ROW, BAR = 760, 250, 70, 64, 52, 16

STYLE = """
text { font: 14px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600 } .small { font-size: 12px; fill: #59636e }
.p50 { fill: #0969da } .p95 { fill: #a5c8f0 } .axis { stroke: #d1d9e0 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc } .small { fill: #9198a1 } .p50 { fill: #4493f8 } .p95 { fill: #1f4a80 } .axis { stroke: #3d444d }
}"""


def step_of(most):
    """A round distance between lines, for three to seven of them."""
    return next(step for power in range(9) for step in (10 ** power, 2 * 10 ** power, 5 * 10 ** power) if most / step <= 7)


def write(path, title, rows):
    """rows: (label, p50, p95)."""
    most = max(p95 for _, _, p95 in rows)
    scale = (WIDTH - LABEL - VALUE) / most
    bottom = TOP + ROW * len(rows)
    height = bottom + 30
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">',
           f"<title>{escape(title)}</title><style>{STYLE}</style>",
           f'<text class="title" x="8" y="22">{escape(title)}</text>',
           f'<rect class="p50" x="{LABEL}" y="34" width="12" height="12"/><text class="small" x="{LABEL + 18}" y="45">p50</text>',
           f'<rect class="p95" x="{LABEL + 60}" y="34" width="12" height="12"/><text class="small" x="{LABEL + 78}" y="45">p95</text>']
    step = step_of(most)
    for value in range(0, int(most) + 1, step):
        x = LABEL + value * scale
        out.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{bottom}"/>'
                   f'<text class="small" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{value or "0 ms"}</text>')
    for number, (label, p50, p95) in enumerate(rows):
        y = TOP + ROW * number
        out.append(f'<text x="{LABEL - 10}" y="{y + BAR + 5}" text-anchor="end">{escape(label)}</text>')
        for kind, value, place in (("p50", p50, y), ("p95", p95, y + BAR + 2)):
            out.append(f'<rect class="{kind}" x="{LABEL}" y="{place}" width="{max(value * scale, 1):.1f}" height="{BAR}" rx="2"/>'
                       f'<text class="small" x="{LABEL + value * scale + 6:.1f}" y="{place + 12}">{value:.1f}</text>')
    out.append("</svg>")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n")
