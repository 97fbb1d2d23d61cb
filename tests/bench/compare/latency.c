/* How long a server takes for a query over UDP, asked at a steady rate whether it answers or not.
 *
 * usage: latency PORT QUERIES SECONDS   (of 127.0.0.1; 60 seconds at most)
 *
 * One line is printed: "P50 P99 MAX ANSWERS LOST", the first three in microseconds: from the send to when the kernel
 * has the answer, so that a client that has to wait for its core does not count.
 */
#include "queries.h"
#include <poll.h>

enum { RATE = 1000 /* a second */, SECONDS_MAX = 60, ANSWERS_MAX = RATE * SECONDS_MAX, PATIENCE_NS = 500000000 };

static long sent_ns[ANSWERS_MAX], taken_ns[ANSWERS_MAX];
static int answered;

static long ns(const struct timespec *time) { return time->tv_sec * 1000000000 + time->tv_nsec; }

static long now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return ns(&now);
}

static void send_one(int client, int number) {
    struct query *query = &queries[number % query_count];
    query->octets[0] = number >> 8, query->octets[1] = number;
    sent_ns[number] = now_ns();
    if (send(client, query->octets, query->len, 0) < 0)
        stop("nothing can be sent");
}

/* Takes the answers that are there, to the `sent` queries so far. */
static void take(int client, int sent) {
    unsigned char answer[4096], control[CMSG_SPACE(sizeof(struct timespec))];
    struct iovec piece = {answer, sizeof answer};
    for (;;) {
        struct msghdr message = {
            .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
        if (recvmsg(client, &message, MSG_DONTWAIT) < HEADER)
            return;
        int number = answer[0] << 8 | answer[1];
        struct timespec when;
        if (!CMSG_FIRSTHDR(&message))
            stop("the kernel gives no times");
        memcpy(&when, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof when);
        if (number < sent)
            taken_ns[answered++] = ns(&when) - sent_ns[number];
    }
}

static int by_size(const void *one, const void *other) {
    long a = *(const long *)one, b = *(const long *)other;
    return (a > b) - (a < b);
}

static void wait_until(int client, int sent, long end) {
    for (long left; (left = end - now_ns()) > 0;) {
        struct pollfd waiting = {client, POLLIN, 0};
        struct timespec patience = {left / 1000000000, left % 1000000000};
        ppoll(&waiting, 1, &patience, NULL);
        take(client, sent);
    }
}

int main(int argc, char **argv) {
    long seconds = argc == 4 ? atol(argv[3]) : 0;
    if (seconds < 1 || seconds > SECONDS_MAX)
        stop("usage: latency PORT QUERIES SECONDS");
    read_queries(argv[2], "plain");
    int client = connect_to(argv[1], SOCK_DGRAM), count = RATE * seconds;
    setsockopt(client, SOL_SOCKET, SO_TIMESTAMPNS, &(int){1}, sizeof(int));
    long begin = now_ns();
    for (int number = 0; number < count; number++) {
        send_one(client, number);
        wait_until(client, number + 1, begin + (number + 1) * (1000000000L / RATE));
    }
    if (answered < count)
        wait_until(client, count, now_ns() + PATIENCE_NS);
    if (!answered)
        stop("no answer");
    qsort(taken_ns, answered, sizeof *taken_ns, by_size);
    printf("%ld %ld %ld %d %d\n", taken_ns[answered / 2] / 1000, taken_ns[answered * 99L / 100] / 1000,
           taken_ns[answered - 1] / 1000, answered, count - answered);
    return 0;
}
