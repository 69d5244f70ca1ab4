"""The folder that examples in docstrings run in: views of three objects, and a run that is fitted to them.

data/vehicles/{car,truck,van}   8 views of 16 x 16 pixels each
data/new/bus                    another object
small.json                      settings of fused planes in RGB space, under which a fit takes a second
runs/vehicles                   what `fit` makes of them
"""

import json
from pathlib import Path
from typing import Any

PHASE = {
    "name": "rays",
    "steps": 4,
    "rgb": 1.0,
    "emptiness": 0.01,
    "rays_per_object": 32,
    "objects_per_step": 2,
    "views_per_object": 2,
}
SMALL: dict[str, Any] = {
    "micro_features": 3,
    "macro_features": 5,
    "resolution": 12,
    "hidden": 8,
    "weight_groups": 5,
    "hull": 8,
    "sampler": {"guided": 4, "bins": 8},
    "final_sampler": {"guided": 4, "bins": 8},
    "stage1": [{**PHASE, "base_rate": 0.01, "fields_rate": 0.005}],
    "stage2": [PHASE],
}


def write_examples(folder: Path, shapes: Any) -> Path:
    """`shapes`: the module `_shapes.py`."""
    from manyfields.runs.fit import fit

    looks = {"car": "box_flat", "truck": "box_tall", "van": "ball_blue"}
    for name, look in looks.items():
        shapes.write(folder / "data" / "vehicles" / name, shapes.EXAMPLES[look], views=8, side=16)
    shapes.write(folder / "data" / "new" / "bus", shapes.EXAMPLES["box_wide"], views=8, side=16)
    (folder / "small.json").write_text(json.dumps(SMALL))
    fit(folder / "data" / "vehicles", folder / "runs" / "vehicles", config=folder / "small.json", stage1_objects=2)
    return folder
