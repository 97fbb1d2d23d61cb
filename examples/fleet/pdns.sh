# PowerDNS as a secondary of smith.edu, which 192.0.2.1 serves. Its pdns.conf needs `secondary=yes`, and a
# database that holds zones, as `launch=gsqlite3` has it.
pdnsutil create-secondary-zone smith.edu 192.0.2.1:53
# Without this it fetches the whole zone each time.
pdnsutil set-meta smith.edu IXFR 1
