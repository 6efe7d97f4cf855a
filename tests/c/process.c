/* A process and what happens to it: forks, signals, and a system that has no more to give. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

/* What the library asks of the system comes by here. */
static volatile int no_threads, no_memory;
static volatile size_t no_such_size;

extern void *__libc_malloc(size_t size);

void *malloc(size_t size) {
    if (no_memory || (size && size == no_such_size)) return NULL;
    return __libc_malloc(size);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument) {
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (no_threads) return EAGAIN;
    *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    return real(thread, attributes, start, argument);
}

static void fails_with(twin_result want, const char *part, twin_result got, twin_error error) {
    twin_error_info info;
    CHECK(want == got);
    CHECK(twin_error_get(error, sizeof info, &info) == TWIN_OK);
    if (!strstr(info.message.data, part)) {
        fprintf(stderr, "'%s' is not in: %s\n", part, info.message.data);
        exit(1);
    }
    twin_error_free(error);
}

/* A connection, a report, an end. */
static void live(void) {
    twin_client_options options = from_environment("DEVICE_CONNECTION_STRING");
    twin_client client;
    twin_error error = {0};
    OK(twin_client_new(&options, &client, &error));
    OK(twin_client_report(client, twin_s("{\"lives\":true}"), 60000, NULL, &error));
    OK(twin_client_close(client, 10000, &error));
}

static int ends(pid_t child) {
    int status;
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    return status;
}

/* Before the library has started, a child is a process like any other. */
static void child_before_start(void) {
    pid_t child = fork();
    if (child == 0) {
        live();
        exit(0);
    }
    CHECK(ends(child) == 0);
}

/* Without memory for itself the library ends the process: here, a child. */
static void child_without_memory(void) {
    const struct rlimit no_core = {0, 0};
    twin_string text;
    int status;
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &no_core);
        if (!freopen("/dev/null", "w", stderr)) _exit(2);
        no_memory = 1;
        twin_merge(twin_s("{\"a\":1}"), twin_s("{\"b\":2}"), &text, NULL);
        _exit(3);
    }
    status = ends(child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

/* A text that cannot be given is a result. */
static void no_room_for_a_text(void) {
    enum { LONG = 5000 };
    static char json[LONG + 9];
    twin_string text = {NULL, 42};
    twin_error error = {0};
    twin_result result;

    snprintf(json, sizeof json, "{\"a\":\"%0*d\"}", LONG, 0);
    no_such_size = strlen(json) + 1;
    result = twin_merge(twin_s(json), twin_s("{}"), &text, &error);
    no_such_size = 0;
    fails_with(TWIN_INTERNAL, "memory", result, error);
    CHECK(text.data == NULL && text.len == 42);
    error.id = 0;
    OK(twin_merge(twin_s(json), twin_s("{}"), &text, &error));
    CHECK(text.len == strlen(json));
    twin_string_free(&text);
}

/* No threads, no descriptors: results, and all works once there are some. */
static void scarce(void) {
    twin_client_options options = from_environment("DEVICE_CONNECTION_STRING");
    twin_client client = {42};
    twin_error error = {0};
    twin_result result;
    struct rlimit files, none;

    no_threads = 1;
    result = twin_client_new(&options, &client, &error);
    no_threads = 0;
    fails_with(TWIN_INTERNAL, "thread", result, error);

    CHECK(getrlimit(RLIMIT_NOFILE, &files) == 0);
    none = files;
    none.rlim_cur = 3;
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    result = twin_client_new(&options, &client, &error);
    CHECK(setrlimit(RLIMIT_NOFILE, &files) == 0);
    fails_with(TWIN_INTERNAL, "descriptor", result, error);
    CHECK(client.id == 42);
    live();

    /* Once it has started: the descriptor of a loop. */
    options.flags = TWIN_FLAG_OWN_LOOP;
    options.ca_file = twin_s(NULL);
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    result = twin_client_new(&options, &client, NULL);
    CHECK(setrlimit(RLIMIT_NOFILE, &files) == 0);
    CHECK(result != TWIN_OK && client.id == 42);
}

static pthread_t program;
static volatile sig_atomic_t alarms, elsewhere;

static void on_alarm(int number) {
    (void)number;
    alarms++;
    elsewhere |= !pthread_equal(pthread_self(), program);
}

/* A storm of signals, without SA_RESTART, falls on the program's thread alone and breaks no call. */
static void signals(void) {
    twin_client_options options = from_environment("DEVICE_CONNECTION_STRING");
    twin_client client;
    twin_error error = {0};
    struct sigaction action, before;
    struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
    int i;

    program = pthread_self();
    memset(&action, 0, sizeof action);
    action.sa_handler = on_alarm;
    CHECK(sigaction(SIGPIPE, NULL, &before) == 0 && before.sa_handler == SIG_DFL); /* nobody has changed it */
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
    OK(twin_client_new(&options, &client, &error));
    for (i = 0; i < 50 || alarms < 20; i++) OK(twin_client_report(client, twin_s("{\"rings\":true}"), 60000, NULL, &error));
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
    CHECK(!elsewhere);
    OK(twin_client_close(client, 10000, &error));
}

/* The open descriptors. */
static int descriptors(void) {
    int fd, open = 0;
    for (fd = 0; fd < 1024; fd++) open += fcntl(fd, F_GETFD) != -1;
    return open;
}

/* A fork while connected: the child is told, an exec closes the library's descriptors, the parent's connection is not disturbed. */
static void fork_while_connected(char *self, char *inherited) {
    twin_client_options options = from_environment("DEVICE_CONNECTION_STRING");
    twin_client client;
    twin_error error = {0};
    uint64_t version = 0, next = 0;
    char *again[] = {self, inherited, NULL};
    pid_t child;

    OK(twin_client_new(&options, &client, &error));
    OK(twin_client_report(client, twin_s("{\"n\":1}"), 60000, &version, &error));
    child = fork();
    if (child == 0) {
        twin_string text = {NULL, 0};
        twin_client other = {0};
        int good = twin_client_report(client, twin_s("{\"n\":2}"), 0, NULL, &error) == TWIN_FORKED &&
                   twin_client_new(&options, &other, &error) == TWIN_FORKED && twin_client_close(client, 0, &error) == TWIN_FORKED &&
                   twin_merge(twin_s("{}"), twin_s("{}"), &text, &error) == TWIN_FORKED && error.id == 0;
        _exit(good ? 0 : 1);
    }
    CHECK(ends(child) == 0);
    child = fork();
    if (child == 0) {
        execv(self, again);
        _exit(127);
    }
    CHECK(ends(child) == 0);
    OK(twin_client_report(client, twin_s("{\"n\":3}"), 60000, &next, &error));
    CHECK(version == 0 || next == version + 1);
    OK(twin_client_close(client, 10000, &error));
}

int main(int argc, char **argv) {
    char inherited[20];
    if (argc > 1) return descriptors() == atoi(argv[1]) ? 0 : 1;
    snprintf(inherited, sizeof inherited, "%d", descriptors());
    child_before_start();
    child_without_memory();
    no_room_for_a_text();
    scarce();
    signals();
    fork_while_connected(argv[0], inherited);
    puts("all is well");
    return 0;
}
