"""The results for people: text tables, and a summary in Markdown."""

UNITS = {"x": "x", "ms": " ms", "%": " %", "bytes": " bytes", "pages": " pages"}


def number(value):
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def cell(value):
    if isinstance(value, dict):
        return f"{number(value['median'])} ({number(value['min'])}-{number(value['max'])})"
    return number(value) if isinstance(value, float) else str(value)


def columns(lines):
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return ["  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip() for line in lines]


def verdict(figure):
    return {None: "", True: "yes", False: "NO"}[figure.reached]


def target(figure):
    if figure.target is None:
        return ""
    sign = ">=" if figure.at_most is None else "<="
    return f"{sign} {figure.target:g}{UNITS[figure.unit]}"


def summary(figures):
    """Lines of the table of figures."""
    return [("figure", "median", "min", "max", "target", "reached")] + [
        (figure.what, number(figure.median) + UNITS[figure.unit], number(figure.min), number(figure.max),
         target(figure), verdict(figure)) for figure in figures]


def facts_lines(facts):
    options = facts["options"]
    yield (f"{facts['date']}, {facts['commit']}, {facts['server'].split(' on ')[0]}, {facts['cores']} cores shared "
           f"with the clients, data on {facts['filesystem']}")
    yield ", ".join(f"{name} {value or 'empty'}" for name, value in sorted(facts["settings"].items()))
    yield (f"medians, minima and maxima of {options['rounds']} runs of {options['seconds']} s; the sides of a ratio take "
           "turns, and a ratio is of runs of the same turn; a target is reached by the median")
    if options["quick"]:
        yield "quick: small sizes and few runs; the targets are those of the full ones"


def text(facts, outcomes):
    lines = list(facts_lines(facts))
    for outcome in outcomes.values():
        lines += ["", outcome.title, ""]
        lines += columns([tuple(outcome.rows[0])] + [tuple(map(cell, row.values())) for row in outcome.rows])
    figures = [figure for outcome in outcomes.values() for figure in outcome.figures]
    if figures:
        lines += ["", *columns(summary(figures))]
    return "\n".join(lines) + "\n"


def table(lines):
    yield "| " + " | ".join(lines[0]) + " |"
    yield "|" + " --- |" * len(lines[0])
    for line in lines[1:]:
        yield "| " + " | ".join(text.replace("|", "\\|") for text in line) + " |"


def markdown(facts, outcomes):
    figures = [figure for outcome in outcomes.values() for figure in outcome.figures]
    lines = [f"## {facts['date'][:10]}", ""]
    for line in facts_lines(facts):
        lines += [line + ".", ""]
    if figures:
        lines += [*table(summary(figures)), ""]
    for outcome in outcomes.values():
        lines += [f"### {outcome.title[0].upper()}{outcome.title[1:]}", ""]
        lines += [*table([tuple(outcome.rows[0])] + [tuple(map(cell, row.values())) for row in outcome.rows]), ""]
    return "\n".join(lines)
