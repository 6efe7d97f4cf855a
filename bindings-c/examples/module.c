/* A module, over AMQP or what the first argument numbers: prints its twin and reports. */
#include <stdio.h>
#include <stdlib.h>
#include <twin.h>

int main(int argc, char **argv) {
    twin_client_options options = twin_client_options_init();
    twin_client client;
    twin_string twin;
    uint64_t version;

    options.connection_string = twin_s(getenv("MODULE_CONNECTION_STRING"));
    options.ca_file = twin_s(getenv("TWIN_CA_FILE"));
    options.transport = argc > 1 ? (uint32_t)atoi(argv[1]) : TWIN_TRANSPORT_AMQP;
    if (twin_client_new(&options, &client, NULL) != TWIN_OK) return 1;
    if (twin_client_get_twin(client, 30000, &twin, NULL) != TWIN_OK) return 1;
    printf("%s\n", twin.data);
    twin_string_free(&twin);
    if (twin_client_report(client, twin_s("{\"pressed\":true}"), 30000, &version, NULL) != TWIN_OK) return 1;
    printf("reported version %llu\n", (unsigned long long)version);
    return twin_client_close(client, 5000, NULL) == TWIN_OK ? 0 : 1;
}
