/* Lives through lost connections and a restart of its hub, over the transport whose number is given: says a line whenever it is connected, reports all the time, hears the
 * desired properties, and ends well after five connections. */
#include <pthread.h>

#include "check.h"

enum { CONNECTIONS = 5 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int connections, desired;

static void on_state(void *userdata, uint32_t state, int64_t retry_in_ms, twin_error error) {
    (void)userdata;
    pthread_mutex_lock(&lock);
    if (state == TWIN_STATE_DISCONNECTED && connections > 0) CHECK(retry_in_ms >= 0 && error.id != 0);
    pthread_mutex_unlock(&lock);
    if (state != TWIN_STATE_CONNECTED) return;
    pthread_mutex_lock(&lock);
    connections++;
    pthread_mutex_unlock(&lock);
    puts("connected");
    fflush(stdout);
}

static void on_desired(void *userdata, uint32_t kind, twin_str json, uint64_t version, twin_error error) {
    (void)userdata, (void)json, (void)version, (void)error;
    CHECK(kind != TWIN_DESIRED_ENDED);
    pthread_mutex_lock(&lock);
    desired++;
    pthread_mutex_unlock(&lock);
}

int main(int argc, char **argv) {
    twin_client_options options = from_environment("DEVICE_CONNECTION_STRING");
    twin_error error = {0};
    twin_client client;
    int enough = 0;

    options.transport = argc > 1 ? (uint32_t)atoi(argv[1]) : TWIN_TRANSPORT_DEFAULT;
    options.retry_first_ms = 20;
    options.retry_max_ms = 100;
    OK(twin_client_new(&options, &client, &error));
    OK(twin_client_on_state(client, on_state, NULL, &error));
    OK(twin_client_on_desired(client, on_desired, NULL, &error));
    while (!enough) {
        OK(twin_client_report(client, twin_s("{\"alive\":true}"), 60000, NULL, &error));
        pthread_mutex_lock(&lock);
        enough = connections >= CONNECTIONS && desired > 0;
        pthread_mutex_unlock(&lock);
    }
    OK(twin_client_close(client, 10000, &error));
    puts("all is well");
    return 0;
}
