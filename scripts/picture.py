#!/usr/bin/env python3
"""Draws docs/chat.svg: `cargo run --example chat` in a terminal, with lines typed by this script.

The example talks to the server inside its own process, so that every run draws the same picture, byte by byte. The
terminal is a real one (a pseudo-terminal); what is written to it is laid out by `Screen`, which knows what the example
uses and refuses the rest. Needs Linux or macOS, and nothing but the standard library.
"""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "chat.svg"
COMMAND = ["cargo", "run", "--quiet", "--example", "chat"]
TYPED = ["Hello! What can you do?", "And do you remember what I said before?"]
PROMPT = "you: "
COLUMNS, ROWS = 72, 24
PATIENCE = 120  # seconds without output, after which something is wrong

FONT_SIZE, CHARACTER, LINE = 14, 8.43, 20  # pixels; a character of the common monospaced fonts is 0.602 of the size
MARGIN, BAR = 18, 36
BACKGROUND, FRAME, TEXT, BRIGHT, DIM = "#1c2128", "#2d333b", "#c9d1d9", "#7ee2b8", "#8b949e"


class Screen:
    """The lines of a terminal: each a list of (character, style)."""

    TOKEN = re.compile(r"\x1b\[(\d*)m|(\r\n)|([^\x00-\x1f\x7f])")

    def __init__(self):
        self.lines = [[]]
        self.style = 0

    def write(self, text):
        position = 0
        while position < len(text):
            token = self.TOKEN.match(text, position)
            if token is None:
                raise ValueError(f"the screen does not know {text[position:position + 8]!r}")
            position = token.end()
            style, line_end, character = token.groups()
            if style is not None:
                self.style = int(style or 0)
            elif line_end:
                self.lines.append([])
            else:
                if len(self.lines[-1]) == COLUMNS:
                    self.lines.append([])
                self.lines[-1].append((character, self.style))


class Terminal:
    """A program in a pseudo-terminal."""

    def __init__(self, command, environment):
        self.process, self.file = pty.fork()
        if self.process == 0:
            os.chdir(ROOT)
            os.execvpe(command[0], command, environment)
        fcntl.ioctl(self.file, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.written = ""

    def read_until(self, pattern):
        """Reads on until what has been written ends with the pattern."""
        while not re.search(pattern + r"\Z", self.written):
            ready, _, _ = select.select([self.file], [], [], PATIENCE)
            if not ready:
                raise TimeoutError(f"nothing came for {PATIENCE} s after {self.written[-80:]!r}")
            self.written += os.read(self.file, 4096).decode()

    def type(self, text):
        os.write(self.file, text.encode())

    def end(self):
        """Ends the input, and gives the exit status of the program."""
        self.type("\x04")
        _, status = os.waitpid(self.process, 0)
        return os.waitstatus_to_exitcode(status)


def chat():
    """Leads the conversation, and gives what was written to the terminal."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANTHROPIC_")}
    environment["TERM"] = "xterm"
    subprocess.run(["cargo", "build", *COMMAND[2:]], cwd=ROOT, env=environment, check=True)
    terminal = Terminal(COMMAND, environment)
    prompt = re.escape(PROMPT) + r"(\x1b\[0m)?"
    terminal.read_until(prompt)
    for line in TYPED:
        terminal.type(line)
        # The terminal shows what is typed: wait for it, so that no reply comes in between.
        terminal.read_until(re.escape(line))
        terminal.type("\n")
        terminal.read_until(prompt)
    written = terminal.written
    if terminal.end() != 0:
        raise RuntimeError("the chat failed")
    return written


def runs(line):
    """A line as pieces of one style: (column, text, style)."""
    pieces = []
    for column, (character, style) in enumerate(line):
        if pieces and pieces[-1][2] == style:
            pieces[-1][1] += character
        else:
            pieces.append([column, character, style])
    return pieces


def draw(lines):
    """The picture of a window with these lines in it."""
    width = round(2 * MARGIN + COLUMNS * CHARACTER)
    height = BAR + 2 * MARGIN + LINE * len(lines) - (LINE - FONT_SIZE)
    said = "\n".join("".join(character for character, _ in line) for line in lines)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        ' role="img" aria-labelledby="title text">',
        '<title id="title">The example chat in a terminal</title>',
        f'<desc id="text">{escape(said)}</desc>',
        "<style>",
        f"text {{ font: {FONT_SIZE}px ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace; fill: {TEXT};"
        " white-space: pre }",
        f".bold {{ font-weight: 700; fill: {BRIGHT} }}",
        f".dim {{ fill: {DIM} }}",
        "</style>",
        f'<rect width="{width}" height="{height}" rx="8" fill="{BACKGROUND}"/>',
        f'<path d="M0 {BAR}V8a8 8 0 0 1 8-8h{width - 16}a8 8 0 0 1 8 8v{BAR - 8}z" fill="{FRAME}"/>',
    ]
    for number, colour in enumerate(["#f47067", "#daaa3f", "#57ab5a"]):
        out.append(f'<circle cx="{20 + 20 * number}" cy="{BAR // 2}" r="6" fill="{colour}"/>')
    for number, line in enumerate(lines):
        baseline = BAR + MARGIN + FONT_SIZE - 2 + LINE * number
        for column, text, style in runs(line):
            if not text.strip():
                continue
            kind = {0: "", 1: ' class="bold"', 2: ' class="dim"'}[style]
            # The length is given, so that columns stand where they stand in a terminal, whatever the font.
            shown = text.rstrip()
            length = f"{len(shown) * CHARACTER:.1f}"
            out.append(
                f'<text x="{MARGIN + column * CHARACTER:.1f}" y="{baseline}" textLength="{length}"'
                f' xml:space="preserve"{kind}>{escape(shown)}</text>'
            )
    cursor = MARGIN + len(lines[-1]) * CHARACTER
    top = BAR + MARGIN - 3 + LINE * (len(lines) - 1)
    out.append(f'<rect x="{cursor:.1f}" y="{top}" width="{CHARACTER}" height="{FONT_SIZE + 4}" fill="{DIM}"/>')
    out.append("</svg>\n")
    return "\n".join(out)


def main():
    screen = Screen()
    screen.write("\x1b[1m$\x1b[0m cargo run --example chat\r\n")
    screen.write(chat())
    PICTURE.write_text(draw(screen.lines), encoding="utf-8")
    print(PICTURE.relative_to(ROOT))


if __name__ == "__main__":
    sys.exit(main())
