"""requests + Django's update_or_create: one transaction per record. `update_or_create PAGES` stops after PAGES."""

import sys
from itertools import islice

from bench.peers.bulk_create import row_of
from bench.peers.cliniko_pages import pages
from bench.peers.django_table import Patient, create_table


def main(max_pages: int) -> None:
    create_table()
    for records in islice(pages(), max_pages):
        for record in records:
            row = row_of(record)
            Patient.objects.update_or_create(id=row.pop("id"), defaults=row)


if __name__ == "__main__":
    main(int(sys.argv[1]))
