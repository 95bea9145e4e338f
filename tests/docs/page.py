"""Pages of docs/: sections and fenced blocks."""

import dataclasses

@dataclasses.dataclass
class Block:
    """Text between two lines of ```; `info` are the words behind the first."""

    info: list
    text: str
    first: int  # the line after ```, from 0
    last: int  # the line of the closing ```
    section: str

    @property
    def line(self):
        return self.first + 1


def blocks_of(text):
    """The fenced blocks of a page, each with the heading that it stands under."""
    blocks, section, start = [], "", None
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if start is None and line.startswith("#"):
            section = line.lstrip("# ")
        if not line.startswith("```"):
            continue
        if start is None:
            start = number
        else:
            inner = lines[start + 1 : number]
            blocks.append(Block(lines[start][3:].split(), "".join(l + "\n" for l in inner), start + 1, number, section))
            start = None
    if start is not None:
        raise ValueError(f"line {start + 1}: a block is never closed")
    return blocks


def replace_blocks(text, changes):
    """The page with other contents of some blocks: pairs (block, text)."""
    lines = text.split("\n")
    for block, new in sorted(changes, key=lambda change: -change[0].first):
        lines[block.first : block.last] = new.split("\n")[:-1]
    return "\n".join(lines)
