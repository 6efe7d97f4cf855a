/* What a benchmark asks of C. Each line of the input is an order, answered by one line:
 *
 *     open CONNECTION_STRING   connects a device, which hears its desired properties: the resident memory then, in kB
 *     report N                 N reports one after another from the first device: the microseconds that one took
 */
#include <pthread.h>
#include <time.h>

#include "check.h"
#include "resident.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t told = PTHREAD_COND_INITIALIZER;
static int wholes;

static void on_desired(void *userdata, uint32_t kind, twin_str json, uint64_t version, twin_error error) {
    (void)userdata, (void)kind, (void)json, (void)version, (void)error;
    pthread_mutex_lock(&lock);
    wholes++;
    pthread_cond_signal(&told);
    pthread_mutex_unlock(&lock);
}

static twin_client connected(const char *connection_string) {
    static int many;
    twin_client_options options = twin_client_options_init();
    twin_client client;
    twin_error error = {0};
    twin_string twin;

    options.connection_string = twin_s(connection_string);
    options.ca_file = twin_s(getenv("TWIN_CA_FILE"));
    OK(twin_client_new(&options, &client, &error));
    OK(twin_client_open(client, 60000, &error));
    OK(twin_client_get_twin(client, 0, &twin, &error));
    twin_string_free(&twin);
    OK(twin_client_on_desired(client, on_desired, NULL, &error));
    pthread_mutex_lock(&lock);
    many++;
    while (wholes < many) pthread_cond_wait(&told, &lock);
    pthread_mutex_unlock(&lock);
    return client;
}

static double report(twin_client client, int many) {
    struct timespec from, to;
    twin_error error = {0};
    int i;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (i = 0; i < many; i++) OK(twin_client_report(client, twin_s("{\"connectivity\":{\"type\":\"cellular\"}}"), 0, NULL, &error));
    clock_gettime(CLOCK_MONOTONIC, &to);
    return ((double)(to.tv_sec - from.tv_sec) * 1e6 + (double)(to.tv_nsec - from.tv_nsec) / 1e3) / many;
}

int main(void) {
    static char line[1024];
    twin_client first = {0}, client;
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, "open ", 5) == 0) {
            client = connected(line + 5);
            if (first.id == 0) first = client;
            printf("%ld\n", resident_kb());
        } else {
            CHECK(strncmp(line, "report ", 7) == 0);
            printf("%.3f\n", report(first, atoi(line + 7)));
        }
        fflush(stdout);
    }
    return 0;
}
