/* A load that keeps a server over UDP busy all the time: IN_FLIGHT queries are always on their way.
 *
 * usage: flood PORT QUERIES SECONDS plain|edns|do   (of 127.0.0.1; 60 seconds at most)
 *
 * QUERIES is a file as dnsperf reads it: a name and a type in each line. One line is printed:
 * "ANSWERS answers, LOST lost, FAILED failed". Failed are those with another RCODE than NOERROR and NXDOMAIN.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { BATCH = 32, SOCKETS = 4, IN_FLIGHT = 64 /* of each socket */, QUERIES_MAX = 200000, SECONDS_MAX = 60 };
enum { HEADER = 12, QUERY_MAX = 320, ANSWER_MAX = 4096, PATIENCE_MS = 200 };

static struct query { int len; unsigned char octets[QUERY_MAX]; } queries[QUERIES_MAX];
static int query_count;
static unsigned char answers[BATCH][ANSWER_MAX];
static unsigned long answered, lost, failed;

static void stop(const char *why) {
    fprintf(stderr, "flood: %s\n", why);
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

static void read_queries(const char *path, const char *way) {
    char name[256], type[16];
    FILE *file = fopen(path, "r");
    if (!file)
        stop("no file of queries");
    while (query_count < QUERIES_MAX && fscanf(file, "%255s %15s", name, type) == 2)
        add(name, type_code(type), way);
    fclose(file);
    if (query_count < BATCH)
        stop("too few queries");
}

static int connect_to(const char *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int client = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (client < 0 || connect(client, (struct sockaddr *)&address, sizeof address) < 0)
        stop("no socket");
    return client;
}

/* Sends so many of the next queries; gives how many the kernel took. */
static int ask(int client, int count) {
    static int next;
    static unsigned short id;
    struct iovec pieces[BATCH];
    struct mmsghdr batch[BATCH] = {0};
    for (int i = 0; i < count; i++, id++, next = (next + 1) % query_count) {
        struct query *query = &queries[next];
        query->octets[0] = id >> 8, query->octets[1] = id;
        pieces[i] = (struct iovec){query->octets, query->len};
        batch[i].msg_hdr = (struct msghdr){.msg_iov = &pieces[i], .msg_iovlen = 1};
    }
    int sent = count ? sendmmsg(client, batch, count, 0) : 0;
    return sent < 0 ? 0 : sent;
}

/* Takes the answers that are there; gives how many. */
static int take(int client) {
    struct iovec pieces[BATCH];
    struct mmsghdr batch[BATCH] = {0};
    for (int i = 0; i < BATCH; i++) {
        pieces[i] = (struct iovec){answers[i], ANSWER_MAX};
        batch[i].msg_hdr = (struct msghdr){.msg_iov = &pieces[i], .msg_iovlen = 1};
    }
    int got = recvmmsg(client, batch, BATCH, 0, NULL);
    for (int i = 0; i < got; i++) {
        int rcode = answers[i][3] & 15;
        failed += rcode != 0 && rcode != 3;
    }
    return got < 0 ? 0 : got;
}

static long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int main(int argc, char **argv) {
    int clients[SOCKETS], waiting[SOCKETS] = {0};
    long seconds = argc == 5 ? atol(argv[3]) : 0;
    if (seconds < 1 || seconds > SECONDS_MAX)
        stop("usage: flood PORT QUERIES SECONDS plain|edns|do");
    read_queries(argv[2], argv[4]);
    for (int i = 0; i < SOCKETS; i++)
        clients[i] = connect_to(argv[1]);
    long now = now_ms(), end = now + seconds * 1000, last = now;
    for (; now < end; now = now_ms()) {
        for (int i = 0; i < SOCKETS; i++) {
            int room = IN_FLIGHT - waiting[i];
            waiting[i] += ask(clients[i], room < BATCH ? room : BATCH);
            int got = take(clients[i]);
            waiting[i] = got < waiting[i] ? waiting[i] - got : 0;
            answered += got;
            last = got ? now : last;
        }
        if (now - last > PATIENCE_MS) { /* what is on its way never comes */
            for (int i = 0; i < SOCKETS; i++)
                lost += waiting[i], waiting[i] = 0;
            last = now;
        }
    }
    printf("%lu answers, %lu lost, %lu failed\n", answered, lost, failed);
    return 0;
}
