/* The limit: the least that a server over UDP can do. What this costs is the kernel's share.
 *
 * It takes datagrams in batches and sends each back to where it came from, REPLY octets long as an
 * answer is, with the bit set that makes it a response. It reads nothing in them, and looks up nothing.
 *
 * usage: limit PORT   (of 127.0.0.1; it ends with SIGTERM, or after five minutes)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 64, DATAGRAM = 1500, REPLY = 96, SECONDS_MAX = 300 };

static unsigned char octets[BATCH][DATAGRAM];
static struct sockaddr_in sources[BATCH];
static struct iovec pieces[BATCH];
static struct mmsghdr batch[BATCH];

static int listen_on(const char *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int server = socket(AF_INET, SOCK_DGRAM, 0);
    if (server < 0 || bind(server, (struct sockaddr *)&address, sizeof address) < 0) {
        perror("limit");
        exit(1);
    }
    return server;
}

/* Makes all of the batch ready for the next datagrams. */
static void empty(int count) {
    for (int i = 0; i < count; i++) {
        pieces[i] = (struct iovec){octets[i], DATAGRAM};
        batch[i].msg_hdr = (struct msghdr){.msg_name = &sources[i], .msg_namelen = sizeof sources[i],
                                           .msg_iov = &pieces[i], .msg_iovlen = 1};
    }
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fputs("usage: limit PORT\n", stderr);
        return 2;
    }
    alarm(SECONDS_MAX);
    int server = listen_on(argv[1]);
    empty(BATCH);
    for (;;) {
        int got = recvmmsg(server, batch, BATCH, MSG_WAITFORONE, NULL);
        if (got < 0)
            continue; /* a signal, or an ICMP message about an earlier reply */
        for (int i = 0; i < got; i++) {
            octets[i][2] |= 0x80; /* QR */
            pieces[i].iov_len = REPLY;
        }
        for (int sent = 0, more; sent < got; sent += more)
            if ((more = sendmmsg(server, batch + sent, got - sent, 0)) <= 0)
                more = 1; /* that one is lost */
        empty(got);
    }
}
