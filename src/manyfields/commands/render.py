"""`manyfields render`: a picture or a film of one stored object."""

from dataclasses import dataclass
from pathlib import Path

from manyfields.commands._command import Command, OptionalCount, RunFolder
from manyfields.errors import ConfigError

STILLS = (".png", ".jpg", ".jpeg")
FILMS = (".mp4", ".gif", ".webm")
VIEWS_OF_A_FILM = 72


@dataclass(frozen=True)
class Render(Command):
    """Render an object: a still, a contact sheet of several views, or an orbit video, by what FILE is."""

    folder: RunFolder
    """Run folder, or any collection."""
    object: str
    """Id of the object; `manyfields info RUN` lists them."""
    out: Path
    """File to write: .png or .jpg (a sheet if --views is above 1), .mp4, .gif or .webm (an orbit)."""
    size: int = 256
    """Width and height of a view in pixels."""
    views: OptionalCount = None
    """Views around the object: 1 for a still and 72 for a film if not given."""
    elevation: float = 25.0
    """Degrees above the horizon."""
    level: OptionalCount = None
    """How many layers of the object to decode; all of them if not given."""

    def run(self) -> int:
        suffix = self.out.suffix.lower()
        if suffix not in STILLS + FILMS:
            raise ConfigError(
                f"--out {self.out}: cannot write {suffix or 'a file without an ending'}; "
                f"use one of {', '.join(STILLS + FILMS)}"
            )
        if self.size < 1 or (self.views is not None and self.views < 1):
            raise ConfigError("--size and --views must be at least 1")
        from manyfields import runs

        views = self.views or (VIEWS_OF_A_FILM if suffix in FILMS else 1)
        runs.render_object(
            self.folder, self.object, self.out, size=self.size, views=views, elevation=self.elevation, level=self.level
        )
        print(self.out)
        return 0
