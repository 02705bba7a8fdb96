"""requests + Django's update_or_create: a record, a transaction of its own. `update_or_create PAGES` stops there."""

import sys
from itertools import islice

from bench.peers.bulk_create import row_of
from bench.peers.django_table import Patient, make_table
from bench.peers.reading import pages


def main(most_pages: int) -> None:
    make_table()
    for records in islice(pages(), most_pages):
        for record in records:
            row = row_of(record)
            Patient.objects.update_or_create(id=row.pop("id"), defaults=row)


if __name__ == "__main__":
    main(int(sys.argv[1]))
