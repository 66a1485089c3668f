"""How long the command takes with 1,000 runs, against a Python that does nothing.

python -m benchmarks.bench_cli
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks import history
from benchmarks.measuring import Table, milliseconds, python
from runs.home import Home


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--times", type=int, default=15)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ddpm-bench-") as folder:
        history.write(Home(Path(folder)), chosen.runs, rows=20)
        command = "from runs.cli.main import command; command()"

        def call(*arguments: str) -> float:
            return milliseconds(python("-c", command, "--home", folder, *arguments), chosen.times)

        call("ls", "--json")  # the first one imports the runs
        table = Table(f"{chosen.runs:,} runs", "python -c pass", milliseconds(python("-c", "pass"), 15))
        table.add("import sqlalchemy", milliseconds(python("-c", "import sqlalchemy"), chosen.times))
        table.add("import runs.catalogue", milliseconds(python("-c", "import runs.catalogue"), chosen.times))
        table.add("--help", call("--help"), 150)
        table.add("ls --json", call("ls", "--json"), 400)
        table.add("show last --json", call("show", "last", "--json"), 400)


if __name__ == "__main__":
    main()
