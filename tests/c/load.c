/* Callbacks under load: a backend changes desired properties without pause, the device hears each change once and in order on a
 * callback that dawdles, while threads report in the background; each report ends once. */
#include <pthread.h>
#include <sched.h>

#include "check.h"

enum { CHANGES = 150, THREADS = 4, REPORTS = 150 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t told = PTHREAD_COND_INITIALIZER;
static uint64_t heard;
static int ended[THREADS][REPORTS], all_ended, running;

static void on_desired(void *userdata, uint32_t kind, twin_str json, uint64_t version, twin_error error) {
    int i;
    int64_t n;
    (void)userdata, (void)error;
    pthread_mutex_lock(&lock);
    CHECK(running++ == 0); /* all callbacks come one after another */
    CHECK(kind == TWIN_DESIRED_WHOLE ? version > heard : version == heard + 1);
    heard = version;
    pthread_mutex_unlock(&lock);
    if (version > 1) CHECK(twin_json_integer(json, twin_s("n"), &n, NULL) == TWIN_OK && (uint64_t)n == version - 1);
    for (i = 0; i < 100; i++) sched_yield();
    pthread_mutex_lock(&lock);
    running--;
    pthread_cond_signal(&told);
    pthread_mutex_unlock(&lock);
}

static void on_reported(void *userdata, twin_result result, twin_str json, uint64_t version, twin_error error) {
    (void)json, (void)version, (void)error;
    CHECK(result == TWIN_OK);
    pthread_mutex_lock(&lock);
    CHECK(running == 0);
    CHECK(++*(int *)userdata == 1);
    all_ended++;
    pthread_cond_signal(&told);
    pthread_mutex_unlock(&lock);
}

struct job {
    twin_client client;
    int *ends;
};

static void *report(void *argument) {
    struct job *job = (struct job *)argument;
    int i;
    for (i = 0; i < REPORTS; i++)
        while (twin_client_report_async(job->client, twin_s("{\"busy\":true}"), 0, on_reported, &job->ends[i], NULL) == TWIN_BUSY)
            sched_yield();
    return NULL;
}

int main(void) {
    twin_registry_options backend = twin_registry_options_init();
    twin_client_options options = from_environment("DEVICE_CONNECTION_STRING");
    twin_registry registry;
    twin_client client;
    twin_error error = {0};
    pthread_t threads[THREADS];
    struct job jobs[THREADS];
    char change[80];
    int i;

    backend.connection_string = twin_s(getenv("IOTHUB_CONNECTION_STRING"));
    backend.ca_file = options.ca_file;
    OK(twin_registry_new(&backend, &registry, &error));
    OK(twin_client_new(&options, &client, &error));
    OK(twin_client_on_desired(client, on_desired, NULL, &error));
    for (i = 0; i < THREADS; i++) {
        jobs[i].client = client;
        jobs[i].ends = ended[i];
        CHECK(pthread_create(&threads[i], NULL, report, &jobs[i]) == 0);
    }
    for (i = 1; i <= CHANGES; i++) {
        snprintf(change, sizeof change, "{\"properties\":{\"desired\":{\"n\":%d}}}", i);
        OK(twin_registry_update_twin(registry, twin_s("lamp"), twin_s(NULL), twin_s(change), twin_s(NULL), 0, NULL, &error));
    }
    for (i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    pthread_mutex_lock(&lock);
    while (heard != CHANGES + 1 || all_ended != THREADS * REPORTS) pthread_cond_wait(&told, &lock);
    pthread_mutex_unlock(&lock);
    OK(twin_client_close(client, 10000, &error));
    OK(twin_registry_close(registry, &error));
    puts("all is well");
    return 0;
}
