/* A device's life over the transport whose number is given: open, read, report, hear, close. */
#include <pthread.h>

#include "check.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t told = PTHREAD_COND_INITIALIZER;
static int wholes, states, dones;

static void on_desired(void *userdata, uint32_t kind, twin_str json, uint64_t version, twin_error error) {
    (void)error;
    CHECK(userdata == &wholes && kind == TWIN_DESIRED_WHOLE && version >= 1 && json.len >= 2);
    pthread_mutex_lock(&lock);
    wholes++;
    pthread_cond_signal(&told);
    pthread_mutex_unlock(&lock);
}

static void on_state(void *userdata, uint32_t state, int64_t retry_in_ms, twin_error error) {
    (void)userdata, (void)retry_in_ms, (void)error;
    CHECK(state >= TWIN_STATE_DISCONNECTED && state <= TWIN_STATE_CLOSED);
    pthread_mutex_lock(&lock);
    states++;
    pthread_cond_signal(&told);
    pthread_mutex_unlock(&lock);
}

static void on_done(void *userdata, twin_result result, twin_str json, uint64_t version, twin_error error) {
    CHECK(userdata == &dones && result == TWIN_OK && json.len > 0 && version == 0 && error.id == 0);
    pthread_mutex_lock(&lock);
    dones++;
    pthread_cond_signal(&told);
    pthread_mutex_unlock(&lock);
}

int main(int argc, char **argv) {
    twin_client_options options = from_environment("DEVICE_CONNECTION_STRING");
    twin_client client;
    twin_error error = {0};
    twin_string twin;
    uint64_t version = 0, second = 0;
    uint32_t state = 0;

    options.transport = argc > 1 ? (uint32_t)atoi(argv[1]) : TWIN_TRANSPORT_DEFAULT;
    OK(twin_client_new(&options, &client, &error));
    OK(twin_client_open(client, 30000, &error));
    OK(twin_client_state(client, &state, &error));
    CHECK(state == TWIN_STATE_CONNECTED);

    OK(twin_client_get_twin(client, 0, &twin, &error));
    CHECK(strstr(twin.data, "\"desired\"") && strlen(twin.data) == twin.len);
    twin_string_free(&twin);
    CHECK(twin.data == NULL);
    twin_string_free(&twin);

    OK(twin_client_report(client, twin_s("{\"connectivity\":{\"type\":\"cellular\"}}"), 0, &version, &error));
    OK(twin_client_report(client, twin_s("{\"connectivity\":{\"type\":null}}"), 0, &second, &error));
    CHECK(second == version + 1 || version == 0);

    OK(twin_client_on_state(client, on_state, NULL, &error));
    OK(twin_client_on_desired(client, on_desired, &wholes, &error));
    OK(twin_client_get_twin_async(client, 0, on_done, &dones, &error));
    pthread_mutex_lock(&lock);
    while (!wholes || !states || !dones) pthread_cond_wait(&told, &lock);
    pthread_mutex_unlock(&lock);

    OK(twin_client_close(client, 10000, &error));
    EXPECT(TWIN_CLOSED, twin_client_close(client, 0, &error));
    EXPECT(TWIN_CLOSED, twin_client_report(client, twin_s("{}"), 0, NULL, &error));
    puts("all is well");
    return 0;
}
