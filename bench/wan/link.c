/* A path between two network namespaces, for measuring: each has a TUN device, and what one writes the other reads
 * after waiting in a queue for a link of finite rate, perhaps getting lost, and travelling for a while.
 *
 *   link NAMESPACE_A NAMESPACE_B
 *
 * Standard input takes lines: "there|back|both NAME NUMBER" with the names of settings[] below; "count" answers with a
 * line of counters for each direction, "zero" sets them to zero. The program ends with its standard input.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { SLOT = 2048, SLOTS = 1 << 17, AT_ONCE = 128 };
enum { RATE, DELAY, LOSS, BURST, QUEUE, SETTINGS };
static const char *const settings[SETTINGS] = {
    "rate",   /* Mbit/s of IP packets; 0: no limit */
    "delay",  /* ms */
    "loss",   /* share, 0 to 1 */
    "burst",  /* mean length of a run of losses, packets */
    "queue",  /* ms at the rate */
};

typedef struct {
    int64_t due;
    uint32_t slot;
    uint16_t length;
} Waiting;

typedef struct {
    double set[SETTINGS];
    int in, out, losing;
    int64_t idle_from;             /* when the link has sent all it took */
    Waiting line[SLOTS];           /* what travels, in the order of arrival */
    uint32_t first, after;
    uint64_t came, took, bytes, tcp, lost, dropped, longest, waited;
} Way;

static Way ways[2];
static unsigned char store[2][SLOTS][SLOT];
static uint32_t unused[2][SLOTS];
static int left[2];
static uint64_t dice = 88172645463325252ull;

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static double chance(void) {
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return (double)(dice >> 11) / 9007199254740992.0;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static int device(const char *space) {
    char path[128];
    struct ifreq request = {0};
    snprintf(path, sizeof path, "/run/netns/%s", space);
    int home = open("/proc/self/ns/net", O_RDONLY), there = open(path, O_RDONLY);
    if (home < 0 || there < 0 || setns(there, CLONE_NEWNET)) fail(path);
    int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    strcpy(request.ifr_name, "wan");
    if (tun < 0 || ioctl(tun, TUNSETIFF, &request) || setns(home, CLONE_NEWNET)) fail("TUN device");
    close(home);
    close(there);
    return tun;
}

static int loses(Way *way) {
    double loss = way->set[LOSS], burst = way->set[BURST];
    if (loss <= 0) return 0;
    if (burst <= 1) return chance() < loss;
    if (way->losing) way->losing = chance() >= 1 / burst;
    else way->losing = chance() < loss / (1 - loss) / burst;
    return way->losing;
}

static void take(int which, const unsigned char *packet, int length, int64_t t) {
    Way *way = &ways[which];
    int64_t due = t;
    way->came++;
    if (way->set[RATE] > 0) {
        int64_t wait = way->idle_from > t ? way->idle_from - t : 0;
        if (wait > way->set[QUEUE] * 1e6) {
            way->dropped++;
            return;
        }
        if ((uint64_t)wait > way->longest) way->longest = wait;
        way->waited += wait;
        way->took++;
        due = way->idle_from = t + wait + (int64_t)(length * 8e3 / way->set[RATE]);
    }
    if (loses(way)) {
        way->lost++;
        return;
    }
    if (!left[which] || length > SLOT) {
        way->dropped++;
        return;
    }
    uint32_t slot = unused[which][--left[which]];
    memcpy(store[which][slot], packet, length);
    way->bytes += length;
    if (packet[0] >> 4 == 4 && packet[9] == 6) way->tcp += length;
    way->line[way->after++ % SLOTS] = (Waiting){due + (int64_t)(way->set[DELAY] * 1e6), slot, length};
}

static int64_t deliver(int which, int64_t t) {
    Way *way = &ways[which];
    while (way->first != way->after) {
        Waiting *next = &way->line[way->first % SLOTS];
        if (next->due > t) return next->due;
        if (write(way->out, store[which][next->slot], next->length) < 0 && errno == EAGAIN) return t + 50000;
        unused[which][left[which]++] = next->slot;
        way->first++;
    }
    return INT64_MAX;
}

static void count(void) {
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    printf("{\"cpu\": %.3f", use.ru_utime.tv_sec + use.ru_stime.tv_sec + (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6);
    for (int i = 0; i < 2; i++)
        printf(", \"%s\": {\"packets\": %lu, \"took\": %lu, \"bytes\": %lu, \"tcp\": %lu, \"lost\": %lu, \"dropped\": %lu, "
               "\"queue_ms\": %.2f, \"waited_ms\": %.2f}",
               i ? "back" : "there", ways[i].came, ways[i].took, ways[i].bytes, ways[i].tcp, ways[i].lost,
               ways[i].dropped, ways[i].longest / 1e6, ways[i].waited / 1e6);
    printf("}\n");
    fflush(stdout);
}

static void obey(const char *line) {
    char whose[8], name[8];
    double number;
    if (!strncmp(line, "count", 5)) count();
    if (!strncmp(line, "zero", 4))
        for (int i = 0; i < 2; i++)
            ways[i].came = ways[i].took = ways[i].bytes = ways[i].tcp = ways[i].lost = ways[i].dropped =
                ways[i].longest = ways[i].waited = 0;
    if (sscanf(line, "%7s %7s %lf", whose, name, &number) != 3) return;
    for (int i = 0; i < 2; i++)
        for (int s = 0; s < SETTINGS; s++)
            if (!strcmp(name, settings[s]) && (!strcmp(whose, "both") || !strcmp(whose, i ? "back" : "there")))
                ways[i].set[s] = number;
}

static void listen_to_orders(void) {
    static char line[256];
    static size_t have;
    ssize_t n = read(0, line + have, sizeof line - 1 - have);
    if (n <= 0) exit(0);
    have += n;
    line[have] = 0;
    char *start = line, *end;
    while ((end = strchr(start, '\n'))) {
        *end = 0;
        obey(start);
        start = end + 1;
    }
    have = line + have - start;
    memmove(line, start, have);
    if (have == sizeof line - 1) have = 0;
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    int a = device(argv[1]), b = device(argv[2]);
    for (int i = 0; i < 2; i++) {
        ways[i].in = i ? b : a;
        ways[i].out = i ? a : b;
        ways[i].set[QUEUE] = 50;
        for (int s = 0; s < SLOTS; s++) unused[i][left[i]++] = SLOTS - 1 - s;
    }
    prctl(PR_SET_TIMERSLACK, 1);
    prctl(PR_SET_PDEATHSIG, 9);
    puts("ready");
    fflush(stdout);
    for (;;) {
        int64_t next = INT64_MAX, t = 0;
        int more = 0;
        for (int i = 0; i < 2; i++) {
            static unsigned char packet[65536];
            int n, got = 0;
            while (got < AT_ONCE && (n = read(ways[i].in, packet, sizeof packet)) > 0) {
                if (got++ % 16 == 0) t = now();
                take(i, packet, n, t);
            }
            more |= got == AT_ONCE;
            int64_t due = deliver(i, now());
            if (due < next) next = due;
        }
        struct pollfd watched[3] = {{a, POLLIN, 0}, {b, POLLIN, 0}, {0, POLLIN, 0}};
        int64_t pause = next == INT64_MAX ? 1000000000 : next - now();
        if (pause < 0) pause = 0;
        struct timespec longest = {pause / 1000000000, pause % 1000000000};
        if (!more) {
            /* Wake at most every 100 microseconds, so that packets are worked on in batches. */
            struct timespec breath = {0, 100000};
            nanosleep(&breath, NULL);
            if (pause > 100000) {
                longest.tv_sec = (pause - 100000) / 1000000000;
                longest.tv_nsec = (pause - 100000) % 1000000000;
                ppoll(watched, 3, &longest, NULL);
            }
        }
        if (poll(&watched[2], 1, 0) > 0) listen_to_orders();
    }
}
