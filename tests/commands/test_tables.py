"""Tables: nothing is cut off in a pipe, and names with brackets stay as they are."""

from manyfields.commands._tables import print_table


def test_a_piped_table_keeps_long_cells_and_brackets(capsys):
    message = "image 0003.png [truncated]: " + "cannot be read " * 6
    print_table(["object", "message"], [["truck [red]", message.strip()]])
    shown = capsys.readouterr().out
    assert "truck [red]" in shown and message.strip() in shown


def test_numbers_are_written_for_people(capsys):
    print_table(["name", "bytes", "psnr", "ssim", "lpips"], [["a", 491520, 28.123, 0.95123, None]])
    assert capsys.readouterr().out.rstrip().splitlines()[-1].split() == ["a", "491,520", "28.12", "0.9512", "-"]
