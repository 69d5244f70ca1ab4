"""The tables of the paper on mixtures: what is trained for them, and what is said of orders."""

from benchmarks.mixture import ablation_tables as tables


def test_every_row_of_a_table_is_trained_and_no_training_is_in_vain():
    assert tables.trainings_of(list(tables.PARTS)) == list(tables.TRAININGS)
    assert tables.trainings_of(["table4", "table5", "table6"]) == list(tables.TRAININGS)
    assert tables.trainings_of(["table5"]) == tables.trainings_of(["way", "table5"])
    assert tables.trainings_of(["length", "coefficients"]) == ["shared", "layers", "m64", "m256", "half", "long"]
    for table in tables.TABLES.values():
        assert not table.test or table.test.keys() == table.train.keys()


def test_an_order_names_the_pairs_that_are_not_in_it():
    paper = {"a": 20.0, "b": 22.0, "c": 21.0}
    assert tables.order(paper, {"a": 1.0, "b": 3.0, "c": 2.0}) == "the paper's order"
    wrong = tables.order(paper, {"a": 1.0, "b": 2.0, "c": 2.0})
    assert wrong == "not the paper's order: b 2.00 dB is not above c 2.00 dB (the paper: 22.00 and 21.00)"
    reverse = tables.order(paper, {"a": 3.0, "b": 1.0, "c": 2.0})
    assert reverse.count("is not above") == 3
    assert tables.order(paper, {"a": 1.0, "b": 3.0}) == "the paper's order; no figure of c"
    assert tables.order(paper, {"b": 3.0}) == "not known: no figure of a, c"


def test_train_and_unseen_are_compared_with_what_the_paper_has_of_them():
    ours = {"psnr_train": tables.TABLES["latents"].train, "psnr_unseen": {"h256": 3.0, "h512": 2.0, "h1024": 4.0}}
    lines = [line for line in tables.summary(ours) if "(c)" in line]
    assert lines[0] == "table 4 (c), latent vectors, psnr_train: the paper's order"
    assert lines[1].startswith("table 4 (c), latent vectors, psnr_unseen: not the paper's order: h512 2.00 dB")
    assert sum("table 5" in line for line in tables.summary(ours)) == 1  # of which the paper has no test figures
