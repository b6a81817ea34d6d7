"""Runs the questions: python bench/run.py [QUESTION …] [--data DIR] [--store DIR] [--rows N]."""

import argparse
import importlib
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench import dataset, machine, report  # noqa: E402
from bench.question import Setting  # noqa: E402

QUESTIONS = sorted(
    path.stem for path in (ROOT / "bench" / "questions").glob("*.py") if path.stem != "__init__"
)


def main() -> None:
    """Answers each question in turn, prints its table, writes its JSON lines and its plot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("questions", nargs="*", metavar="QUESTION", help=", ".join(QUESTIONS))
    parser.add_argument("--data", type=Path, help="folder with the real rows; default: the sample")
    parser.add_argument("--store", type=Path, help="where stores are put; default: a temporary one")
    parser.add_argument("--results", type=Path, default=ROOT / "bench" / "results")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the large store")
    parser.add_argument("--rounds", type=int, default=15, help="rounds of each comparison")
    parser.add_argument("--corpus", type=Path, help="folder of rows that bench/compare made")
    given = parser.parse_args()
    unknown = set(given.questions) - set(QUESTIONS)
    if unknown:
        parser.error(f"unknown question {sorted(unknown)[0]!r}; there are {', '.join(QUESTIONS)}")
    print("machine:", ", ".join(f"{key} {value}" for key, value in machine.describe().items()))
    with tempfile.TemporaryDirectory(dir=given.store) as folder:
        setting = Setting(
            data=dataset.load(given.data),
            folder=Path(folder),
            results=given.results,
            rows=given.rows,
            rounds=given.rounds,
            corpus=given.corpus,
        )
        for name in given.questions or QUESTIONS:
            question = importlib.import_module(f"bench.questions.{name}")
            rows = question.answer(setting)
            report.table(question.__doc__.splitlines()[0], rows)
            print("written:", report.write(given.results, name, rows))


if __name__ == "__main__":
    main()
