"""The sides of a comparison: ways to do the same cycle, each with its scripts in bench/sql and its settings."""

import dataclasses
import re

from .server import SCRIPTS

# Nobody's plan depends on how full a table was when a session first used it: ffengine sees to that itself, the
# others get these settings (without a usable index, enable_seqscan off makes a plan look so costly that it
# would be compiled each time).
INDEXED = {"enable_seqscan": "off", "jit": "off"}


@dataclasses.dataclass(frozen=True)
class Side:
    name: str
    scripts: str  # what the names of its scripts begin with
    settings: dict = dataclasses.field(default_factory=dict)
    extra: int = 0  # executions a client may have claimed without ending the cycle

    @property
    def tuned(self):
        return int(self.name == "seed-tuned")

    def script(self, work):
        return SCRIPTS / f"{self.scripts}_{work}.sql"

    def can(self, work):
        return self.script(work).exists()

    def install(self, db):
        db.psql(f"{self.scripts}_schema", {"tuned": self.tuned}, self.settings)

    def fill(self, db, waiting):
        """Tops the queue up and vacuums; gives how many wait."""
        db.psql(f"{self.scripts}_fill", {"waiting": waiting}, self.settings)
        return self.waiting(db)

    def waiting(self, db):
        return int(db.psql(f"{self.scripts}_waiting", settings=self.settings))

    def round_trips(self, work):
        """Statements of the script, one branch of an \\if: each ends with ; or \\gset at a line's end."""
        text = re.sub(r"\\else.*?\\endif", "", self.script(work).read_text(), flags=re.S)
        return len(re.findall(r"(?:;|\\gset)$", text, re.M))


TRIES = 3  # of a serialization failure, as the client library does
FFENGINE = Side("ffengine", "ffengine")
FLOOR = Side("floor", "floor", INDEXED)
SIDES = {side.name: side for side in (
    FFENGINE,
    Side("seed", "seed", {"search_path": "seed", **INDEXED}, extra=TRIES),
    Side("seed-tuned", "seed", {"search_path": "seed_tuned", **INDEXED}),
    FLOOR,
)}


def in_turn(sides, turn):
    """The sides in the order of this turn: each is first, and last, in its time."""
    sides = list(sides)
    first = turn % len(sides)
    return sides[first:] + sides[:first]


def notifying(mode):
    """ffengine in one mode of ffengine.notify_mode."""
    return Side(mode, "ffengine", {"ffengine.notify_mode": mode})
