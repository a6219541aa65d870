"""Tables as people read them in a terminal and paste them into a note."""


def duration(microseconds):
    return f"{microseconds / 1000:.1f} ms" if microseconds >= 1000 else f"{microseconds:.0f} µs"


class Table:
    def __init__(self, title, *columns):
        self._title = title
        self._rows = [columns]

    def row(self, *cells):
        self._rows.append(cells)

    def print(self):
        """Markdown; columns nothing is in are left out."""
        kept = [i for i in range(len(self._rows[0])) if any(row[i] for row in self._rows[1:])]
        widths = {i: max(len(row[i]) for row in self._rows) for i in kept}
        print(f"\n{self._title}\n")
        for number, row in enumerate(self._rows):
            print("| " + " | ".join(row[i].ljust(widths[i]) if i == 0 else row[i].rjust(widths[i]) for i in kept) + " |")
            if number == 0:
                print("|" + "|".join("-" * (widths[i] + 2) for i in kept) + "|")
        print(flush=True)
