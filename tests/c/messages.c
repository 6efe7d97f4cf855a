/* Telemetry, over the transport whose number is given, and where the hub tells by itself a message from the cloud. */
#include <pthread.h>

#include "check.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t told = PTHREAD_COND_INITIALIZER;
static int messages, sent;

static uint32_t on_message(void *userdata, twin_str body, twin_str about) {
    twin_string text;
    CHECK(userdata == &messages && body.len == 5 && memcmp(body.data, "he\0lo", 6) == 0);
    CHECK(twin_json_string(about, twin_s("messageId"), &text, NULL) == TWIN_OK && strcmp(text.data, "7") == 0);
    twin_string_free(&text);
    CHECK(twin_json_string(about, twin_s("/properties/prop"), &text, NULL) == TWIN_OK && strcmp(text.data, "v\xc3\xa4lue") == 0);
    twin_string_free(&text);
    pthread_mutex_lock(&lock);
    messages++;
    pthread_cond_signal(&told);
    pthread_mutex_unlock(&lock);
    return TWIN_SETTLEMENT_COMPLETE;
}

static void on_sent(void *userdata, twin_result result, twin_str json, uint64_t version, twin_error error) {
    CHECK(userdata == &sent && result == TWIN_OK && json.len == 0 && version == 0 && error.id == 0);
    pthread_mutex_lock(&lock);
    sent++;
    pthread_cond_signal(&told);
    pthread_mutex_unlock(&lock);
}

int main(int argc, char **argv) {
    twin_client_options options = from_environment("DEVICE_CONNECTION_STRING");
    twin_client client;
    twin_error error = {0};
    twin_string twin;
    twin_str bytes = {"a\0b", 3};
    bool listens;

    CHECK(argc > 1);
    options.transport = (uint32_t)atoi(argv[1]);
    listens = argc > 2;
    OK(twin_client_new(&options, &client, &error));
    OK(twin_client_send(client, twin_s("21.5"),
                        twin_s("{\"messageId\":\"1\",\"contentType\":\"application/json\",\"contentEncoding\":\"utf-8\","
                               "\"properties\":{\"alert\":\"no\"}}"),
                        60000, &error));
    OK(twin_client_send_async(client, bytes, twin_s(NULL), 60000, on_sent, &sent, &error));
    pthread_mutex_lock(&lock);
    while (!sent) pthread_cond_wait(&told, &lock);
    pthread_mutex_unlock(&lock);
    if (listens) {
        OK(twin_client_on_message(client, on_message, &messages, &error));
        pthread_mutex_lock(&lock);
        while (!messages) pthread_cond_wait(&told, &lock);
        pthread_mutex_unlock(&lock);
        while (getchar() != EOF) continue; /* until the other side has seen all of it */
    }
    if (options.transport == TWIN_TRANSPORT_HTTP) EXPECT(TWIN_NOT_SUPPORTED, twin_client_get_twin(client, 0, &twin, &error));
    OK(twin_client_close(client, 10000, &error));
    puts("all is well");
    return 0;
}
