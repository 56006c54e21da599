"""What a measurement comes to: figures, each of several runs and perhaps with a target, and tables."""

from __future__ import annotations

import dataclasses
import statistics


def spread(runs):
    return {"median": statistics.median(runs), "min": min(runs), "max": max(runs)}


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


@dataclasses.dataclass
class Figure:
    """One line of the summary. `unit` is x for a ratio; `at_least` or `at_most` is the target, which the median
    must reach."""

    what: str
    runs: list
    unit: str = "x"
    at_least: float | None = None
    at_most: float | None = None

    def __post_init__(self):
        self.median, self.min, self.max = spread(self.runs).values()

    @property
    def target(self):
        """The bound, or None."""
        return self.at_most if self.at_least is None else self.at_least

    @property
    def margin(self):
        """How far on the good side of its target the median is: 1 is just there, None without a target."""
        if self.target is None:
            return None
        if self.at_least is not None:
            return self.median / self.at_least
        return self.at_most / self.median if self.median > 0 else float("inf")

    @property
    def reached(self):
        return None if self.target is None else self.margin >= 1

    def as_dict(self):
        return {"what": self.what, "unit": self.unit, "median": self.median, "min": self.min, "max": self.max,
                "runs": self.runs, "at_least": self.at_least, "at_most": self.at_most, "reached": self.reached}


@dataclasses.dataclass
class Outcome:
    """`rows`: dicts with the same keys, the columns of one table under `title`; a cell is text, a number or a
    spread. `raw` goes into the JSON alone."""

    title: str
    rows: list
    figures: list = dataclasses.field(default_factory=list)
    raw: object = None
