"""The benchmark of holes: which objects it takes, and the sheet that one looks at."""

import json

import numpy as np
import torch

from benchmarks.sets import holes


def test_one_object_of_each_design_and_none_that_was_tuned_on(monkeypatch, tmp_path):
    models = tmp_path / "data" / "models" / "products"
    models.mkdir(parents=True)
    entries = [{"id": f"thing_{n:02}", "group": f"design_{n // 2}"} for n in range(60)]
    entries += [{"id": name, "group": name} for name in holes.TUNED]
    (models / "manifest.json").write_text(json.dumps(entries))
    monkeypatch.setattr(holes, "SHARED", tmp_path)
    chosen = holes.designs("products")
    assert len(chosen) == holes.COUNTS["products"] and not set(chosen) & set(holes.TUNED)
    assert len({int(name[-2:]) // 2 for name in chosen}) == len(chosen)
    assert chosen == holes.designs("products") and holes.designs("tuned") == list(holes.TUNED)


def test_a_sheet_shows_the_view_with_most_holes_of_each_object():
    alpha, opacity = torch.ones(2, 16, 16), torch.ones(2, 16, 16)
    opacity[1, 6:9, 6:9] = 0.0
    truth = torch.stack([torch.zeros(16, 16, 3), torch.full((16, 16, 3), 0.5)])
    seen = holes.HeldOut(["a", "b"], truth, alpha, truth, opacity)
    sheet = np.asarray(holes.sheet({"cup": seen, "mug": seen}))
    assert sheet.shape == (16, 4 * 3 * 16, 3)
    assert (sheet[:, :32] == 128).all() and sheet[7, 39].max() == 0 and sheet[0, 33].min() == 255
