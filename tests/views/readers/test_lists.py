from manyfields.views import hold_out, read_views

FRAMES = [f"rgba/{number:03d}.png" for number in range(6)]
NAMES = [name[:-4] for name in FRAMES]


def read(make, folder, **lists):
    views = read_views(make.transforms(folder, **lists))
    return views[0], [problem.message for problem in views.problems]


def test_training_and_test_views_are_those_listed(make, tmp_path):
    item, told = read(
        make, tmp_path, train_filenames=FRAMES[:3], val_filenames=FRAMES[3:5], test_filenames=["./" + FRAMES[5]]
    )
    assert item.names == [*NAMES[:3], NAMES[5]] and item.test_names == (NAMES[5],)
    assert told == [
        "2 of 6 frames are neither trained on nor tested: the file's lists (train_filenames, val_filenames, "
        "test_filenames) say so"
    ]
    assert hold_out(item.names, item.id, test_names=item.test_names) == ([0, 1, 2], [3])


def test_validation_views_are_held_out_where_there_are_no_test_views(make, tmp_path):
    item, told = read(make, tmp_path, train_filenames=FRAMES[:4], val_filenames=FRAMES[4:])
    assert item.names == NAMES and item.test_names == tuple(NAMES[4:]) and told == []


def test_views_in_both_lists_of_others_are_tested(make, tmp_path):
    item, told = read(make, tmp_path, val_filenames=FRAMES[4:], test_filenames=FRAMES[4:])
    assert item.names == NAMES and item.test_names == tuple(NAMES[4:]) and told == []


def test_without_a_list_of_training_views_all_others_are_trained_on(make, tmp_path):
    item, _ = read(make, tmp_path, val_filenames=FRAMES[3:5], test_filenames=FRAMES[5:])
    assert item.names == [*NAMES[:3], NAMES[5]]


def test_lists_that_name_nothing_are_not_used(make, tmp_path):
    item, told = read(make, tmp_path, train_filenames=["images/1.png"], test_filenames=[3, None], val_filenames="all")
    assert item.names == NAMES and item.test_names is None
    assert told == ["train_filenames names no frame (its first name is images/1); it is not used"]
