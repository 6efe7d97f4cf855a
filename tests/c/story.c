/* The whole story in one program: a backend makes a device, the device reports over the transport whose number is given, the
 * backend tags it, finds it by tag and by report, changes a desired property, and the device hears of it. */
#include <pthread.h>

#include "check.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t told = PTHREAD_COND_INITIALIZER;
static uint64_t heard;
static int64_t interval;

static void on_desired(void *userdata, uint32_t kind, twin_str json, uint64_t version, twin_error error) {
    (void)userdata, (void)error;
    CHECK(kind == (version == 1 ? TWIN_DESIRED_WHOLE : TWIN_DESIRED_PATCH));
    pthread_mutex_lock(&lock);
    CHECK(version == heard + 1);
    heard = version;
    if (version == 2) CHECK(twin_json_integer(json, twin_s("interval"), &interval, NULL) == TWIN_OK);
    pthread_cond_signal(&told);
    pthread_mutex_unlock(&lock);
}

static void await_version(uint64_t version) {
    pthread_mutex_lock(&lock);
    while (heard < version) pthread_cond_wait(&told, &lock);
    pthread_mutex_unlock(&lock);
}

/* Whether a query finds the device, page by page. */
static int finds(twin_registry registry, const char *text, twin_str device_id) {
    twin_error error = {0};
    twin_query query;
    twin_string row, id;
    int found = 0;
    twin_result result;

    OK(twin_registry_query(registry, twin_s(text), 1, &query, &error));
    while ((result = twin_query_next(query, 30000, &row, &error)) == TWIN_OK) {
        OK(twin_json_string(twin_view(row), twin_s("deviceId"), &id, &error));
        found += id.len == device_id.len && memcmp(id.data, device_id.data, id.len) == 0;
        twin_string_free(&id);
        twin_string_free(&row);
    }
    CHECK(result == TWIN_END);
    OK(twin_query_close(query, &error));
    return found;
}

int main(int argc, char **argv) {
    twin_registry_options backend = twin_registry_options_init();
    twin_client_options options = twin_client_options_init();
    twin_registry registry;
    twin_client client;
    twin_error error = {0};
    twin_string parts, host, identity, connection_string, twin;
    twin_str none = twin_s(NULL), id;
    int64_t version;

    CHECK(argc == 3);
    options.transport = (uint32_t)atoi(argv[1]);
    id = twin_s(argv[2]);
    backend.connection_string = twin_s(getenv("IOTHUB_CONNECTION_STRING"));
    options.ca_file = backend.ca_file = twin_s(getenv("TWIN_CA_FILE"));

    OK(twin_registry_new(&backend, &registry, &error));
    OK(twin_registry_create(registry, id, none, 0, &identity, &error));
    OK(twin_connection_string_parse(backend.connection_string, &parts, &error));
    OK(twin_json_string(twin_view(parts), twin_s("hostName"), &host, &error));
    OK(twin_identity_connection_string(twin_view(host), twin_view(identity), &connection_string, &error));

    options.connection_string = twin_view(connection_string);
    OK(twin_client_new(&options, &client, &error));
    OK(twin_client_open(client, 60000, &error));
    OK(twin_client_get_twin(client, 0, &twin, &error));
    OK(twin_json_integer(twin_view(twin), twin_s("/desired/$version"), &version, &error));
    CHECK(version == 1);
    OK(twin_client_on_desired(client, on_desired, NULL, &error));
    await_version(1);
    OK(twin_client_report(client, twin_s("{\"connectivity\":{\"type\":\"cellular\"}}"), 0, NULL, &error));

    OK(twin_registry_update_twin(registry, id, none, twin_s("{\"tags\":{\"location\":{\"region\":\"US\",\"plant\":\"Redmond43\"}}}"),
                                 none, 0, NULL, &error));
    CHECK(finds(registry, "SELECT * FROM devices WHERE tags.location.plant = 'Redmond43'", id));
    CHECK(finds(registry,
                "SELECT * FROM devices WHERE tags.location.plant = 'Redmond43' AND properties.reported.connectivity.type = "
                "'cellular'",
                id));
    CHECK(!finds(registry, "SELECT * FROM devices WHERE properties.reported.connectivity.type = 'wired'", id));

    OK(twin_registry_update_twin(registry, id, none, twin_s("{\"properties\":{\"desired\":{\"interval\":30}}}"), none, 0, NULL,
                                 &error));
    await_version(2);
    CHECK(interval == 30);

    OK(twin_client_close(client, 10000, &error));
    OK(twin_registry_delete(registry, id, none, none, 0, &error));
    OK(twin_registry_close(registry, &error));
    twin_string_free(&parts);
    twin_string_free(&host);
    twin_string_free(&identity);
    twin_string_free(&connection_string);
    twin_string_free(&twin);
    puts("all is well");
    return 0;
}
