/* Many devices over one AMQP connection, each a client of its own. */
#include "check.h"

enum { DEVICES = 5 };

int main(void) {
    twin_registry_options backend = twin_registry_options_init();
    twin_client_options options = twin_client_options_init();
    twin_registry registry;
    twin_pool pool, none = {0};
    twin_client clients[DEVICES];
    twin_error error = {0};
    twin_string identity, twin;
    uint32_t connections = 0;
    int i;

    backend.connection_string = twin_s(getenv("IOTHUB_CONNECTION_STRING"));
    backend.ca_file = options.ca_file = twin_s(getenv("TWIN_CA_FILE"));
    options.host_name = twin_s(getenv("HOST_NAME"));
    OK(twin_registry_new(&backend, &registry, &error));

    options.transport = TWIN_TRANSPORT_MQTT;
    EXPECT(TWIN_INVALID_ARGUMENT, twin_pool_new(&options, 0, &pool, &error));
    options.transport = TWIN_TRANSPORT_DEFAULT;
    EXPECT(TWIN_INVALID_ARGUMENT, twin_pool_new(&options, 10000, &pool, &error));
    EXPECT(TWIN_INVALID_ARGUMENT, twin_pool_close(none, &error));
    OK(twin_pool_new(&options, 0, &pool, &error));
    OK(twin_pool_connections(pool, &connections, &error));
    CHECK(connections == 0);

    options.pool = pool;
    for (i = 0; i < DEVICES; i++) {
        char name[32];
        twin_string key;
        snprintf(name, sizeof name, "pooled-%d", i);
        OK(twin_registry_create(registry, twin_s(name), twin_s(NULL), 0, &identity, &error));
        OK(twin_json_string(twin_view(identity), twin_s("/authentication/symmetricKey/primaryKey"), &key, &error));
        options.device_id = twin_s(name);
        options.shared_access_key = twin_view(key);
        OK(twin_client_new(&options, &clients[i], &error));
        OK(twin_client_report(clients[i], twin_s("{\"pooled\":true}"), 60000, NULL, &error));
        OK(twin_client_get_twin(clients[i], 0, &twin, &error));
        CHECK(strstr(twin.data, "pooled"));
        twin_string_free(&twin);
        twin_string_free(&key);
        twin_string_free(&identity);
    }
    OK(twin_pool_connections(pool, &connections, &error));
    CHECK(connections == 1);
    OK(twin_pool_close(pool, &error));
    EXPECT(TWIN_CLOSED, twin_pool_close(pool, &error));
    options.shared_access_key = twin_s("AAAAAAAAAAAAAAAAAAAAAA==");
    EXPECT(TWIN_CLOSED, twin_client_new(&options, &clients[0], &error));
    for (i = 0; i < DEVICES; i++) {
        OK(twin_client_report(clients[i], twin_s("{\"pooled\":false}"), 60000, NULL, &error));
        OK(twin_client_close(clients[i], 10000, &error));
    }
    OK(twin_registry_close(registry, &error));
    puts("all is well");
    return 0;
}
