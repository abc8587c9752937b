/* A server of event streams: every POST is answered with the same reply, one HTTP chunk an event.
 *
 *     streams FILE EVERY      EVERY: microseconds from one event of a stream to its next; 0: all at once
 *
 * Prints its port. Events go out one a send() with TCP_NODELAY, so one a segment. Streams are spread over
 * the interval, so that the server's work and the client's are even. GET answers with what it has done so
 * far: events sent, how late the latest of them was, and sends that found the socket full.
 * One thread, epoll, Linux only.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS = 20, HEAD = 8192, BATCH = 256 };

struct stream {
    int fd, slot, place;      /* slot -1: no reply under way; place: where it stands in its slot */
    size_t event, offset;     /* the event to send next, and how much of it has gone */
    size_t filled, body_left; /* bytes in head; bytes of a request's body still to come */
    int asked;                /* a request has been read and waits for its answer */
    char head[HEAD + 1];
};

struct slot {
    struct stream **streams;
    int count, room;
};

static const char OPENING[] =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

static char *wire;         /* the opening, then the events, each as an HTTP chunk */
static size_t *ends;       /* where each send ends in it; the opening goes with the first event */
static size_t events;
static struct slot slots[SLOTS];
static int64_t every;      /* microseconds */
static int epoll;
static uint64_t sent, full;
static int64_t latest;     /* microseconds that an event was late, at the most */
static unsigned turn;      /* the slot of the next reply */

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void *need(void *memory) {
    if (!memory) die("memory");
    return memory;
}

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static char *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END)) die(path);
    *size = (size_t)ftell(file);
    rewind(file);
    char *text = need(malloc(*size + 1));
    if (fread(text, 1, *size, file) != *size) die(path);
    text[*size] = 0;
    fclose(file);
    return text;
}

/* Cut the file into events and frame each as a chunk; the last one carries the end of the body. */
static void load(const char *path) {
    size_t size, used = sizeof OPENING - 1;
    char *text = read_file(path, &size);
    wire = need(malloc(used + size * 2 + 64));
    ends = need(calloc(size / 2 + 1, sizeof *ends));
    memcpy(wire, OPENING, used);
    for (char *start = text, *end; (end = strstr(start, "\n\n")); start = end + 2) {
        size_t length = (size_t)(end + 2 - start);
        used += (size_t)sprintf(wire + used, "%zx\r\n", length);
        memcpy(wire + used, start, length);
        used += length;
        memcpy(wire + used, "\r\n", 2);
        ends[events++] = used += 2;
    }
    if (!events) die("no events");
    memcpy(wire + used, "0\r\n\r\n", 5);
    ends[events - 1] = used + 5;
    free(text);
}

static void watch(struct stream *s, int operation, uint32_t what) {
    struct epoll_event event = {.events = what, .data.ptr = s};
    if (epoll_ctl(epoll, operation, s->fd, &event)) die("epoll_ctl");
}

static void enter(struct stream *s) {
    struct slot *slot = &slots[turn % SLOTS];
    if (slot->count == slot->room) {
        slot->room = slot->room ? slot->room * 2 : 64;
        slot->streams = need(realloc(slot->streams, (size_t)slot->room * sizeof *slot->streams));
    }
    s->slot = (int)(turn++ % SLOTS);
    s->place = slot->count;
    slot->streams[slot->count++] = s;
}

static void leave(struct stream *s) {
    if (s->slot < 0) return;
    struct slot *slot = &slots[s->slot];
    struct stream *last = slot->streams[--slot->count];
    slot->streams[last->place = s->place] = last;
    s->slot = -1;
}

static void hang_up(struct stream *s) {
    leave(s);
    close(s->fd);
    free(s);
}

/* Send up to the end of an event. 1: gone; 0: the socket is full; -1: the client has gone. */
static int push(struct stream *s, size_t end) {
    while (s->offset < end) {
        ssize_t n = send(s->fd, wire + s->offset, end - s->offset, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) return full++, 0;
        if (n <= 0) return -1;
        s->offset += (size_t)n;
    }
    return 1;
}

/* The whole reply at once, as fast as the client takes it. */
static int burst(struct stream *s) {
    int done = push(s, ends[events - 1]);
    if (done > 0) {
        sent += events;
        s->asked = 0;
    }
    if (done >= 0) watch(s, EPOLL_CTL_MOD, done ? EPOLLIN : EPOLLIN | EPOLLOUT);
    return done;
}

static void answer_stats(struct stream *s) {
    char body[160], reply[256];
    int length = sprintf(body, "{\"events\": %llu, \"latest_us\": %lld, \"full\": %llu}\n",
                         (unsigned long long)sent, (long long)latest, (unsigned long long)full);
    int size = sprintf(reply, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s", length, body);
    if (send(s->fd, reply, (size_t)size, MSG_NOSIGNAL) < 0) perror("send");
}

/* Take in what has come of a request. 1: one is whole; 0: not yet; -1: the client is done. */
static int take(struct stream *s) {
    ssize_t n = recv(s->fd, s->head + s->filled, HEAD - s->filled, 0);
    if (n < 0 && errno == EAGAIN) return 0;
    if (n <= 0) return -1;
    s->filled += (size_t)n;
    if (!s->body_left && !s->asked) {
        s->head[s->filled] = 0;
        char *end = strstr(s->head, "\r\n\r\n"), *length = strcasestr(s->head, "\r\ncontent-length:");
        if (!end) return s->filled < HEAD ? 0 : -1;
        if (!strncmp(s->head, "GET ", 4)) return answer_stats(s), -1;
        s->body_left = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
        s->asked = 1;
        s->filled -= (size_t)(end + 4 - s->head);
    }
    s->body_left -= s->filled < s->body_left ? s->filled : s->body_left;
    s->filled = 0;
    return s->asked && !s->body_left && s->slot < 0;
}

static void serve(struct stream *s, uint32_t what) {
    int state = what & EPOLLOUT ? burst(s) : take(s);
    if (state > 0 && !(what & EPOLLOUT)) {
        s->event = s->offset = 0;
        if (every) enter(s);
        else state = burst(s);
    }
    if (state < 0) hang_up(s);
}

/* One event to each stream of a slot that was due at this time. */
static void tick(struct slot *slot, int64_t due) {
    for (int i = slot->count - 1; i >= 0; i--) {
        struct stream *s = slot->streams[i];
        int state = push(s, ends[s->event]);
        if (state < 0) hang_up(s);
        else if (state && (sent++, ++s->event == events)) {
            leave(s);
            s->asked = 0;
        }
    }
    if (slot->count && now() - due > latest) latest = now() - due;
}

static void greet(int listener) {
    int fd, yes = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct stream *s = need(calloc(1, sizeof *s));
        s->fd = fd;
        s->slot = -1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        watch(s, EPOLL_CTL_ADD, EPOLLIN);
    }
}

static int listening(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) || listen(fd, 4096)) die("listen");
    if (getsockname(fd, (struct sockaddr *)&address, &size)) die("getsockname");
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void many_files(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int count, char **arguments) {
    if (count != 3) return fputs("usage: streams FILE MICROSECONDS\n", stderr), 2;
    load(arguments[1]);
    every = atoll(arguments[2]);
    many_files();
    epoll = epoll_create1(EPOLL_CLOEXEC);
    int listener = listening();
    struct epoll_event ready[BATCH], on_listener = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &on_listener)) die("epoll");
    int64_t due = now();
    for (uint64_t ticks = 0;;) {
        int64_t left = due - now();
        int n = epoll_wait(epoll, ready, BATCH, !every ? -1 : left > 0 ? (int)((left + 999) / 1000) : 0);
        for (int i = 0; i < n; i++) {
            if (ready[i].data.ptr) serve(ready[i].data.ptr, ready[i].events);
            else greet(listener);
        }
        for (; every && due <= now(); due += every / SLOTS) tick(&slots[ticks++ % SLOTS], due);
    }
}
