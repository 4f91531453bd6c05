"""Blocks of a page are found, run and compared as docs/executed.py says."""

import pytest

from docs.executed import Drifted, blocks, commands, compare, run

PAGE = '''# A page

```toml title="a.toml"
x = 1
```

```console
$ cat a.toml
x = 1
$ echo one two
one two
```

```python
n = 41
print(n + 1)
```

```text title="prints"
42
```

<!-- slow -->
```console
$ echo slow > slow.txt
```

<!-- exit 2 -->
```console
$ ls nowhere
ls: cannot access 'nowhere': No such file or directory
```
'''


def test_a_page_runs_in_its_folder(tmp_path):
    found = [(block.text, said) for block, said in run(PAGE, tmp_path, slow=False)]
    for text, said in found:
        compare(text, said)
    assert len(found) == 3
    assert not (tmp_path / "slow.txt").exists()
    assert len(list(run(PAGE, tmp_path, slow=True))) == 4
    assert (tmp_path / "slow.txt").read_text() == "slow\n"


def test_what_has_drifted_is_said_with_the_old_and_the_new_value(tmp_path):
    page = PAGE.replace("\n42\n", "\n45\n")
    block, said = list(run(page, tmp_path, slow=False))[1]
    with pytest.raises(Drifted, match="the page says: 45\nit prints:     42"):
        compare(block.text, said)


def test_a_command_that_fails_is_named(tmp_path):
    with pytest.raises(RuntimeError, match="^false: exit status 1, not 0"):
        list(run("```console\n$ false\n```\n", tmp_path, slow=False))


def test_a_program_behind_lives_until_the_page_ends(tmp_path):
    page = "```console\n$ bash -c 'echo here; sleep 100' &\nhere\n```\n```console\n$ echo there\nthere\n```\n"
    for block, said in run(page, tmp_path, slow=False):
        compare(block.text, said)


@pytest.mark.parametrize(("wanted", "got"), [
    ("loss 0.100", "loss 0.104"), ("train_cpu_s │ 2.6 │", "train_cpu_s │ 9.9 │"),
    ("float_accuracy 0.44", "float_accuracy 0.42"), ("design 0123456789abcdef", "design fedcba9876543210"),
    ("97.5%", "96.1%"), ("done in 3 s", "done in 1.5 s"), ("a\n...\nd", "a\nb\nc\nd"),
    ("a\n...", "a\nb"), ("│ a  │ 1 │\n└────┘", "│ a │ 1 │\n└───┘"), ("x\n", "x\n\n")])
def test_alike(wanted, got):
    compare(wanted, got)


@pytest.mark.parametrize(("wanted", "got"), [
    ("loss 0.100", "loss 0.110"), ("97.5%", "90.1%"), ("3 of 3", "2 of 3"), ("a", "a\nb"), ("a\nb", "a"),
    ("Q2.9", "Q2.8"),
    ("a\n...\nd", "a\nb\nc"), ("5%", "5"), ("equal", "different"),
    ("1,000 of 1,000", "999 of 1,000"), ("-100", "-101")])
def test_not_alike(wanted, got):
    with pytest.raises(Drifted):
        compare(wanted, got)


def test_blocks_and_commands():
    found = blocks(PAGE)
    assert [block.language for block in found] == ["toml", "console", "python", "text", "console", "console"]
    assert [block.slow for block in found] == [False, False, False, False, True, False]
    assert found[-1].status == 2
    assert all(PAGE[block.begin:block.end] == block.text for block in found)
    assert commands("$ a \\\n  b\nc\n$ d\n") == [("a \\\n  b", "c\n"), ("d", "")]
    with pytest.raises(ValueError, match="begins with a command, not with 'c'"):
        commands("c\n$ d\n")
