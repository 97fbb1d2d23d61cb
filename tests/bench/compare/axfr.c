/* Reads a zone by AXFR (RFC 5936) from 127.0.0.1, and times it.
 *
 * usage: axfr PORT ZONE
 *
 * One line is printed: "SECONDS MESSAGES OCTETS RECORDS", from the connection's begin to the second SOA. The
 * octets are those of messages, without the two before each.
 */
#include "queries.h"

enum { ROOM = 1 << 20, SOA = 6, AXFR = 252 };

static unsigned char room[ROOM];
static unsigned long messages, octets, records;
static int soas;

static int number(const unsigned char *at) { return at[0] << 8 | at[1]; }

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static const unsigned char *past_name(const unsigned char *at, const unsigned char *end) {
    while (at < end && *at && *at < 0xc0)
        at += 1 + *at;
    return at + (at < end && *at ? 2 : 1);
}

/* Counts the records of a message (RFC 1035 section 4.1). */
static void count(const unsigned char *at, int len) {
    const unsigned char *end = at + len;
    if (len < HEADER || at[3] & 15)
        stop("the server gives no zone");
    int questions = number(at + 4), answers = number(at + 6);
    messages++, octets += len, records += answers;
    for (at += HEADER; questions; questions--)
        at = past_name(at, end) + 4;
    for (; answers; answers--) {
        at = past_name(at, end);
        if (at + 10 > end)
            stop("a message is cut off");
        soas += number(at) == SOA;
        at += 10 + number(at + 8);
    }
}

static void ask(int server, const char *zone) {
    char name[256];
    unsigned char framed[2 + QUERY_MAX];
    snprintf(name, sizeof name, "%s", zone);
    add(name, AXFR, "plain");
    framed[0] = queries[0].len >> 8, framed[1] = queries[0].len;
    memcpy(framed + 2, queries[0].octets, queries[0].len);
    if (send(server, framed, 2 + queries[0].len, 0) < 0)
        stop("nothing can be sent");
}

/* Counts the whole messages of what was read; gives how much of another is left, at the beginning. */
static int count_whole(int have) {
    int at = 0;
    while (have - at >= 2 && have - at >= 2 + number(room + at)) {
        count(room + at + 2, number(room + at));
        at += 2 + number(room + at);
    }
    memmove(room, room + at, have - at);
    return have - at;
}

int main(int argc, char **argv) {
    if (argc != 3)
        stop("usage: axfr PORT ZONE");
    double begin = now_s();
    int server = connect_to(argv[1], SOCK_STREAM);
    ask(server, argv[2]);
    for (int have = 0; soas < 2; have = count_whole(have)) {
        int got = recv(server, room + have, ROOM - have, 0);
        if (got <= 0)
            stop("the connection ends before the zone does");
        have += got;
    }
    printf("%.3f %lu %lu %lu\n", now_s() - begin, messages, octets, records);
    return 0;
}
