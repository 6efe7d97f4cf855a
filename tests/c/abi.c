/* The layout of everything that programs share with the library, one line each; compared with abi.txt. */
#include <stddef.h>
#include <stdio.h>
#include <twin.h>

#define TYPE(type) printf("%s %zu bytes\n", #type, sizeof(type))
#define MEMBER(type, member) printf("%s.%s at %zu, %zu bytes\n", #type, #member, offsetof(type, member), sizeof(((type *)0)->member))
#define NUMBER(name) printf("%s = %u\n", #name, (unsigned)name)

int main(void) {
    TYPE(twin_str);
    MEMBER(twin_str, data);
    MEMBER(twin_str, len);
    TYPE(twin_string);
    MEMBER(twin_string, data);
    MEMBER(twin_string, len);
    TYPE(twin_client);
    TYPE(twin_pool);
    TYPE(twin_registry);
    TYPE(twin_query);
    TYPE(twin_error);
    TYPE(twin_result);
#include "abi_members.h"
    return 0;
}
