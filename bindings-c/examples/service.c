/* A backend: creates a device if it is not there, tags it, finds it by its tag. */
#include <stdio.h>
#include <stdlib.h>
#include <twin.h>

int main(void) {
    twin_registry_options options = twin_registry_options_init();
    twin_registry registry;
    twin_query query;
    twin_string text, row;
    twin_str pump = twin_s("pump"), none = twin_s(NULL);
    twin_result result;

    options.connection_string = twin_s(getenv("IOTHUB_CONNECTION_STRING"));
    options.ca_file = twin_s(getenv("TWIN_CA_FILE"));
    if (twin_registry_new(&options, &registry, NULL) != TWIN_OK) return 1;
    result = twin_registry_create(registry, pump, none, 0, NULL, NULL);
    if (result != TWIN_OK && result != TWIN_ALREADY_EXISTS) return 1;
    if (twin_registry_update_twin(registry, pump, none, twin_s("{\"tags\":{\"plant\":\"Redmond43\"}}"), none, 0, NULL,
                                  NULL) != TWIN_OK)
        return 1;
    if (twin_query_build(twin_s("devices"), twin_s("[[\"tags.plant\",\"=\",\"Redmond43\"]]"), &text, NULL) != TWIN_OK)
        return 1;
    if (twin_registry_query(registry, twin_view(text), 100, &query, NULL) != TWIN_OK) return 1;
    twin_string_free(&text);
    while ((result = twin_query_next(query, 0, &row, NULL)) == TWIN_OK) {
        twin_string id;
        if (twin_json_string(twin_view(row), twin_s("deviceId"), &id, NULL) == TWIN_OK) {
            printf("found %s\n", id.data);
            twin_string_free(&id);
        }
        twin_string_free(&row);
    }
    twin_query_close(query, NULL);
    twin_registry_close(registry, NULL);
    return result == TWIN_END ? 0 : 1;
}
