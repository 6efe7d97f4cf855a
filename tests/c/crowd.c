/* Ten threads on one handle, callbacks under load, a client closed by its own callback. */
#include <pthread.h>

#include "check.h"

enum { THREADS = 10, REPORTS = 20, ASYNC = 200 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t told = PTHREAD_COND_INITIALIZER;
static int ended, good, running;

static void count(void *userdata, twin_result result, twin_str json, uint64_t version, twin_error error) {
    (void)json, (void)version, (void)error;
    CHECK(userdata == &good);
    pthread_mutex_lock(&lock);
    CHECK(running++ == 0); /* one after another */
    ended++;
    good += result == TWIN_OK;
    running--;
    pthread_cond_signal(&told);
    pthread_mutex_unlock(&lock);
}

static void *work(void *argument) {
    twin_client client = *(twin_client *)argument;
    twin_error error = {0};
    int i;
    for (i = 0; i < REPORTS; i++) {
        twin_string twin;
        OK(twin_client_report(client, twin_s("{\"n\":1}"), 0, NULL, &error));
        OK(twin_client_get_twin(client, 0, &twin, &error));
        twin_string_free(&twin);
        OK(twin_client_get_twin_async(client, 0, count, &good, &error));
    }
    return NULL;
}

static void close_it(void *userdata, uint32_t kind, twin_str json, uint64_t version, twin_error error) {
    twin_client client = *(twin_client *)userdata;
    (void)kind, (void)json, (void)version, (void)error;
    CHECK(twin_client_close(client, 5000, NULL) == TWIN_OK);
    CHECK(twin_client_close(client, 5000, NULL) == TWIN_CLOSED);
    pthread_mutex_lock(&lock);
    ended = -1;
    pthread_cond_signal(&told);
    pthread_mutex_unlock(&lock);
}

static void await(int many) {
    pthread_mutex_lock(&lock);
    while (ended != many) pthread_cond_wait(&told, &lock);
    pthread_mutex_unlock(&lock);
}

int main(void) {
    twin_client_options options = from_environment("DEVICE_CONNECTION_STRING");
    twin_error error = {0};
    twin_client client;
    pthread_t threads[THREADS];
    int i;

    OK(twin_client_new(&options, &client, &error));
    for (i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, work, &client) == 0);
    for (i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    await(THREADS * REPORTS);

    /* What waits when the client is closed ends all the same, each once, before close returns. */
    pthread_mutex_lock(&lock);
    CHECK(good == THREADS * REPORTS);
    ended = 0;
    pthread_mutex_unlock(&lock);
    for (i = 0; i < ASYNC; i++) OK(twin_client_report_async(client, twin_s("{\"n\":2}"), 0, count, &good, &error));
    OK(twin_client_close(client, 10000, &error));
    pthread_mutex_lock(&lock);
    CHECK(ended == ASYNC);
    pthread_mutex_unlock(&lock);

    OK(twin_client_new(&options, &client, &error));
    OK(twin_client_on_desired(client, close_it, &client, &error));
    await(-1);
    EXPECT(TWIN_CLOSED, twin_client_open(client, 0, &error));
    puts("all is well");
    return 0;
}
