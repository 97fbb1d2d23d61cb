/* Queries from a file as dnsperf reads it, a name and a type in each line; and what every load needs. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { HEADER = 12, QUERY_MAX = 320, QUERIES_MAX = 200000 };

static struct query { int len; unsigned char octets[QUERY_MAX]; } queries[QUERIES_MAX];
static int query_count;

static void stop(const char *why) {
    fprintf(stderr, "%s: %s\n", program_invocation_short_name, why);
    exit(1);
}

static int type_code(const char *type) {
    static const struct { const char *name; int code; } types[] = {
        {"A", 1}, {"NS", 2}, {"SOA", 6}, {"MX", 15}, {"TXT", 16}, {"AAAA", 28}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcmp(type, types[i].name))
            return types[i].code;
    stop("a type that is not known");
    return 0;
}

/* Writes a query (RFC 1035 section 4.1) with the end that `way` asks for (RFC 6891 section 6.1.2). */
static void add(char *name, int type, const char *way) {
    struct query *query = &queries[query_count++];
    unsigned char *to = query->octets + HEADER;
    int with_opt = strcmp(way, "plain") != 0;
    memcpy(query->octets, (unsigned char[HEADER]){0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, with_opt}, HEADER);
    for (char *label = strtok(name, "."); label; label = strtok(NULL, ".")) {
        *to++ = strlen(label);
        to = mempcpy(to, label, strlen(label));
    }
    to = mempcpy(to, (unsigned char[]){0, 0, type, 0, 1}, 5);
    unsigned char do_bit = strcmp(way, "do") ? 0 : 0x80;
    if (with_opt)
        to = mempcpy(to, (unsigned char[]){0, 0, 41, 4, 208, 0, 0, do_bit, 0, 0, 0}, 11);
    query->len = to - query->octets;
}

static inline void read_queries(const char *path, const char *way) {
    char name[256], type[16];
    FILE *file = fopen(path, "r");
    if (!file)
        stop("no file of queries");
    while (query_count < QUERIES_MAX && fscanf(file, "%255s %15s", name, type) == 2)
        add(name, type_code(type), way);
    fclose(file);
}

static int connect_to(const char *port, int type) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int client = socket(AF_INET, type, 0);
    if (client < 0 || connect(client, (struct sockaddr *)&address, sizeof address) < 0)
        stop("no socket");
    return client;
}
