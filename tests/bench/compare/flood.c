/* A load that keeps a server over UDP busy all the time: IN_FLIGHT queries are always on their way.
 *
 * usage: flood PORT QUERIES SECONDS plain|edns|do   (of 127.0.0.1; 60 seconds at most)
 *
 * QUERIES is a file as dnsperf reads it: a name and a type in each line. One line is printed:
 * "ANSWERS answers, LOST lost, FAILED failed". Failed are those with another RCODE than NOERROR and NXDOMAIN.
 */
#include "queries.h"

enum { BATCH = 32, SOCKETS = 4, IN_FLIGHT = 64 /* of each socket */, SECONDS_MAX = 60 };
enum { ANSWER_MAX = 4096, PATIENCE_MS = 200 };

static unsigned char answers[BATCH][ANSWER_MAX];
static unsigned long answered, lost, failed;

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
    if (query_count < BATCH)
        stop("too few queries");
    for (int i = 0; i < SOCKETS; i++)
        clients[i] = connect_to(argv[1], SOCK_DGRAM | SOCK_NONBLOCK);
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
