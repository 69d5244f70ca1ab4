"""`manyfields render`: a picture or a film of one stored object, or of the first bytes of one that was streamed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from manyfields._checks import Bounds, NewFile
from manyfields.commands._command import Command, OptionalCount, Pixels, RunFolder
from manyfields.errors import ConfigError

STILLS = (".png", ".jpg", ".jpeg")
FILMS = (".mp4", ".gif", ".webm")
VIEWS_OF_A_FILM = 72


@dataclass(frozen=True)
class Render(Command):
    """Render an object: a still, a contact sheet of several views, or an orbit video, by what FILE is."""

    folder: RunFolder
    """Run folder, any collection, or a file that `manyfields stream` wrote."""
    out: Annotated[Path, NewFile()]
    """File to write: .png or .jpg (a sheet if --views is above 1), .mp4, .gif or .webm (an orbit)."""
    object: Annotated[str | None, tyro.conf.arg(metavar="STR")] = None
    """Id of the object, where RUN holds many; `manyfields info RUN` lists them."""
    size: Pixels = 256
    """Width and height of a view in pixels."""
    views: OptionalCount = None
    """Views around the object: 1 for a still and 72 for a film if not given."""
    elevation: Annotated[float, Bounds(least=-90, most=90)] = 25.0
    """Degrees above the horizon."""
    level: OptionalCount = None
    """How many layers of the object to decode; all of them if not given."""
    bytes: OptionalCount = None
    """Of a file of `manyfields stream`: how many bytes to read of it, as if no more had arrived."""

    def run(self) -> int:
        suffix = self.out.suffix.lower()
        if suffix not in STILLS + FILMS:
            raise ConfigError(
                f"--out {self.out}: cannot write {suffix or 'a file without an ending'}; "
                f"use one of {', '.join(STILLS + FILMS)}"
            )
        views = self.views or (VIEWS_OF_A_FILM if suffix in FILMS else 1)
        if self.folder.is_file():
            self._render_stream(views)
        else:
            self._render_stored(views)
        print(self.out)
        return 0

    def _render_stored(self, views: int) -> None:
        if self.object is None:
            raise ConfigError(f"--object: say which one; `manyfields info {self.folder}` lists them")
        if self.bytes is not None:
            raise ConfigError(f"--bytes is for a file of `manyfields stream`; {self.folder} is none, use --level")
        from manyfields import runs

        runs.render_object(
            self.folder, self.object, self.out, size=self.size, views=views, elevation=self.elevation, level=self.level
        )

    def _render_stream(self, views: int) -> None:
        from manyfields import runs

        runs.render_stream(
            self.folder,
            self.out,
            first_bytes=self.bytes,
            object_id=self.object,
            size=self.size,
            views=views,
            elevation=self.elevation,
            level=self.level,
        )
