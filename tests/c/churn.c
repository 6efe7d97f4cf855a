/* A hundred thousand clients come and go, with and without a loop of the program's own, then some that connect: memory and
 * descriptors stay what they were. */
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "check.h"
#include "resident.h"

enum { THREADS = 4, WARM = 500, CYCLES = 25000, CONNECTED = 25, FLAT_KB = 512 };

static int descriptors(void) {
    int fd, open = 0;
    for (fd = 0; fd < 1024; fd++) open += fcntl(fd, F_GETFD) != -1;
    return open;
}

struct job {
    int cycles;
    bool connects;
};

static void *work(void *argument) {
    struct job job = *(struct job *)argument;
    twin_client_options options = from_environment("DEVICE_CONNECTION_STRING");
    twin_client client;
    twin_error error = {0};
    int i;

    for (i = 0; i < job.cycles; i++) {
        options.flags = TWIN_FLAG_NO_SYSTEM_TRUST | (i % 2 ? TWIN_FLAG_OWN_LOOP : 0);
        OK(twin_client_new(&options, &client, &error));
        if (job.connects) OK(twin_client_report(client, twin_s("{}"), 60000, NULL, &error));
        OK(twin_client_close(client, 10000, &error));
    }
    return NULL;
}

static void all(int cycles, bool connects) {
    struct job job;
    pthread_t threads[THREADS];
    int i;
    job.cycles = cycles;
    job.connects = connects;
    for (i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, work, &job) == 0);
    for (i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
}

int main(void) {
    struct job one = {1, true};
    long before, after;
    int open;

    work(&one);
    open = descriptors();
    all(WARM, false);
    all(CONNECTED, true);
    before = resident_kb();
    all(CYCLES, false);
    all(CONNECTED, true);
    after = resident_kb();
    fprintf(stderr, "resident: %ld kB before, %ld kB after\n", before, after);
    CHECK(after - before <= FLAT_KB);
    CHECK(descriptors() == open);
    puts("all is well");
    return 0;
}
