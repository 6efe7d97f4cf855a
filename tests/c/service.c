/* A backend's day: identities, twins with etags, queries, in the foreground and the background. */
#include <pthread.h>

#include "check.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t told = PTHREAD_COND_INITIALIZER;
static int dones;

static void on_done(void *userdata, twin_result result, twin_str json, uint64_t version, twin_error error) {
    twin_string id;
    (void)userdata, (void)version, (void)error;
    CHECK(result == TWIN_OK);
    CHECK(twin_json_string(json, twin_s("deviceId"), &id, NULL) == TWIN_OK);
    twin_string_free(&id);
    pthread_mutex_lock(&lock);
    dones++;
    pthread_cond_signal(&told);
    pthread_mutex_unlock(&lock);
}

/* What the last request in the background gave. */
static twin_result last;
static char document[8192];

static void keep(void *userdata, twin_result result, twin_str json, uint64_t version, twin_error error) {
    (void)userdata, (void)version;
    CHECK((error.id != 0) == (result != TWIN_OK && result != TWIN_END) && json.len < sizeof document);
    pthread_mutex_lock(&lock);
    last = result;
    memcpy(document, json.data ? json.data : "", json.len);
    document[json.len] = 0;
    dones++;
    pthread_cond_signal(&told);
    pthread_mutex_unlock(&lock);
}

/* The end of a request that was begun. */
static void ends(twin_result want, const char *part) {
    pthread_mutex_lock(&lock);
    while (dones < 1) pthread_cond_wait(&told, &lock);
    dones = 0;
    CHECK(last == want && strstr(document, part));
    pthread_mutex_unlock(&lock);
}

/* Identities and rows in the background. */
static void background(twin_registry registry) {
    twin_str none = twin_s(NULL), fan = twin_s("fan");
    twin_error error = {0};
    twin_query query;
    char written[sizeof document];

    OK(twin_registry_create_async(registry, fan, none, 0, keep, NULL, &error));
    ends(TWIN_OK, "\"deviceId\":\"fan\"");
    OK(twin_registry_create_async(registry, fan, none, 0, keep, NULL, &error));
    ends(TWIN_ALREADY_EXISTS, "");
    OK(twin_registry_create_from_async(registry, twin_s("{\"deviceId\":\"fan\",\"moduleId\":\"blade\"}"), 0, keep, NULL, &error));
    ends(TWIN_OK, "\"moduleId\":\"blade\"");
    OK(twin_registry_get_async(registry, fan, none, 0, keep, NULL, &error));
    ends(TWIN_OK, "primaryKey");
    memcpy(written, document, sizeof written);
    OK(twin_registry_update_async(registry, twin_s(written), twin_s("\"other\""), 0, keep, NULL, &error));
    ends(TWIN_PRECONDITION_FAILED, "");
    OK(twin_registry_update_async(registry, twin_s(written), none, 0, keep, NULL, &error));
    ends(TWIN_OK, "\"fan\"");

    OK(twin_registry_query(registry, twin_s("SELECT * FROM devices WHERE deviceId = 'fan'"), 0, &query, &error));
    OK(twin_query_next_async(query, 0, keep, NULL, &error));
    ends(TWIN_OK, "\"deviceId\":\"fan\"");
    OK(twin_query_next_async(query, 0, keep, NULL, &error));
    ends(TWIN_END, "");
    OK(twin_query_close(query, &error));
    EXPECT(TWIN_CLOSED, twin_query_next_async(query, 0, keep, NULL, &error));

    OK(twin_registry_delete_async(registry, fan, none, none, 0, keep, NULL, &error));
    ends(TWIN_OK, "");
    OK(twin_registry_delete_async(registry, fan, none, none, 0, keep, NULL, &error));
    ends(TWIN_NOT_FOUND, "");
    EXPECT(TWIN_INVALID_ARGUMENT, twin_registry_create_from_async(registry, twin_s("[]"), 0, keep, NULL, &error));
}

int main(void) {
    twin_registry_options options = twin_registry_options_init();
    twin_registry registry;
    twin_query query;
    twin_error error = {0};
    twin_error_info info;
    twin_string identity, twin, etag, row, text;
    twin_str none = twin_s(NULL), pump = twin_s("pump");
    int rows = 0;
    twin_result result;

    options.connection_string = twin_s(getenv("IOTHUB_CONNECTION_STRING"));
    options.ca_file = twin_s(getenv("TWIN_CA_FILE"));
    OK(twin_registry_new(&options, &registry, &error));
    OK(twin_registry_create(registry, pump, none, 0, &identity, &error));
    EXPECT(TWIN_ALREADY_EXISTS, twin_registry_create(registry, pump, none, 0, NULL, &error));
    OK(twin_registry_create(registry, pump, twin_s("valve"), 0, NULL, &error));
    OK(twin_identity_connection_string(twin_s("localhost"), twin_view(identity), &text, &error));
    CHECK(strstr(text.data, "DeviceId=pump"));
    twin_string_free(&text);
    OK(twin_registry_update(registry, twin_view(identity), none, 0, NULL, &error));
    twin_string_free(&identity);
    OK(twin_registry_get(registry, pump, none, 0, &identity, &error));
    twin_string_free(&identity);

    OK(twin_registry_get_twin(registry, pump, none, 0, &twin, &error));
    OK(twin_json_string(twin_view(twin), twin_s("etag"), &etag, &error));
    twin_string_free(&twin);
    OK(twin_registry_update_twin(registry, pump, none, twin_s("{\"tags\":{\"floor\":3},\"properties\":{\"desired\":{\"on\":true}}}"),
                                 twin_view(etag), 0, &twin, &error));
    twin_string_free(&twin);
    CHECK(twin_registry_update_twin(registry, pump, none, twin_s("{\"tags\":{\"floor\":4}}"), twin_view(etag), 0, NULL,
                                    &error) == TWIN_PRECONDITION_FAILED);
    CHECK(twin_error_get(error, sizeof info, &info) == TWIN_OK);
    CHECK(info.status == 412 && info.delivery == TWIN_DELIVERY_REFUSED && !info.retryable && info.message.len > 0);
    twin_error_free(error);
    error.id = 0;
    twin_string_free(&etag);
    OK(twin_registry_replace_twin(registry, pump, none, twin_s("{\"tags\":{\"floor\":5}}"), none, 0, NULL, &error));
    EXPECT(TWIN_NOT_FOUND, twin_registry_get_twin(registry, twin_s("ghost"), none, 0, &twin, &error));
    EXPECT(TWIN_INVALID_ARGUMENT, twin_registry_update_twin(registry, pump, none, twin_s("{}"), none, 0, NULL, &error));
    EXPECT(TWIN_INVALID_ARGUMENT, twin_registry_get_twin(registry, none, none, 0, &twin, &error));

    OK(twin_registry_get_twin_async(registry, pump, none, 0, on_done, NULL, &error));
    OK(twin_registry_update_twin_async(registry, pump, none, twin_s("{\"tags\":{\"a\":1}}"), none, 0, on_done, NULL, &error));
    pthread_mutex_lock(&lock);
    while (dones < 2) pthread_cond_wait(&told, &lock);
    dones = 0;
    pthread_mutex_unlock(&lock);
    background(registry);

    OK(twin_registry_query(registry, twin_s("SELECT * FROM devices"), 1, &query, &error));
    while ((result = twin_query_next(query, 0, &row, &error)) == TWIN_OK) {
        rows++;
        twin_string_free(&row);
    }
    CHECK(result == TWIN_END && error.id == 0 && rows == 2);
    OK(twin_query_close(query, &error));
    EXPECT(TWIN_CLOSED, twin_query_next(query, 0, &row, &error));
    OK(twin_registry_query(registry, twin_s("SELECT nonsense"), 0, &query, &error));
    CHECK(twin_query_next(query, 0, &row, NULL) != TWIN_OK);
    OK(twin_query_close(query, &error));

    OK(twin_registry_delete(registry, pump, none, none, 0, &error));
    EXPECT(TWIN_NOT_FOUND, twin_registry_get(registry, pump, none, 0, &identity, &error));
    OK(twin_registry_query(registry, twin_s("SELECT * FROM devices"), 0, &query, &error));
    OK(twin_registry_close(registry, &error));
    EXPECT(TWIN_CLOSED, twin_query_next_async(query, 0, keep, NULL, &error));
    OK(twin_query_close(query, &error));
    EXPECT(TWIN_CLOSED, twin_registry_get(registry, pump, none, 0, &identity, &error));
    puts("all is well");
    return 0;
}
