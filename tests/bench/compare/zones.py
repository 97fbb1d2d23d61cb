"""Makes zones, and questions about them: the same each time.

usage: zones.py zone|signed RECORDS FOLDER | zones.py zones COUNT FOLDER

Writes FOLDER/z0.test.zone and so on, and FOLDER.queries with a name and a type in each line: of ten
questions seven are for what is there, one for another type, one for a name that is not there, and one
for a name below one that is.
"""

import os
import random
import sys

HEAD = """$TTL 3600
@ SOA ns1 admin 1 7200 3600 1209600 300
@ NS ns1
@ NS ns2
ns1 A 192.0.2.1
ns2 A 192.0.2.2
@ MX 10 mail
mail A 192.0.2.3
"""
HEAD_RECORDS = 7
SMALL_ZONE_RECORDS = 20
QUERIES = 100_000


def main():
    kind, number, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    chance = random.Random(7)
    zones, records = (number, SMALL_ZONE_RECORDS) if kind == "zones" else (1, number)
    os.makedirs(folder)
    for zone in range(zones):
        with open(f"{folder}/z{zone}.test.zone", "w") as file:
            file.write(f"$ORIGIN z{zone}.test.\n" + HEAD)
            for line in records_of(records - HEAD_RECORDS):
                file.write(line)
    with open(f"{folder}.queries", "w") as file:
        for _ in range(QUERIES):
            file.write(question(chance, zones, records - HEAD_RECORDS))


def record_type(host):
    """What a host has: most have an address, others a text or a mail server."""
    return ("A", "AAAA", "A", "TXT", "A", "AAAA", "A", "MX")[host % 8]


def records_of(count):
    data = {
        "A": lambda n: f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}",
        "AAAA": lambda n: f"2001:db8::{n >> 16:x}:{n & 65535:x}",
        "TXT": lambda n: f'"host number {n}"',
        "MX": lambda n: "10 mail",
    }
    for host in range(count):
        kind = record_type(host)
        yield f"h{host} {kind} {data[kind](host)}\n"


def question(chance, zones, hosts):
    host, apex = chance.randrange(hosts), f"z{chance.randrange(zones)}.test"
    kind = record_type(host)
    dice = chance.random()
    if dice < 0.7:
        return f"h{host}.{apex} {kind}\n"
    if dice < 0.8:
        return f"h{host}.{apex} {'TXT' if kind != 'TXT' else 'A'}\n"
    if dice < 0.9:
        return f"no{host}.{apex} A\n"
    return f"www.h{host}.{apex} A\n"


main()
