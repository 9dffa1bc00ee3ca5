"""How many geese came, by day and by lake."""

import sqlite3

QUERY = """
    SELECT lake.name, date(seen.at) AS day, SUM(seen.geese) AS geese
    FROM seen
    JOIN lake ON lake.id = seen.lake_id
    WHERE seen.at BETWEEN :first AND :last
    GROUP BY lake.name, day
    HAVING geese > 10
    ORDER BY day, geese DESC
"""


def counts(db: sqlite3.Connection, first: str, last: str) -> list[tuple[str, str, int]]:
    # A day on which nobody counted is not a day without geese: it is left out.
    return db.execute(QUERY, {"first": first, "last": last}).fetchall()


if __name__ == "__main__":
    with sqlite3.connect("geese.db") as db:
        for lake, day, geese in counts(db, "2025-09-01", "2025-10-31"):
            print(f"{day}  {lake:<20} {geese:>5}")
