# PowerDNS as a secondary of smith.edu, which 192.0.2.1 gives to who has the key. Its pdns.conf needs
# `secondary=yes`, and a database that holds zones, as `launch=gsqlite3` has it.
pdnsutil import-tsig-key ns1-ns2.example hmac-sha256 SECRET
pdnsutil create-secondary-zone smith.edu 192.0.2.1:53
pdnsutil activate-tsig-key smith.edu ns1-ns2.example secondary
# Without this it fetches the whole zone each time.
pdnsutil set-meta smith.edu IXFR 1
